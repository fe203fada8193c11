"""Rows that hop 1 owes: changed cells since the last flush, serialised as cumulative upserts."""

from __future__ import annotations

from zlib import crc32

import orjson

from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, GEO_ROLLUPS
from streams.output import Output, pack_lines
from streams.panes import CtrCell, CtrKey, DeviceCell, DeviceKey, PlaceCell, PlaceKey, Window

_MAX_CAMPAIGNS = 5


class DirtyRows:
    """Cells to emit, each once however often it changed."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self.ctr: list[tuple[Window, CtrKey, CtrCell]] = []
        self.devices: list[tuple[Window, DeviceKey, DeviceCell]] = []
        self.places: list[tuple[int, PlaceKey, PlaceCell]] = []

    def take(self, version: int, watermark_ms: int) -> list[Output]:
        """Serialise and forget all dirty cells. `version` is the next offset of the source partition."""
        outputs = pack_lines(CTR_WINDOWS, self._ctr_lines(version), self._partition)
        outputs += pack_lines(DEVICE_WINDOWS, self._device_lines(version), self._partition)
        outputs += self._place_outputs(version, watermark_ms)
        self.clear()
        return outputs

    def clear(self) -> None:
        """Forget all dirty cells."""
        for _, _, counts in self.ctr:
            counts[3] = 0
        for _, _, counts in self.devices:
            counts[3] = 0
        for _, _, place in self.places:
            place.dirty = False
        self.ctr.clear()
        self.devices.clear()
        self.places.clear()

    def _ctr_lines(self, version: int) -> list[bytes]:
        return [
            orjson.dumps(
                {
                    "window_start": window.start_ms // 1000,
                    "account_id": key[0],
                    "campaign_id": key[1],
                    "material_id": key[2],
                    "platform": key[3],
                    "country": key[4],
                    "region": key[5],
                    "city": key[6],
                    "source_partition": self._partition,
                    "impressions": cell[0],
                    "clicks": cell[1],
                    "suspect_clicks": cell[2],
                    "version": version,
                }
            )
            for window, key, cell in self.ctr
        ]

    def _device_lines(self, version: int) -> list[bytes]:
        return [
            orjson.dumps(
                {
                    "window_start": window.start_ms // 1000,
                    "account_id": key[0],
                    "device_id": key[1],
                    "source_partition": self._partition,
                    "impressions": cell[0],
                    "clicks": cell[1],
                    "authentications": cell[2],
                    "version": version,
                }
            )
            for window, key, cell in self.devices
        ]

    def _place_outputs(self, version: int, watermark_ms: int) -> list[Output]:
        lanes: dict[int, list[bytes]] = {}
        for pane_start, key, cell in self.places:
            lanes.setdefault(place_lane(key), []).append(self._place_line(pane_start, key, cell, version, watermark_ms))
        return [output for lane, lines in lanes.items() for output in pack_lines(GEO_ROLLUPS, lines, lane)]

    def _place_line(self, pane_start: int, key: PlaceKey, cell: PlaceCell, version: int, watermark_ms: int) -> bytes:
        campaigns = sorted(cell.clicks_by_campaign.items(), key=lambda item: (-item[1], item[0]))[:_MAX_CAMPAIGNS]
        return orjson.dumps(
            {
                "pane_start": pane_start // 1000,
                "account_id": key[0],
                "country": key[1],
                "region": key[2],
                "city": key[3],
                "source_partition": self._partition,
                "impressions": cell.impressions,
                "clicks": cell.clicks,
                "clicking_devices": len(cell.clicks_by_device),
                "top_device_clicks": max(cell.clicks_by_device.values(), default=0),
                "campaigns": dict(campaigns),
                "samples": cell.samples,
                "watermark": watermark_ms,
                "version": version,
            }
        )


#: Lanes are taken modulo the topic's partitions; a fixed number of them keeps a place's lane independent of that.
_LANES = 1 << 16


def place_lane(key: PlaceKey) -> int:
    """Which lane of the roll-up topic a place goes to; the same for every source partition."""
    return crc32("\x1f".join(key).encode("utf-8", "surrogatepass")) % _LANES
