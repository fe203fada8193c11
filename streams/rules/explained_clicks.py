"""What else explains a place's or a campaign's many clicks than fraud: one model, shared by the rules that ask for a
high rate, which alone convicts nobody.

*Shown*: their devices were shown it first, and clicked once. A push, a giveaway, a stadium or a spot that people like
lifts everybody, once, and each click has its impression; a flood clicks what nobody was shown, or clicks again and
again. Statistic: Wilson's (1927) lower bound of the share of clicking devices whose click has its own impression in the
same CTR window, by activity id, else by device and campaign; hop 1 counts them. Clicks early in a CTR window may belong
to the window before: they are left out where others are most. MRC's click measurement guidelines ask for an ad in view
before each click. That a rack of devices was shown its ads too is for device_farm to tell.

*Airing*: a spot is on the air, and its impressions are late or lost. Then impressions jump as well, or sign-ins while
nearly all impressions are late (airing.py), each device clicks once, and of whom was shown it in time no more click
than people do: lateness takes from clicks with their impression and from impressions alike, so that rate stays what it
is. Clicks without an impression are put down to lateness while no more than five sixths are without, and once all that
is late has come, to loss: no more than two thirds (upper bound of Wilson's of those with theirs).

*A version of an app* that tells each tap twice makes all devices of an account click twice: how often one usually
clicks is asked of all campaigns of the account before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from streams.rules.airing import Jump, jump, minute, sentence
from streams.rules.place_view import PlaceView
from streams.rules.statistics import wilson, wilson_lower
from streams.state.place_panes import SubjectSums

#: Chosen below what people reach, whose impression may come late.
MIN_SHOWN = 0.6
#: The same where most clicks came at the beginning of a CTR window: many impressions are of the window before.
MIN_SHOWN_EARLY = 0.25
#: Clicks per device and pane, the busiest left out: of people, few click twice within ten seconds.
MAX_CLICKS_PER_DEVICE = 1.15
#: Above this rate nothing is explained, whatever was shown.
MAX_CTR = 0.5
#: Of a spot's clicks, this share at least has its impression in time; and later, when what was late has come.
MIN_IN_TIME, MIN_NOT_LOST = 1 / 6, 1 / 3
#: While impressions are late, people tell of themselves by signing in: clicking devices per one that did.
MAX_PER_SIGN_IN = 3.0
#: So long after its beginning, impressions of a spot may still be on their way.
SETTLED_MS = 300_000


@dataclass(frozen=True, slots=True)
class Clicked:
    """Clicks of some panes, and the devices that made them. `known`: of panes late in their CTR window."""

    clicks: int
    busiest: int
    devices: int
    shown: int
    known_devices: int
    known_shown: int

    @classmethod
    def of(cls, window: Sequence[SubjectSums], known: Sequence[SubjectSums]) -> Clicked:
        """Added up."""
        return cls(
            sum([sums.clicks for sums in window]),
            sum([sums.top_device_clicks for sums in window]),
            sum([sums.clicking_devices for sums in window]),
            sum([sums.shown_devices for sums in window]),
            sum([sums.clicking_devices for sums in known]),
            sum([sums.shown_devices for sums in known]),
        )

    def once_each(self, usual: float = 1.0) -> bool:
        """Whether hardly a device clicked more often than is usual (a version may tell each tap twice)."""
        return self.clicks - self.busiest <= MAX_CLICKS_PER_DEVICE * usual * self.devices

    @property
    def mostly_early(self) -> bool:
        """Whether most came so early in their CTR window that their impressions may be of the one before."""
        return 2 * self.known_devices < self.devices

    @property
    def best(self) -> tuple[int, int]:
        """Devices that were shown it, of those of which it is known best."""
        return (self.shown, self.devices) if self.mostly_early else (self.known_shown, self.known_devices)


def explained(view: PlaceView, begin_ms: int, impressions: int, airing_s: int) -> bool:
    """Whether the clicks from `begin_ms` on are people's; `impressions`: those they may belong to."""
    window, known = view.between(begin_ms, view.end_ms), view.known(begin_ms, view.end_ms)
    repeats = view.usual_repeats(begin_ms - airing_s * 1000 // 3 // view.pane_ms * view.pane_ms, begin_ms)
    return shown_first(Clicked.of(window, known), impressions, repeats) or by_airing(view, airing_s, repeats)


def told_airing(view: PlaceView, airing_s: int) -> dict[str, str]:
    """For an alert's evidence: the airing, if there is one, in words."""
    jumped = view.jumped_since(view.end_ms - airing_s * 1000)
    return {} if jumped is None else {"airing": sentence(view.campaign, jumped, view.pane_ms)}


def reads_s(window_s: int, airing_s: int) -> int:
    """How far before the end of a window of this length all this reads."""
    return max(airing_s, window_s + airing_s // 3 + 1)


def shown_first(clicked: Clicked, impressions: int, repeats: float = 1.0) -> bool:
    """Whether each device was shown it, and clicked once, or as often as is usual."""
    if clicked.clicks > MAX_CTR * repeats * impressions or not clicked.once_each(repeats):
        return False
    if clicked.mostly_early:
        return wilson_lower(clicked.shown, clicked.devices) >= MIN_SHOWN_EARLY
    return wilson_lower(clicked.known_shown, clicked.known_devices) >= MIN_SHOWN


def by_airing(view: PlaceView, airing_s: int, repeats: float) -> bool:
    """Whether a spot is on the air, and late or lost impressions are all that its clicks lack."""
    begin = view.end_ms - airing_s * 1000
    counts, shown = view.shown_since(begin), view.jumped_since(begin)
    if shown is not None and (clicked := _once(view, shown, counts, repeats)) is not None:
        least = MIN_IN_TIME if _young(view, shown) else MIN_NOT_LOST
        if wilson(*clicked.best)[1] >= least:
            return True
    reach, least_known = len(counts) // 3, 3 if view.campaign else 0
    signed_in = jump(view.signed_in_since(begin), reach, minute(view.pane_ms), least_known)
    if signed_in is None or not _young(view, signed_in):
        return False
    clicked = _once(view, signed_in, counts, repeats)
    return clicked is not None and clicked.devices <= MAX_PER_SIGN_IN * signed_in.more


def _young(view: PlaceView, jumped: Jump) -> bool:
    return jumped.panes * view.pane_ms < SETTLED_MS


def _once(view: PlaceView, jumped: Jump, counts: Sequence[int | None], repeats: float) -> Clicked | None:
    """Clicks since the jump; None where devices click more than once, or those shown it in time more than people do.

    `counts`: impressions per pane, of which what is usual is asked before the last third.
    """
    since, reach = view.end_ms - jumped.panes * view.pane_ms, len(counts) // 3
    clicked = Clicked.of(view.between(since, view.end_ms), view.known(since, view.end_ms))
    if not clicked.once_each(repeats):
        return None
    past = view.between(view.end_ms - len(counts) * view.pane_ms, view.end_ms - reach * view.pane_ms)
    part = jumped.panes / max(1, len(counts) - reach - counts.count(None))
    usual_clicks = sum([one.shown_devices for one in past]) * part
    usual = sum([one.impressions for one in past]) * part
    more = max(0.0, sum([count or 0 for count in counts[-jumped.panes :]]) - usual) + 2 * sqrt(usual) + 2
    return clicked if clicked.shown - usual_clicks <= MAX_CTR * more else None
