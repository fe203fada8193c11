"""What every partition of hop 2 knows of a campaign in one pane: told beside the roll-ups, wherever its traffic is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
#: Of a row: impressions, clicking devices, and those of them that were shown their click's ad.
ToldOfCampaign = tuple[_Count, _Count, _Count]


class CampaignTotals(msgspec.Struct, array_like=True, gc=False):
    """One campaign in one pane, of one source or of several: clicks, impressions, clicking devices, those shown it.

    `answered`: of how many campaigns and sources somebody clicked what it was shown.
    """

    clicks: int = 0
    impressions: int = 0
    devices: int = 0
    shown: int = 0
    answered: int = 0

    def grow(self, clicks: int, told: ToldOfCampaign, *totals: CampaignTotals) -> None:
        """Take what its source says: in a pane it only grows, so the most is the newest. `totals` grow as much."""
        before = self.clicks, self.impressions, self.devices, self.shown, self.answered
        impressions, devices, shown = told
        self.clicks, self.impressions = max(self.clicks, clicks), max(self.impressions, impressions)
        self.devices, self.shown = max(self.devices, devices), max(self.shown, shown)
        self.answered = int(self.shown > 0)
        for total in totals:
            total.clicks += self.clicks - before[0]
            total.impressions += self.impressions - before[1]
            total.devices += self.devices - before[2]
            total.shown += self.shown - before[3]
            total.answered += self.answered - before[4]

    def add(self, other: CampaignTotals) -> None:
        """Add up over sources, panes or campaigns."""
        self.clicks += other.clicks
        self.impressions += other.impressions
        self.devices += other.devices
        self.shown += other.shown
        self.answered += other.answered


#: By source, then by campaign.
BySource = dict[int, dict[str, CampaignTotals]]


def added(parts: Iterable[CampaignTotals]) -> CampaignTotals:
    """Their sum."""
    total = CampaignTotals()
    for part in parts:
        total.add(part)
    return total
