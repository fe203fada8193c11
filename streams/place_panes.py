"""Hop 2's state: per pane and subject (place or campaign), the newest roll-up of every source partition, and sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from sori.events import UNKNOWN
from streams.panes import SubjectKey

_MAX_SAMPLES = 10


class RollUp(msgspec.Struct, frozen=True):
    """One row of the roll-up topic: cumulative counts of one subject in one pane of one source partition.

    A row with a `campaign_id` is about that campaign, one without about the place.
    """

    pane_start: int
    account_id: str
    source_partition: int
    impressions: int
    clicks: int
    clicking_devices: int
    top_device_clicks: int
    version: int
    country: str = UNKNOWN
    region: str = UNKNOWN
    city: str = UNKNOWN
    campaign_id: str = ""
    campaigns: dict[str, int] = {}
    scripts: dict[str, int] = {}
    samples: list[str] = []

    @property
    def key(self) -> SubjectKey:
        """(account, country, region, city) or (account, campaign)."""
        if self.campaign_id:
            return (self.account_id, self.campaign_id)
        return (self.account_id, self.country, self.region, self.city)


@dataclass(slots=True)
class SubjectSums:
    """One place or campaign in one pane over all source partitions."""

    sources: dict[int, RollUp] = field(default_factory=dict)
    impressions: int = 0
    clicks: int = 0
    clicking_devices: int = 0
    top_device_clicks: int = 0

    def merge(self, row: RollUp) -> int | None:
        """Take a roll-up unless a newer one is known; return how many clicks it added, or None where it was stale."""
        known = self.sources.get(row.source_partition)
        if known is not None and known.version >= row.version:
            return None
        self.sources[row.source_partition] = row
        added = row.clicks - (known.clicks if known else 0)
        self.clicks += added
        self.impressions += row.impressions - (known.impressions if known else 0)
        # devices are disjoint between source partitions
        self.clicking_devices += row.clicking_devices - (known.clicking_devices if known else 0)
        self.top_device_clicks = max(source.top_device_clicks for source in self.sources.values())
        return added

    def campaigns(self) -> dict[str, int]:
        """Clicks of the busiest campaigns."""
        return add_counts(source.campaigns for source in self.sources.values())

    def scripts(self) -> dict[str, int]:
        """Devices by behaviour, the commonest ones of each source partition."""
        return add_counts(source.scripts for source in self.sources.values())

    def samples(self) -> list[str]:
        """A few ids of clicks, in the order of source partitions."""
        found = (sample for _, source in sorted(self.sources.items()) for sample in source.samples)
        return [sample for _, sample in zip(range(_MAX_SAMPLES), found, strict=False)]


def add_counts(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of counts by name."""
    total: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


class RollUpPane:
    """One pane of all subjects."""

    __slots__ = ("first_offset", "subjects")

    def __init__(self, first_offset: int) -> None:
        self.first_offset = first_offset
        self.subjects: dict[SubjectKey, SubjectSums] = {}
