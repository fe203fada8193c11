"""Hop 1: one source partition of the events topic, keyed by device.

Dedupe, CTR windows, device windows, device rules, and roll-ups per place and per campaign for hop 2. No I/O and no
clock: it takes records and returns outputs. State is a pure function of the records from `low` on (see checkpoint).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sori.errors import InvalidEvent
from sori.events import (
    AUTHENTICATION,
    CLICK,
    IMPRESSION,
    UNKNOWN,
    EventDims,
    decode_dims,
    decode_unchecked,
    parse_time_ms,
)
from sori.identity import identity as identity_of
from sori.records import IDENTITY
from sori.settings.rules import RulesSettings
from streams.alerts import Subject
from streams.checkpoint import Checkpoint, Pin
from streams.device_rows import DirtyRows
from streams.operator import PartitionOperator
from streams.output import Output, Record
from streams.panes import (
    MAX_CLICKS_KEPT,
    MAX_SAMPLES,
    TICK_MS,
    Click,
    CtrCell,
    DeviceCell,
    DeviceClicks,
    DeviceKey,
    Pane,
    PaneStore,
    SubjectCell,
    SubjectKey,
    Window,
)
from streams.policy import EpisodePolicy, TimePolicy
from streams.rejects import Reject, rejected_outputs
from streams.rules.bench import RuleBench
from streams.rules.device_farm import PACE_MS
from streams.rules.device_rules import DeviceRules

#: Where the ingress puts the identity among the headers.
_IDENTITY_AT = 5
_CAMPAIGN_EVENTS = frozenset({IMPRESSION, CLICK})


class DeviceOperator(PartitionOperator):
    """State of one partition of the events topic."""

    def __init__(
        self, partition: int, policy: TimePolicy, rules: RulesSettings, resume: Checkpoint | None = None
    ) -> None:
        super().__init__(partition, policy, EpisodePolicy.of(rules), resume)
        self._store = PaneStore(policy.pane_ms, policy.window_ms)
        self._dirty = DirtyRows(partition)
        self._rejects: list[Reject] = []
        self._bench = RuleBench(rules, policy, self.episodes, self.clock, self._pin)
        self._rules = DeviceRules(self._bench, self._store)

    @property
    def live_panes(self) -> int:
        """How many panes are held."""
        return len(self._store.panes)

    def _take_rows(self, version: int) -> list[Output]:
        outputs = self._dirty.take(version)
        outputs += rejected_outputs(self._rejects, self.partition, self.policy)
        self._rejects.clear()
        return outputs

    def _forget_rows(self) -> None:
        self._dirty.clear()
        self._rejects.clear()

    def _evict(self, horizon_ms: int) -> None:
        self._store.evict(horizon_ms)
        self._bench.forget_acquitted()

    def _ends(self) -> Iterable[int]:
        return (start + self.policy.window_ms for start in self._store.windows)

    def _low(self, horizon_ms: int) -> int:
        return self._store.low(horizon_ms, self.next_offset)

    def _pin_of_everything(self) -> Pin:
        horizon = self.policy.horizon(self.clock.watermark)
        pin = super()._pin_of_everything()
        for window in self._store.windows.values():
            if window.suspects is not None and window.start_ms + self.policy.window_ms > horizon:
                pin = pin.joined(window.suspects)
        return pin

    def _apply_one(self, record: Record) -> None:
        offset = record.offset
        try:
            event = decode_dims(record.value or b"")
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
            identity = identity_of(decode_unchecked(record.value or b""))
        seen = pane.seen.get((event.account_id, name))
        if seen is None:
            seen = pane.seen[(event.account_id, name)] = {}
        if identity in seen:
            self.counters.duplicates += 1
            return
        seen[identity] = (time_ms - pane_start) // TICK_MS
        self._count(event, name, time_ms, identity, pane)

    def _count(self, event: EventDims, name: str, time_ms: int, identity: str, pane: Pane) -> None:
        """Count an event that was not seen before, and have the rules judge what it changed."""
        key = (event.account_id, event.device_id) if event.device_id else None
        cell = None if key is None else self._device(pane.window, key)
        if name in _CAMPAIGN_EVENTS:
            self._count_campaign_event(event, name == CLICK, time_ms, identity, pane, cell)
        elif key is not None and cell is not None and name == AUTHENTICATION:
            cell.authentications += 1
            if cell.authentications >= self._rules.auth_gate:
                self._rules.on_authentication(key, cell, time_ms, identity)
        if key is not None and cell is not None and cell.events >= self._rules.event_gate:
            self._rules.on_event(key, cell, time_ms, identity)

    def _count_campaign_event(  # noqa: PLR0917 - hot
        self, event: EventDims, click: bool, time_ms: int, identity: str, pane: Pane, device: DeviceCell | None
    ) -> None:
        account, campaign, place = event.account_id, event.campaign_id, event.place
        key = (account, campaign, event.material_id, event.platform or UNKNOWN, *place)
        cell = pane.window.ctr.get(key)
        if cell is None:
            cell = pane.window.ctr[key] = CtrCell()
        if not cell.dirty:
            cell.dirty = True
            self._dirty.ctr.append((pane.window, key, cell))
        if cell.pane is not pane:
            cell.pane = pane
            cell.place = self._subject(pane, pane.places, (account, *place))
            cell.campaign = self._subject(pane, pane.campaigns, (account, campaign)) if campaign else None
        if device is not None and device.place != place:
            self._rules.on_place((account, event.device_id or ""), device, place, time_ms, identity)
        if click:
            cell.clicks += 1
            self._count_click(event, (cell.place, cell.campaign), device, time_ms, identity, pane)
            if self._bench.any_accused and device is not None:
                self._mark_suspect(cell, pane.window, Subject(account, "device", event.device_id or ""))
            return
        cell.impressions += 1
        if cell.place is not None:
            cell.place.impressions += 1
        if cell.campaign is not None:
            cell.campaign.impressions += 1
        if device is not None:
            device.shown(campaign)

    def _mark_suspect(self, cell: CtrCell, window: Window, device: Subject) -> None:
        """Count a click also as suspect when its device is in an open episode (its opening click included)."""
        accused = self._bench.accused(device)
        if accused is not None:
            cell.suspect_clicks += 1
            window.suspects = accused.pin if window.suspects is None else window.suspects.joined(accused.pin)

    def _count_click(  # noqa: PLR0917 - hot
        self,
        event: EventDims,
        subjects: tuple[SubjectCell | None, ...],
        device_cell: DeviceCell | None,
        time_ms: int,
        identity: str,
        pane: Pane,
    ) -> None:
        account, device, campaign = event.account_id, event.device_id or "", event.campaign_id
        script = None
        if device_cell is not None:
            device_cell.clicks += 1
            key = (account, device)
            clicks = pane.clicks.get(key)
            if clicks is None:
                clicks = pane.clicks[key] = DeviceClicks()
                script = self._script(event, device_cell, time_ms, identity, pane)
            clicks.clicks += 1
            clicks.campaigns[campaign] = clicks.campaigns.get(campaign, 0) + 1
            if len(clicks.kept) < MAX_CLICKS_KEPT:
                clicks.kept.append(Click(time_ms, campaign, event.material_id, identity))
        for subject in subjects:
            if subject is not None:
                subject.clicks += 1
                subject.clicks_by_device[device] = subject.clicks_by_device.get(device, 0) + 1
                subject.clicks_by_campaign[campaign] = subject.clicks_by_campaign.get(campaign, 0) + 1
                if script is not None:
                    subject.scripts[script] = subject.scripts.get(script, 0) + 1
                if len(subject.samples) < MAX_SAMPLES:
                    subject.samples.append(identity)
        if device_cell is not None:
            self._rules.on_click((account, device), time_ms, pane.start_ms)

    def _script(self, event: EventDims, cell: DeviceCell, time_ms: int, identity: str, pane: Pane) -> str | None:
        """What the device did up to this click; None where its impression is not in its window.

        It reads that window only: a pane is rebuilt together with its window.
        """
        shown = self._store.shown_at(event.account_id, IMPRESSION, identity, pane.window.start_ms, time_ms)
        if shown is None:
            return None
        done = f"{cell.authentications},{cell.impressions},{cell.clicks}"
        return f"{event.platform or UNKNOWN}|{event.campaign_id}|{done}|{(time_ms - shown) // PACE_MS}"

    def _device(self, window: Window, key: DeviceKey) -> DeviceCell | None:
        """The device's cell, with one more event and waiting to be emitted; None where the window tracks no more."""
        cell = window.devices.get(key)
        if cell is None:
            if not window.admits(key[0], self.policy.max_devices, self.policy.max_account_devices):
                self.counters.untracked += 1
                return None
            cell = window.devices[key] = DeviceCell()
        cell.events += 1
        if not cell.dirty:
            cell.dirty = True
            self._dirty.devices.append((window, key, cell))
        return cell

    def _subject(self, pane: Pane, cells: dict[SubjectKey, SubjectCell], key: SubjectKey) -> SubjectCell:
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = SubjectCell()
        if not cell.dirty:
            cell.dirty = True
            self._dirty.subjects.append((pane.start_ms, key, cell))
        return cell
