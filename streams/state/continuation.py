"""How a partition goes on where its commit and its log do not fit together, or were counted by other settings. Pure.

The rule of all cases: a window that may have events which the state does not see is never published again. It begins
before `complete`, so its events take the late path, and the sinks count it again from the raw events; rules judge what
begins later. What is published again is complete, so that it says at least what was said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import lcm
from typing import NamedTuple

from streams.state.checkpoint import BEGINNING_MS, NAMELESS, Checkpoint, ReplayStart, Tick, counted_by
from streams.state.fingerprint import Fingerprint
from streams.state.policy import TimePolicy


class Doubt(StrEnum):
    """Why a commit cannot be taken as it is."""

    OTHER_LOG = "other_log"  # the topic was made anew, or this is another cluster
    BEYOND_END = "beyond_end"  # Kafka lost the log's end
    NOT_OURS = "not_ours"  # no metadata of ours: an offset that was reset or mirrored
    RECORDS_GONE = "records_gone"  # retention has passed the commit: records that nobody applied
    REPLAY_GONE = "replay_gone"  # retention has passed the restart point
    BEGINNING_GONE = "beginning_gone"  # nothing is committed, and the log's beginning is gone
    WINDOWS_CHANGED = "windows_changed"  # settings by which events are counted
    LATENESS_CHANGED = "lateness_changed"
    RULES_CHANGED = "rules_changed"  # settings by which they are judged
    PARTITIONS_ADDED = "partitions_added"  # devices have moved


#: Parts of a fingerprint without which the same records give other counts.
_COUNTING = frozenset({"format", "pane_ms", "window_ms", "max_skew_ms", "max_devices", "max_account_devices"})
#: The rest of the state is the log's, and is rebuilt from it.
REBUILT = frozenset({Doubt.LATENESS_CHANGED, Doubt.RULES_CHANGED, Doubt.PARTITIONS_ADDED})
#: Somebody changed settings.
INTENDED = REBUILT | {Doubt.WINDOWS_CHANGED}
#: What was written at these is not known, so when the first records after it came in must be.
_UNTOLD = frozenset({Doubt.OTHER_LOG, Doubt.NOT_OURS, Doubt.RECORDS_GONE, Doubt.BEGINNING_GONE})

#: Records of after the commit are gone, and the raw events may have them.
_LOSSES = frozenset({Doubt.OTHER_LOG, Doubt.BEYOND_END, Doubt.RECORDS_GONE})


@dataclass(frozen=True, slots=True)
class Found:
    """What Kafka has of a partition: its log, and what is committed (`offset` None: nothing)."""

    begin: int
    end: int
    offset: int | None = None
    metadata: str = ""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What is committed, taken as it is."""
        return None if self.offset is None else Checkpoint.parse(self.offset, self.metadata)

    @property
    def fingerprint(self) -> Fingerprint:
        """What its state was counted by, as far as it says."""
        return counted_by(self.metadata) or NAMELESS

    def changed(self, now: Fingerprint) -> tuple[str, ...]:
        """Parts of the fingerprint that are others now; older versions of us named none."""
        before = self.fingerprint
        return now.changed_from(before) if before.parts else ()


def doubt_of(found: Found, now: Fingerprint) -> Doubt | None:  # noqa: PLR0911 - a list of cases
    """What is wrong with the commit; the gravest, where several things are."""
    checkpoint, changed = found.checkpoint, found.changed(now)
    if checkpoint is None:
        return Doubt.BEGINNING_GONE if found.begin > 0 else None
    if now.log and found.fingerprint.log not in (0, now.log):
        return Doubt.OTHER_LOG
    if checkpoint.offset > found.end:
        return Doubt.BEYOND_END
    if checkpoint.offset < found.begin:
        return Doubt.RECORDS_GONE
    if counted_by(found.metadata) is None:
        return Doubt.NOT_OURS if checkpoint.offset > 0 else None
    if checkpoint.replay_start.low < found.begin:
        return Doubt.REPLAY_GONE
    if _COUNTING.intersection(changed):
        return Doubt.WINDOWS_CHANGED
    if "lateness_ms" in changed:
        return Doubt.LATENESS_CHANGED
    if changed == ("partitions",):
        return Doubt.PARTITIONS_ADDED
    return Doubt.RULES_CHANGED if changed else None


