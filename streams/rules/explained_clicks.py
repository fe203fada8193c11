"""What else explains a place's or a campaign's many clicks: that their devices were shown it first, and clicked once.

A push, a giveaway, a stadium or a spot that people like lifts everybody, once, and each click has its impression; a
flood clicks what nobody was shown, or clicks again and again. Shared by the rules that ask for a high rate, which
alone convicts nobody. Statistic: Wilson's (1927) lower bound of the share of clicking devices whose click has its own
impression in the same CTR window, by activity id, else by device and campaign; hop 1 counts them. Clicks early in a
CTR window may belong to the window before: they are left out where others are most. MRC's click measurement guidelines
ask for an ad in view before each click. That a rack of devices was shown its ads too is for device_farm to tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.rules.statistics import wilson_lower
from streams.state.place_panes import SubjectSums

#: Chosen below what people reach, whose impression may come late.
MIN_SHOWN = 0.6
#: The same where most clicks came at the beginning of a CTR window: many impressions are of the window before.
MIN_SHOWN_EARLY = 0.25
#: Clicks per device and pane: of people, few click twice within ten seconds.
MAX_CLICKS_PER_DEVICE = 1.15
#: Above this rate nothing is explained, whatever was shown.
MAX_CTR = 0.5


def explained(window: Sequence[SubjectSums], impressions: int, known: Sequence[SubjectSums]) -> bool:
    """Whether the clicks of a window are of people who were shown it; `impressions`: those they may belong to.

    `known`: those of its panes that lie so late in their CTR window that most clicks have their impression in it.
    """
    clicks = sum(sums.clicks for sums in window)
    devices = sum(sums.clicking_devices for sums in window)
    if clicks > MAX_CTR * impressions or clicks > MAX_CLICKS_PER_DEVICE * devices:
        return False
    if 2 * sum(sums.clicking_devices for sums in known) < devices:
        return wilson_lower(sum(sums.shown_devices for sums in window), devices) >= MIN_SHOWN_EARLY
    shown = sum(sums.shown_devices for sums in known)
    return wilson_lower(shown, sum(sums.clicking_devices for sums in known)) >= MIN_SHOWN
