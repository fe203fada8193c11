"""What hop 1 says of a campaign in a place, over some windows, and what hop 2 makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
#: Of a campaign at a place, in one source partition: impressions and clicks of all windows told of.
LocalCounts = tuple[_Count, _Count]
#: Of a device that clicks again: its checksum, the panes in which it clicked, and what it was shown, in some windows.
Returning = tuple[_Count, _Count, _Count]
#: So many CTR windows are told of at once, that of the click the last of them.
TOLD_WINDOWS = 7
#: Impressions per click, above which nothing is told: people click less.
MOST_SHOWN = 5


class LocalSums(NamedTuple):
    """Of a campaign at a place over all sources. `told`: how many sums of a source these are of."""

    impressions: int = 0
    clicks: int = 0
    told: int = 0


#: Campaign -> what each source says.
BySourceOf = dict[str, list[tuple[int, LocalCounts]]]


def by_campaign(told: Iterable[tuple[int, Mapping[str, LocalCounts]]]) -> BySourceOf:
    """What sources say of each campaign, of what each says of all."""
    found: BySourceOf = {}
    for source, campaigns in told:
        for campaign, counts in campaigns.items():
            found.setdefault(campaign, []).append((source, counts))
    return found
