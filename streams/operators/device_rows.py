"""Rows that hop 1 owes: changed cells since the last flush, serialised as cumulative upserts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any
from zlib import crc32

import msgspec
import orjson

from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, GEO_ROLLUPS
from streams.operators.held_devices import HeldDevices, OwedDevice
from streams.operators.told_campaigns import ToldCampaigns
from streams.operators.told_devices import ToldDevices
from streams.operators.told_returning import ToldReturning
from streams.state.campaign_totals import CampaignTotals
from streams.state.counters import CtrRow, DeviceRow, SubjectCell
from streams.state.device_panes import CampaignKey, PaneStore, PlaceKey, SubjectKey, ToldDevice
from streams.state.output import Output, pack, pack_lines
from streams.state.policy import Clock

#: Of a row's campaigns and behaviours those with the largest counts are named.
MOST_CAMPAIGNS, MOST_SCRIPTS = 20, 8
#: Rows of a record for hop 2, which applies it at once and judges each; whoever makes up places picks their lane.
MOST_ROWS = 64
#: Encodes whole lists of rows in C: a sixth of what a string per row costs.
_encode_lines = msgspec.json.Encoder().encode_lines
_encode = msgspec.json.Encoder().encode


class DirtyRows:
    """Cells to emit, each once however often it changed."""

    def __init__(self, partition: int, clock: Clock, store: PaneStore) -> None:
        self._partition = partition
        self._clock = clock
        self._store = store
        self._pane_ms = store.pane_ms
        self.ctr: list[CtrRow] = []
        self.devices: list[OwedDevice] = []
        #: Of these, whom hop 2 is told of later.
        self.held = HeldDevices(store)
        self.subjects: list[tuple[int, SubjectKey, SubjectCell]] = []

    def take(self, version: int) -> list[Output]:
        """Serialise and forget all dirty cells. `version` is the next offset of the source partition."""
        for row in self.ctr:
            row.version = version
        outputs = pack(CTR_WINDOWS, _encode_lines(self.ctr), self._partition)
        outputs += pack(DEVICE_WINDOWS, _encode_lines(self._device_rows(version)), self._partition)
        outputs += self.roll_ups(version)
        self.ctr.clear()
        self.clear()
        return outputs

    def add_subject(self, pane_start: int, key: SubjectKey, cell: SubjectCell) -> None:
        """A place or campaign that changed."""
        cell.dirty = True
        self.subjects.append((pane_start, key, cell))

    def clear(self) -> None:
        """Forget all dirty cells."""
        for row in self.ctr:
            row.version = 0
        for _, _, device in self.devices:
            device.dirty = False
            device.told = device.clicks + device.authentications
        for _, _, subject in self.subjects:
            subject.dirty = False
            subject.emitted_clicks = subject.clicks
        self.ctr.clear()
        self.devices.clear()
        self.subjects.clear()

    def _device_rows(self, version: int) -> list[DeviceRow]:
        part = self._partition
        return [
            DeviceRow(
                held.window.start_ms // 1000,
                part,
                held.account,
                device,
                cell.impressions,
                cell.clicks,
                cell.authentications,
                version,
            )
            for held, device, cell in self.devices
        ]

    def by_pane(self) -> list[tuple[int, SubjectKey, SubjectCell]]:
        """Changed places and campaigns, oldest pane first: who judges a pane has those before it as of this flush."""
        self.subjects.sort(key=_pane_start)
        return self.subjects

    def roll_ups(self, version: int) -> list[Output]:
        """Serialise for hop 2: changed places and campaigns, and devices that go on and on."""
        subjects = self.by_pane()
        lanes: dict[int, list[bytes]] = {}
        everywhere: dict[tuple[str, int], int] = {}
        local, returning = ToldCampaigns(self._store), ToldReturning(self._store)
        for pane_start, key, cell in subjects:
            row = self._subject_row(pane_start, key, cell, version)
            if cell.scripts and isinstance(key, PlaceKey):
                place, account = (key.country, key.region, key.city), key.account
                if counts := local.of(account, pane_start, place, row["campaigns"], cell.scripts):
                    row["local"] = counts
            if "clickers" in row and (devices := returning.of(key.account, pane_start, cell)):  # of a campaign
                row["returning"] = devices
            if cell.sign_ins:
                of = key.account, pane_start
                row["sign_ins"], row["everywhere"] = cell.sign_ins, self._everywhere(everywhere, of)
            lanes.setdefault(subject_lane(key), []).append(orjson.dumps(row))
        for told, line in self._told(version):
            lanes.setdefault(subject_lane(told), []).append(line)
        outputs = pack_lines(GEO_ROLLUPS, self._totals(version, everywhere), None)
        # first: no place is to have more clicks than its campaign
        for lane, lines in lanes.items():
            outputs += pack_lines(GEO_ROLLUPS, lines, lane, MOST_ROWS)
        return outputs

    def _totals(self, version: int, everywhere: dict[tuple[str, int], int]) -> list[bytes]:
        """Rows for every lane."""
        rows = []
        for (pane_start, account), told in campaign_totals(
            self.subjects, self._clock.watermark - self._pane_ms
        ).items():
            row = self._head(pane_start, account, version)
            row["campaign_clicks"] = {name: one.clicks for name, one in told.items()}
            row["campaign_told"] = {name: (one.impressions, one.devices, one.shown) for name, one in told.items()}
            if signed_in := self._everywhere(everywhere, (account, pane_start)):
                row["everywhere"] = signed_in
            rows.append(orjson.dumps(row))
        return rows

    def _everywhere(self, known: dict[tuple[str, int], int], of: tuple[str, int]) -> int:
        found = known.get(of)
        if found is None:
            found = known[of] = self._store.sign_ins(*of)
        return found

    def _told(self, version: int) -> Iterator[tuple[ToldDevice, bytes]]:
        """Rows about devices that go on and on."""
        rows = ToldDevices(self._store)
        for scope, device, cell in self.held.take(self.devices, self._clock.watermark):
            row = rows.row(scope, device, cell)
            if row is not None:
                line = _encode({**self._head(scope.window.start_ms, scope.account, version), **row})
                yield ToldDevice(scope.account, device), line

    def _head(self, pane_start: int, account: str, version: int) -> dict[str, Any]:
        head = {
            "pane_start": pane_start // 1000,
            "account_id": account,
            "source_partition": self._partition,
            "version": version,
        }
        watermark = self._clock.watermark
        if pane_start > watermark:  # of a clock that runs ahead: hop 2's must not follow it
            head["reached"] = -(-watermark // self._pane_ms) * self._pane_ms // 1000
        return head

    def _subject_row(self, pane_start: int, key: SubjectKey, cell: SubjectCell, version: int) -> dict[str, Any]:
        """What is empty is left out: most rows are about impressions."""
        row = self._head(pane_start, key[0], version)
        row["impressions"], row["clicks"] = cell.impressions, cell.clicks
        if cell.clicks:
            cell.unpack()
            devices = cell.clicks_by_device or {}
            row["clicking_devices"] = len(devices)
            row["top_device_clicks"] = max(devices.values(), default=0)
            row["samples"] = cell.samples or []
        if cell.scripts:
            row["shown_devices"] = sum(cell.scripts.values())  # of all behaviours, those not named included
            row["scripts"] = largest(cell.scripts, MOST_SCRIPTS)
        if isinstance(key, CampaignKey):
            row["campaign_id"] = key.campaign
            if cell.clickers:
                row["clickers"] = cell.clickers
        elif isinstance(key, PlaceKey):
            row["country"], row["region"], row["city"] = key[1:]
            if cell.clicks:
                row["campaigns"] = largest(cell.clicks_by_campaign or {}, MOST_CAMPAIGNS)
        return row


_pane_start = itemgetter(0)


def campaign_totals(
    subjects: Iterable[tuple[int, SubjectKey, SubjectCell]], over_ms: int
) -> dict[tuple[int, str], dict[str, CampaignTotals]]:
    """By pane and account: all of each campaign that got clicks since the last flush, or anything in a pane with clicks
    that started before `over_ms`: impressions that come late.

    A place is one lane's, and so is a campaign; for a place's share of a campaign's clicks every lane needs these.
    """
    found: dict[tuple[int, str], dict[str, CampaignTotals]] = {}
    for pane_start, key, cell in subjects:
        if not isinstance(key, CampaignKey):
            continue
        if cell.clicks > cell.emitted_clicks or (cell.clicks and pane_start < over_ms):
            found.setdefault((pane_start, key.account), {})[key.campaign] = totals_of(cell)
    return found


def totals_of(cell: SubjectCell) -> CampaignTotals:
    """What is told of a campaign to all."""
    cell.unpack()
    devices, scripts = cell.clicks_by_device or {}, cell.scripts or {}
    return CampaignTotals(cell.clicks, cell.impressions, len(devices), sum(scripts.values()))


def largest(counts: dict[str, int], most: int) -> dict[str, int]:
    """The few largest counts, in an order that does not depend on that of the events."""
    if len(counts) > 1:
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])
    return counts


#: Lanes are taken modulo the topic's partitions; a fixed number of them keeps a subject's lane independent of that.
#: One record per lane and flush: few, so that rows share records, and divisible by the usual numbers of partitions.
_LANES = 96


def subject_lane(key: SubjectKey) -> int:
    """Which lane of the roll-up topic a place or campaign goes to; the same for every source partition."""
    return crc32("\x1f".join(key).encode("utf-8", "surrogatepass")) % _LANES
