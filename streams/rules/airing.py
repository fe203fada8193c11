"""Whether a spot is on the air: impressions of one campaign jump, in a place or everywhere, within a minute.

Answers to a spot come within half a minute and fade over minutes (Kitts et al., "Can Television Advertising Impact Be
Measured on the Web?", 2014), from people of whom each was shown it once. The state are the panes themselves: what is
told of each campaign to every partition, and the subject's own counts. Statistic: the fullest minute of impressions
against the mean of the panes before, by an upper Poisson tail and a least factor. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from streams.rules.statistics import poisson_tail

#: A jump is looked for in stretches of this length.
JUMP_MS = 60_000
#: A jump is at least so many impressions, so many times the usual, and as unlikely as this by chance.
LEAST, FACTOR, MAX_P = 12, 2.0, 1e-6
#: What is usual per pane where nothing was: as good as nothing.
_NONE_USUAL = 0.02


@dataclass(frozen=True, slots=True)
class Jump:
    """Counts that jumped: from the first pane of it, and what that time usually has."""

    panes: int
    count: int
    usual: float

    @property
    def more(self) -> float:
        """On top of the usual."""
        return max(0.0, self.count - self.usual)


def jump(counts: Sequence[int | None], reach: int, width: int, least_known: int = 0) -> Jump | None:
    """The jump in the last `reach` panes, oldest first, of which `width` are a minute; what is usual is asked of those
    before, if so many of them are told at least, else a third. None: not told.
    """
    recent = [count or 0 for count in counts[-reach:]] if reach else []
    past = [count for count in counts[: len(counts) - reach] if count is not None]
    if sum(recent) < LEAST or len(past) < (least_known or (len(counts) - reach) / 3):
        return None
    sums = [0, *accumulate(recent)]
    minutes = [sums[min(at + width, len(recent))] - sums[at] for at in range(len(recent))]
    usual, most = max(sum(past) / max(1, len(past)), _NONE_USUAL), max(minutes)
    if most < max(LEAST, FACTOR * usual * width) or poisson_tail(most, usual * width + 1) > MAX_P:
        return None
    first = minutes.index(most)
    while first and 2 * minutes[first - 1] >= most + usual * width:
        first -= 1
    panes = len(recent) - first
    return Jump(panes, sum(recent[first:]), usual * panes)


def minute(pane_ms: int) -> int:
    """How many panes the stretches are that a jump is looked for in."""
    return max(1, JUMP_MS // pane_ms)


def sentence(campaign: str, jumped: Jump, pane_ms: int) -> str:
    """For people: in an alert's evidence."""
    what = "this campaign" if campaign else "a campaign shown here"
    within = jumped.panes * pane_ms // 1000
    return f"{what} was on the air: {jumped.count:,} impressions within {within:,} s, {round(jumped.usual):,} usual"
