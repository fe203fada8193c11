"""Hop 2's state: per pane and subject (place or campaign), the newest roll-up of every source, and sums.

A source is a partition of a log of the events topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from sori.events import UNKNOWN
from streams.state.device_panes import CampaignKey, PlaceKey, SubjectKey

_MAX_SAMPLES = 10
#: More than a topic can have partitions.
_PARTITION_BITS = 24


class RollUp(msgspec.Struct, frozen=True):
    """One row of the roll-up topic: cumulative counts of one subject in one pane of one source partition.

    `reached`: how far event time had come, seconds, where the pane is ahead of that.

    A row with a `campaign_id` is about that campaign; one with `campaign_clicks` about no subject, it tells all clicks
    of some campaigns to every partition; any other is about the place.
    """

    pane_start: int
    account_id: str
    source_partition: int
    version: int
    impressions: int = 0
    clicks: int = 0
    clicking_devices: int = 0
    top_device_clicks: int = 0
    country: str = UNKNOWN
    region: str = UNKNOWN
    city: str = UNKNOWN
    campaign_id: str = ""
    campaigns: dict[str, int] = {}
    scripts: dict[str, int] = {}
    samples: list[str] = []
    campaign_clicks: dict[str, int] = {}
    log: int = 0
    reached: int = 0

    @property
    def source(self) -> int:
        """Source partition and log in one: versions of two logs say nothing about each other."""
        return self.log << _PARTITION_BITS | self.source_partition

    @property
    def key(self) -> SubjectKey:
        """Its subject; a row of `campaign_clicks` has none and is not asked for it."""
        if self.campaign_id:
            return CampaignKey(self.account_id, self.campaign_id)
        return PlaceKey(self.account_id, self.country, self.region, self.city)

    @property
    def upsert_key(self) -> tuple[str, ...]:
        """What tells it apart from other rows of its pane and source partition."""
        return ("", self.account_id, *self.campaign_clicks) if self.campaign_clicks else self.key


@dataclass(slots=True)
class SubjectSums:
    """One place or campaign in one pane over all source partitions."""

    sources: dict[int, RollUp] = field(default_factory=dict)
    impressions: int = 0
    clicks: int = 0
    clicking_devices: int = 0
    top_device_clicks: int = 0
    _scripts: dict[str, int] | None = field(default=None, compare=False)

    def merge(self, row: RollUp) -> int | None:
        """Take a roll-up unless a newer one is known; return how many clicks it added, or None where it was stale."""
        known = self.sources.get(row.source)
        if known is not None and known.version >= row.version:
            return None
        self.sources[row.source] = row
        if known is None or known.scripts != row.scripts:
            self._scripts = None
        self.impressions += row.impressions - (known.impressions if known else 0)
        added = row.clicks - (known.clicks if known else 0)
        if added:
            self.clicks += added
            # devices are disjoint between source partitions
            self.clicking_devices += row.clicking_devices - (known.clicking_devices if known else 0)
            self.top_device_clicks = max([source.top_device_clicks for source in self.sources.values()])
        return added

    def campaigns(self) -> dict[str, int]:
        """Clicks of the busiest campaigns; of a campaign, its own."""
        return add_counts(
            {source.campaign_id: source.clicks} if source.campaign_id else source.campaigns
            for source in self.sources.values()
        )

    def scripts(self) -> Mapping[str, int]:
        """Devices by behaviour, the commonest ones of each source partition."""
        if self._scripts is None:  # a window is read after each click in it, most of its panes unchanged
            self._scripts = add_counts(source.scripts for source in self.sources.values())
        return self._scripts

    def samples(self) -> list[str]:
        """A few ids of clicks, in the order of source partitions."""
        found = (sample for _, source in sorted(self.sources.items()) for sample in source.samples)
        return [sample for _, sample in zip(range(_MAX_SAMPLES), found, strict=False)]


#: A subject's sums by the start of their pane: rules read one subject in many panes.
Series = dict[SubjectKey, dict[int, SubjectSums]]


def add_counts(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of counts by name."""
    total: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


class RollUpPane:
    """One pane of all subjects. `totals`: account -> source -> campaign -> all its clicks there."""

    __slots__ = ("first_offset", "subjects", "totals")

    def __init__(self, first_offset: int) -> None:
        self.first_offset = first_offset
        self.subjects: list[SubjectKey] = []
        self.totals: dict[str, dict[int, dict[str, int]]] = {}

    def take_totals(self, row: RollUp) -> None:
        """Note a row of `campaign_clicks`. A pane's clicks only grow, so the largest count is the newest."""
        known = self.totals.setdefault(row.account_id, {}).setdefault(row.source, {})
        for campaign, clicks in row.campaign_clicks.items():
            known[campaign] = max(clicks, known.get(campaign, 0))

    def clicks_on(self, account: str, campaign: str) -> int:
        """All clicks on a campaign, from wherever."""
        return sum(clicks.get(campaign, 0) for clicks in self.totals.get(account, {}).values())
