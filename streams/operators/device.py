"""Hop 1: one source partition of the events topic, keyed by device.

Dedupe, CTR windows, device windows, device rules, and roll-ups per place and per campaign for hop 2. No I/O and no
clock: it takes records and returns outputs. State is a pure function of the records from `low` on (see checkpoint).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from sori.errors import InvalidEvent, SnapshotRefused
from sori.events import IMPRESSION, EventDims, decode_dims, decode_unchecked, parse_time_ms
from sori.identity import identity as identity_of
from sori.reading import body_of
from sori.records import IDENTITY, FetchedRecord
from sori.settings.rules import RulesSettings
from streams.alerts.allowances import VerdictHistory
from streams.alerts.book_state import MarkState
from streams.alerts.corrections import Grounds
from streams.alerts.record import Subject
from streams.operators.device_counting import DeviceCounting
from streams.operators.rejects import CAPPED, Reject, rejected_outputs
from streams.snapshots.device_journal import DeviceJournal
from streams.snapshots.device_loader import DeviceLoader
from streams.snapshots.parts import MAX_CELLS, Changes
from streams.state.checkpoint import Checkpoint, ReplayStart
from streams.state.cold_ids import SEEN_UNIT_MS
from streams.state.cooling import Cooling
from streams.state.counters import CtrRow
from streams.state.output import Output
from streams.state.policy import TimePolicy

#: How many headers the ingress gives a plain event, and where it puts the identity among them.
_HEADERS = 6
_IDENTITY_AT = 5
#: Identities and devices packed in one go.
PACKED_AT_ONCE = 25_000


class DeviceOperator(DeviceCounting):
    """One partition of the events topic: which events count, and what is owed."""

    def __init__(
        self,
        partition: int,
        policy: TimePolicy,
        rules: RulesSettings,
        resume: Checkpoint | None = None,
        verdicts: VerdictHistory | None = None,
    ) -> None:
        super().__init__(partition, policy, rules, resume, verdicts)
        self._rejects: list[Reject] = []
        self._cooling = Cooling(self._store)
        self._cooled_at = self.next_offset

    @property
    def live_panes(self) -> int:
        """How many panes are held."""
        return len(self._store.panes)

    def keep_changes(self) -> None:
        """Note what changes from now on."""
        self._journal = DeviceJournal(self._store)
        self._cooling.saving = True

    def keep_no_changes(self) -> None:
        """Note nothing any more."""
        self._journal = None
        self._cooling.saving = False

    def take_changes(self, most: int = MAX_CELLS) -> Iterator[Changes]:
        """What changed since the last call, as further parts."""
        # rows that are owed still are noted at the flush that a snapshot follows
        return iter(()) if self._journal is None else self._journal.take(most)

    def _note_changes(self) -> None:
        journal, dirty = self._journal, self._dirty
        if journal is not None:
            journal.rows += dirty.ctr
            journal.devices += dirty.devices
            journal.subjects += dirty.subjects

    def _live(self) -> list[int]:
        return list(self._store.windows)

    def _loader(self) -> DeviceLoader:
        return DeviceLoader(self._store, self.partition)

    def put_back_next(self) -> bool:
        """A piece of a window, or pack what was put back: all of it as it comes would be several times as large."""
        pending, cooling = self._store.pending, self._cooling
        if pending is None:
            return False
        if cooling.waits or pending.put_next():
            cooling.run(self.clock.watermark, PACKED_AT_ONCE)
        return True

    @property
    def refused(self) -> SnapshotRefused | None:
        """Why a window that was left for later is of no use."""
        return None if self._store.pending is None else self._store.pending.refused

    def _grounds_of(self, rule: str, subject: Subject, state: object) -> Grounds:
        return self._rules.grounds_of(rule, subject, state)

    def _row_of(self, mark: MarkState) -> CtrRow | None:
        window = self._store.windows.get(mark.window_start * 1000)
        held = None if window is None else window.accounts.get(mark.subject.account_id)
        return None if held is None else held.ctr.get((mark.campaign, mark.material, mark.platform, mark.place))

    def _take_rows(self, version: int) -> list[Output]:
        self._note_changes()
        outputs = self._dirty.take(version)
        outputs += rejected_outputs(self._rejects, self.partition, self._window_of)
        self._rejects.clear()
        return outputs

    def _forget_rows(self) -> None:
        self._note_changes()
        self._dirty.clear()
        self._rejects.clear()
        if not self.replaying:
            self._dirty.held.flushed(self.clock.watermark)

    def _evict(self, horizon_ms: int) -> None:
        self._store.evict(horizon_ms)
        self._context.forget_closed()
        # keeps up with whatever was applied since, and else a flush takes no longer for it
        self._cooling.run(self.clock.watermark, max(PACKED_AT_ONCE, 2 * (self.next_offset - self._cooled_at)))
        self._cooled_at = self.next_offset

    def _ends(self) -> Iterable[int]:
        return (start + self.policy.window_ms for start in self._store.windows)

    def _held_until(self) -> Iterable[int]:
        return self._dirty.held.until()

    def _low(self, horizon_ms: int) -> int:
        return self._store.low(horizon_ms, self.next_offset)

    def _replay_start_of_everything(self) -> ReplayStart:
        horizon = self.policy.horizon(self.clock.watermark)
        replay_start = super()._replay_start_of_everything()
        for window in self._store.windows.values():
            if window.suspects is not None and window.start_ms + self.policy.window_ms > horizon:
                replay_start = replay_start.joined(window.suspects)
        return replay_start

    def _apply_all(self, records: Iterable[FetchedRecord]) -> int:  # noqa: C901, PLR0912 - hot
        clock, episodes, skew = self.clock, self.episodes, self.policy.max_skew_ms
        open_from, begin, end, applied = self._open_from(), 0, 0, 0
        pane = None
        for applied, record in enumerate(records, 1):  # noqa: B007 - how many there were
            try:
                headers = record.headers
                plain = len(headers) == _HEADERS
                event = decode_dims((record.value or b"") if plain else body_of(headers, record.value))
                time_ms = parse_time_ms(event.created_at)
                identity = event.activity_id or _identity(record)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidEvent) as error:
                self.counters.undecodable += 1
                self._rejects.append(Reject(record, None, str(error), 0, ""))
                continue
            stamp = record.timestamp
            if 0 <= stamp < time_ms - skew:
                # A clock far ahead must not close everybody's windows.
                self.counters.future += 1
                self._rejects.append(Reject(record, event, "future", time_ms, identity))
                continue
            if time_ms > clock.watermark:
                # a clock that runs ahead counts where it says, and moves nobody's time but to when it was received
                reached = stamp if 0 <= stamp < time_ms else time_ms
                if reached > clock.watermark:
                    clock.watermark = reached
                    open_from = self._open_from()
            if time_ms < open_from:
                self._reject_late(record, event, time_ms, identity)
                continue
            if pane is None or not begin <= time_ms < end:
                pane = self._store.at(time_ms, record.offset)
                begin, end = pane.start_ms, pane.start_ms + self.policy.pane_ms
            scope = pane.accounts.get(event.account_id) or self._open(pane, event.account_id)
            if scope is None:
                self._rejects.append(Reject(record, event, CAPPED, time_ms, identity))
                continue
            name = event.event or event.event_type or ""
            seen = scope.impressions if name == IMPRESSION else scope.seen_of(name)
            if identity in seen or (scope.packed and scope.was_seen(name, identity)):
                self._came_again(event, name, identity, scope)
            else:
                seen[identity] = (time_ms - begin) // SEEN_UNIT_MS
                self._count(event, name, time_ms, identity, scope)
                if self._row_capped:
                    self._row_capped = False
                    self._rejects.append(Reject(record, event, CAPPED, time_ms, identity))
            if clock.watermark >= clock.due_ms:
                self._judge_due(clock.watermark)
            if clock.watermark >= episodes.next_due_ms:
                episodes.show_due(clock.watermark)
        if applied:
            self.next_offset = record.offset + 1
        return applied

    def _open_from(self) -> int:
        """Events before this are late. A pane lives as long as its window: half a window could not be rebuilt.

        So are those of windows that may have events which this state has not seen: it must not speak for them.
        """
        since = max(self.policy.horizon(self.clock.watermark), self.clock.complete_from)
        return since - since % self.policy.window_ms

    def _reject_late(self, record: FetchedRecord, event: EventDims, time_ms: int, identity: str) -> None:
        horizon = self.policy.horizon(self.clock.watermark)
        late = time_ms < horizon - horizon % self.policy.window_ms
        if late:
            self.counters.late += 1
        else:
            self.counters.incomplete += 1
        self._rejects.append(Reject(record, event, "late" if late else "incomplete", time_ms, identity))

    def _window_of(self, time_ms: int) -> tuple[int, int]:
        """Start and length of the window of an event that may be of long ago, when windows were others."""
        lengths = (length for until_ms, length in self._lengths if time_ms < until_ms)
        length_ms = next(lengths, self.policy.window_ms)
        return time_ms - time_ms % length_ms, length_ms


def _identity(record: FetchedRecord) -> str:
    """The identity of an event without an activity id, as the ingress found it, or else as it would."""
    headers = record.headers
    if len(headers) > _IDENTITY_AT and headers[_IDENTITY_AT][0] == IDENTITY:
        return headers[_IDENTITY_AT][1].decode("utf-8", "replace")
    return identity_of(decode_unchecked(body_of(headers, record.value)))