class Counting(NamedTuple):
    """How a topic is counted now. `margin_ms`: how much later than a record one before it may have come in."""

    fingerprint: Fingerprint
    policy: TimePolicy
    margin_ms: int


class Known(NamedTuple):
    """What else is to be known. `received_ms`: when the first records to be read came in, now if there are none yet.

    `resume_at`: the first offset at or after `asks_from_ms`, where that was asked.
    """

    now_ms: int
    received_ms: int
    resume_at: int


def asks_from_ms(found: Found, doubt: Doubt, now: Counting) -> int | None:
    """Where the log's end is lost: from which time of receipt on there may be records that nobody has applied."""
    mark = _mark(found.checkpoint)
    return None if doubt is not Doubt.BEYOND_END or mark is None else mark - now.policy.max_skew_ms - now.margin_ms


def start_of(found: Found, doubt: Doubt) -> int:
    """Where to read on, unless it is asked for by time."""
    if found.offset is None or doubt in {Doubt.OTHER_LOG, Doubt.BEYOND_END}:
        return found.begin
    return max(found.offset, found.begin)


def continued(found: Found, doubt: Doubt, now: Counting, known: Known) -> Checkpoint | None:
    """The checkpoint to go on from; None: from the log's beginning, with nothing missing."""
    before, policy, margin_ms = found.checkpoint, now.policy, now.margin_ms
    skew_ms = max(policy.max_skew_ms, found.fingerprint.get("max_skew_ms") or 0)
    if doubt in REBUILT:
        return before
    mark = None if doubt in _UNTOLD else _mark(before)
    start = known.resume_at if doubt is Doubt.BEYOND_END and mark is not None else start_of(found, doubt)
    if start == 0 and doubt in _UNTOLD:
        return None
    if mark is None:
        since_ms = known.now_ms if doubt is Doubt.BEYOND_END else known.received_ms
        seen_ms = since_ms + skew_ms + margin_ms
    elif doubt is Doubt.REPLAY_GONE and not _COUNTING.intersection(found.changed(now.fingerprint)):
        seen_ms = mark + skew_ms
    else:  # what came after the commit may be published, too: of how much event time nobody knows
        seen_ms = max(mark, known.now_ms) + skew_ms
    lengths = () if before is None or doubt is Doubt.OTHER_LOG else before.lengths
    length_ms = found.fingerprint.get("window_ms") or policy.window_ms
    # no window of before reaches beyond it
    step_ms = lcm(policy.window_ms, length_ms)
    complete_ms = -(-(seen_ms + 1) // step_ms) * step_ms
    if length_ms != policy.window_ms and doubt is not Doubt.OTHER_LOG:
        lengths = (*lengths, (complete_ms, length_ms))
    ticks = () if mark is None else (Tick(start, mark),)
    return replace(Checkpoint(start, ReplayStart(start, complete_ms), ticks), lengths=lengths)


def lost_ms(found: Found, doubt: Doubt, now: Counting, then: Checkpoint | None, now_ms: int) -> tuple[int, int] | None:
    """Event times of windows that may lie wholly in records which nobody will read, where there are such records.

    No late event calls for their recount: the sinks have to be asked for it. `then`: the checkpoint to go on from.
    """
    mark = _mark(found.checkpoint)
    if doubt not in _LOSSES or mark is None:
        return None
    since_ms, window_ms = mark - now.policy.lateness_ms - now.policy.max_skew_ms, now.policy.window_ms
    # another log read from its beginning is whole; of the one before, all up to now may be missing
    until_ms = now_ms + now.policy.max_skew_ms if then is None else then.replay_start.horizon_ms
    return since_ms - since_ms % window_ms, until_ms


def _mark(checkpoint: Checkpoint | None) -> int | None:
    """How far event time had come by all that may be emitted of the commit."""
    if checkpoint is None or checkpoint.watermark_ms is None or checkpoint.watermark_ms == BEGINNING_MS:
        return None
    return max(checkpoint.watermark_ms, checkpoint.pending_advance_ms or BEGINNING_MS)
