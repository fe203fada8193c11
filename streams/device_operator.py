"""Hop 1: one source partition of the events topic, keyed by device.

Dedupe, CTR windows, device windows, device rules, and roll-ups per place for hop 2. No I/O and no clock: it takes
records and returns outputs. State is a pure function of the records from `low` on (see checkpoint).
"""

from __future__ import annotations

import msgspec

from sori.errors import InvalidEvent
from sori.events import CLICK, IMPRESSION, UNKNOWN, Event, decode_unchecked, parse_time_ms
from sori.identity import identity as identity_of
from sori.records import IDENTITY
from sori.settings.rules import RulesSettings
from streams.checkpoint import Checkpoint
from streams.device_rows import DirtyRows
from streams.operator import PartitionOperator
from streams.output import Output, Record
from streams.panes import DeviceClicks, Pane, PaneStore, PlaceCell, PlaceKey
from streams.policy import EpisodePolicy, TimePolicy
from streams.rejects import Reject, rejected_outputs
from streams.rules.device_rules import DeviceRules

#: Where the ingress puts the identity among the headers.
_IDENTITY_AT = 5
_MAX_SAMPLES = 5
_UNKNOWN_PLACE = (UNKNOWN, UNKNOWN, UNKNOWN)


class DeviceOperator(PartitionOperator):
    """State of one partition of the events topic."""

    def __init__(
        self, partition: int, policy: TimePolicy, rules: RulesSettings, resume: Checkpoint | None = None
    ) -> None:
        super().__init__(partition, policy, EpisodePolicy.of(rules), resume)
        self._store = PaneStore(policy.pane_ms, policy.window_ms)
        self._dirty = DirtyRows(partition)
        self._rejects: list[Reject] = []
        self._rules = DeviceRules(
            rules=rules, policy=policy, store=self._store, book=self.episodes, clock=self.clock, pin_now=self._pin
        )

    @property
    def live_panes(self) -> int:
        """How many panes are held."""
        return len(self._store.panes)

    def _take_rows(self, version: int) -> list[Output]:
        outputs = self._dirty.take(version, self.clock.watermark)
        outputs += rejected_outputs(self._rejects, self.partition, self.policy)
        self._rejects.clear()
        return outputs

    def _forget_rows(self) -> None:
        self._dirty.clear()
        self._rejects.clear()

    def _evict(self, horizon_ms: int) -> None:
        self._store.evict(horizon_ms)

    def _low(self, horizon_ms: int) -> int:
        return self._store.low(horizon_ms, self.next_offset)

    def _apply_one(self, record: Record) -> None:
        offset = record.offset
        try:
            event = decode_unchecked(record.value or b"")
            time_ms = parse_time_ms(event.created_at)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidEvent) as error:
            self.counters.undecodable += 1
            self._rejects.append(Reject(record, None, str(error), 0))
            return
        policy = self.policy
        if record.timestamp >= 0 and time_ms > record.timestamp + policy.max_skew_ms:
            # A clock far ahead must not close everybody's windows.
            self.counters.future += 1
            self._rejects.append(Reject(record, event, "future", time_ms))
            return
        clock = self.clock
        if time_ms > clock.watermark:
            clock.watermark = time_ms
        # A pane lives as long as its window: half a window could not be rebuilt.
        if time_ms - time_ms % policy.window_ms + policy.window_ms <= clock.watermark - policy.lateness_ms:
            self.counters.late += 1
            self._rejects.append(Reject(record, event, "late", time_ms))
            return
        pane_start = time_ms - time_ms % policy.pane_ms
        pane = self._store.panes.get(pane_start)
        if pane is None:
            pane = self._store.open(pane_start, offset)
        name = event.event or event.event_type or ""
        headers = record.headers
        if len(headers) > _IDENTITY_AT and headers[_IDENTITY_AT][0] == IDENTITY:
            identity = headers[_IDENTITY_AT][1].decode("utf-8", "replace")
        else:
            identity = identity_of(event)
        seen = pane.seen.get((event.account_id, name))
        if seen is None:
            seen = pane.seen[(event.account_id, name)] = set()
        if identity in seen:
            self.counters.duplicates += 1
            return
        seen.add(identity)
        self._count(event, name, identity, pane)
        if name == CLICK and event.device_id:
            self._rules.on_click((event.account_id, event.device_id), time_ms, pane_start)

    def _count(self, event: Event, name: str, identity: str, pane: Pane) -> None:
        window = pane.window
        account = event.account_id
        device = event.device_id
        impression, click = name == IMPRESSION, name == CLICK
        if impression or click:
            geo = event.geolocation
            place = (
                _UNKNOWN_PLACE
                if geo is None
                else (geo.viewer_country or UNKNOWN, geo.viewer_region or UNKNOWN, geo.viewer_city or UNKNOWN)
            )
            key = (account, event.campaign_id, event.material_id, event.platform or UNKNOWN, *place)
            cell = window.ctr.get(key)
            if cell is None:
                cell = window.ctr[key] = [0, 0, 0, 0]
            cell[click] += 1
            if not cell[3]:
                cell[3] = 1
                self._dirty.ctr.append((window, key, cell))
            self._count_place(pane, (account, *place), event, identity if click else None)
        if device:
            device_key = (account, device)
            row = window.devices.get(device_key)
            if row is None:
                row = window.devices[device_key] = [0, 0, 0, 0]
            if impression or click:
                row[click] += 1
            elif name == "authentication":
                row[2] += 1
            if not row[3]:
                row[3] = 1
                self._dirty.devices.append((window, device_key, row))
            if click:
                self._count_device_click(pane, device_key, event.campaign_id, identity)

    def _count_place(self, pane: Pane, key: PlaceKey, event: Event, click: str | None) -> None:
        cell = pane.places.get(key)
        if cell is None:
            cell = pane.places[key] = PlaceCell()
        if click is not None:
            cell.clicks += 1
            device, campaign = event.device_id or "", event.campaign_id
            cell.clicks_by_device[device] = cell.clicks_by_device.get(device, 0) + 1
            cell.clicks_by_campaign[campaign] = cell.clicks_by_campaign.get(campaign, 0) + 1
            if len(cell.samples) < _MAX_SAMPLES:
                cell.samples.append(click)
        else:
            cell.impressions += 1
        if not cell.dirty:
            cell.dirty = True
            self._dirty.places.append((pane.start_ms, key, cell))

    def _count_device_click(self, pane: Pane, key: tuple[str, str], campaign: str, identity: str) -> None:
        clicks = pane.clicks.get(key)
        if clicks is None:
            clicks = pane.clicks[key] = DeviceClicks()
        clicks.clicks += 1
        clicks.campaigns[campaign] = clicks.campaigns.get(campaign, 0) + 1
        if len(clicks.samples) < _MAX_SAMPLES:
            clicks.samples.append(identity)
