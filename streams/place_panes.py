"""Hop 2's state: per pane and place, the newest roll-up of every source partition, and their sums."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from streams.panes import PlaceKey

_MAX_SAMPLES = 10


class RollUp(msgspec.Struct, frozen=True):
    """One row of the roll-up topic: cumulative counts of one place in one pane of one source partition."""

    pane_start: int
    account_id: str
    country: str
    region: str
    city: str
    source_partition: int
    impressions: int
    clicks: int
    clicking_devices: int
    top_device_clicks: int
    version: int
    campaigns: dict[str, int] = {}
    samples: list[str] = []

    @property
    def place(self) -> PlaceKey:
        """(account, country, region, city)."""
        return (self.account_id, self.country, self.region, self.city)


@dataclass(slots=True)
class PlaceSums:
    """One place in one pane over all source partitions."""

    sources: dict[int, RollUp] = field(default_factory=dict)
    impressions: int = 0
    clicks: int = 0
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
        self.top_device_clicks = max(source.top_device_clicks for source in self.sources.values())
        return added

    def clicking_devices(self) -> int:
        """Devices that clicked; they are disjoint between sources."""
        return sum(source.clicking_devices for source in self.sources.values())

    def campaigns(self) -> dict[str, int]:
        """Clicks of the busiest campaigns."""
        total: dict[str, int] = {}
        for source in self.sources.values():
            for campaign, clicks in source.campaigns.items():
                total[campaign] = total.get(campaign, 0) + clicks
        return total

    def samples(self) -> list[str]:
        """A few ids of clicks, in the order of source partitions."""
        found = (sample for _, source in sorted(self.sources.items()) for sample in source.samples)
        return [sample for _, sample in zip(range(_MAX_SAMPLES), found, strict=False)]


class PlacePane:
    """One pane of all places."""

    __slots__ = ("first_offset", "places")

    def __init__(self, first_offset: int) -> None:
        self.first_offset = first_offset
        self.places: dict[PlaceKey, PlaceSums] = {}
