"""Hop 2's state: per pane and subject (place or campaign), what every source says, and sums.

A source is a partition of a log of the events topic. What it says is held as bytes, 16 where there are no clicks:
sources times places times the panes of an hour are many.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import Annotated

import msgspec

from sori.events import UNKNOWN
from sori.remembered import Remembered
from streams.state.campaign_totals import BySource, CampaignTotals, ToldOfCampaign, added
from streams.state.counters import MAX_SAMPLES
from streams.state.device_habits import Habits, HeldHabits, KeptSums
from streams.state.device_panes import CampaignKey, PlaceKey, SubjectKey, ToldDevice
from streams.state.local_counts import BySourceOf, LocalCounts, Returning, by_campaign
from streams.state.sign_ins import SignIns

_MAX_SAMPLES = 10
#: More than a topic can have partitions.
_PARTITION_BITS = 24

#: Numbers as they are held; a row with others is none of ours.
_Partition = Annotated[int, msgspec.Meta(ge=0, lt=2**_PARTITION_BITS)]
_Log = Annotated[int, msgspec.Meta(ge=0, lt=2 ** (63 - _PARTITION_BITS))]
_Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class RollUp(msgspec.Struct, frozen=True):
    """One row of the roll-up topic: cumulative counts of one subject in one pane of one source partition.

    `reached`: how far event time had come, seconds, where the pane is ahead of that. `shown_devices`: of the clicking
    ones, those whose click has its own impression, by id; workers of an older version did not tell. `sign_ins`: devices
    of a place that signed in, `everywhere` those of all places of the account. `clickers`: of a campaign, checksums of
    the devices that clicked with each id in `samples`. `local`: of a place, impressions and clicks of its `campaigns`
    there, over all windows told of. `returning`: of a campaign, checksums of devices that clicked before, and what they
    were shown.

    A row with a `campaign_id` is about that campaign; one with a `device_id` about that device in the whole window that
    starts then; one with `campaign_clicks` about no subject, it tells all clicks of some campaigns to every partition,
    and `campaign_told` their impressions, clicking devices and those shown their ad, which workers of an older version
    did not tell; any other is about the place.
    """

    pane_start: int
    account_id: str
    source_partition: _Partition
    version: _Version
    impressions: _Count = 0
    clicks: _Count = 0
    clicking_devices: _Count = 0
    top_device_clicks: _Count = 0
    country: str = UNKNOWN
    region: str = UNKNOWN
    city: str = UNKNOWN
    campaign_id: str = ""
    campaigns: dict[str, int] = {}
    scripts: dict[str, int] = {}
    samples: list[str] = []
    campaign_clicks: dict[str, int] = {}
    campaign_told: dict[str, ToldOfCampaign] = {}
    log: _Log = 0
    reached: int = 0
    shown_devices: _Count = 0
    sign_ins: _Count = 0
    everywhere: _Count = 0
    clickers: list[list[_Count]] = []
    device_id: str = ""
    device: Habits | None = None
    local: dict[str, LocalCounts] = {}
    returning: list[Returning] = []

    @property
    def source(self) -> int:
        """Source partition and log in one: versions of two logs say nothing about each other."""
        return self.log << _PARTITION_BITS | self.source_partition

    @property
    def key(self) -> SubjectKey:
        """Its subject; a row of `campaign_clicks` has none and is not asked for it."""
        if self.campaign_id:
            return CampaignKey(self.account_id, self.campaign_id)
        if self.device_id:
            return ToldDevice(self.account_id, self.device_id)
        return PlaceKey(self.account_id, self.country, self.region, self.city)

    @property
    def upsert_key(self) -> tuple[str, ...]:
        """What tells it apart from other rows of its pane and source partition."""
        return ("", self.account_id, *self.campaign_clicks) if self.is_of_all else self.key

    @property
    def is_of_all(self) -> bool:
        """Whether it is about no subject; that of a device has `campaign_clicks` for the sake of older versions."""
        return bool(self.campaign_clicks) and not self.device_id


#: Sources, in the order in which they came.
Sources = tuple[int, ...]
_shared: Remembered[Sources, Sources] = Remembered(1024 * 1024)


def shared(sources: Sources) -> Sources:
    """One tuple for all subjects and panes that have these sources."""
    return _shared.get(sources) or _shared.remember(sources, sources, 40 * len(sources))


#: Version, impressions, clicks.
_COUNTS = Struct("<QII")
#: Clicking devices, clicks of the busiest one, devices that were shown it; then campaigns, scripts, samples, ...
_DEVICES = Struct("<III")
_Told = tuple[dict[str, int], dict[str, int], list[str], list[list[int]], dict[str, LocalCounts], list[Returning]]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Told).decode


class ClickDetails(msgspec.Struct, array_like=True, gc=False):
    """What sources say of a subject's clicks in one pane, `told[n]` by `who[n]`."""

    who: Sources = ()
    told: tuple[bytes, ...] = ()
    clicking_devices: int = 0
    top_device_clicks: int = 0
    scripts: dict[str, int] | None = None
    shown_devices: int = 0
    clickers: dict[str, list[int]] | None = None
    local: BySourceOf | None = None
    returning: bool = False

    def take(self, row: RollUp) -> None:
        """Replace what a source said."""
        told = _DEVICES.pack(row.clicking_devices, row.top_device_clicks, row.shown_devices)
        told += _encode((row.campaigns, row.scripts, row.samples, row.clickers, row.local, row.returning))
        source, clicking, busiest, shown = row.source, 0, 0, 0
        if source not in self.who:
            self.who, self.told = shared((*self.who, source)), (*self.told, told)
        else:
            at = self.who.index(source)
            clicking, busiest, shown = _DEVICES.unpack_from(self.told[at])
            self.told = (*self.told[:at], told, *self.told[at + 1 :])
        self.scripts = self.clickers = self.local = None
        self.returning = self.returning or bool(row.returning)
        # devices are disjoint between source partitions
        self.clicking_devices += row.clicking_devices - clicking
        self.shown_devices += row.shown_devices - shown
        if row.top_device_clicks >= self.top_device_clicks:
            self.top_device_clicks = row.top_device_clicks
        elif busiest >= self.top_device_clicks:  # it was this source's, who says less now
            self.top_device_clicks = max([_DEVICES.unpack_from(one)[1] for one in self.told])

    def of(self, sources: Iterable[int]) -> Iterator[_Told]:
        """Campaigns, scripts, samples, clickers, local counts and who returns, of these sources, in their order."""
        for source in sources:
            if source in self.who:
                yield _decode(memoryview(self.told[self.who.index(source)])[_DEVICES.size :])


class SubjectSums(msgspec.Struct, array_like=True, gc=False):
    """One place or campaign in one pane over all source partitions.

    `who`: the sources; `told`: what each says, as `_COUNTS`. `details` and `sign_ins`: None until there are some.
    `habits`: of a device, which is told by window.
    """

    impressions: int = 0
    clicks: int = 0
    who: Sources = ()
    told: bytes = b""
    details: ClickDetails | None = None
    sign_ins: SignIns | None = None
    habits: HeldHabits | None = None

    @property
    def clicking_devices(self) -> int:
        """Devices that clicked."""
        return 0 if self.details is None else self.details.clicking_devices

    @property
    def top_device_clicks(self) -> int:
        """Clicks of the busiest device."""
        return 0 if self.details is None else self.details.top_device_clicks

    @property
    def shown_devices(self) -> int:
        """Clicking devices whose click has its own impression."""
        return 0 if self.details is None else self.details.shown_devices

    @property
    def signed_in(self) -> int:
        """Devices that signed in."""
        return 0 if self.sign_ins is None else self.sign_ins.devices

    def merge(self, row: RollUp) -> int | None:
        """Take a roll-up unless a newer one is known; return how many clicks it added, or None where it was stale."""
        source, size = row.source, _COUNTS.size
        impressions = clicks = 0
        if source in self.who:
            at = self.who.index(source)
            version, impressions, clicks = _COUNTS.unpack_from(self.told, at * size)
            if version >= row.version:
                return None
        else:
            at = len(self.who)
            self.who = shared((*self.who, source))
        told = _COUNTS.pack(row.version, row.impressions, row.clicks)
        self.told = self.told[: at * size] + told + self.told[(at + 1) * size :]
        self.impressions += row.impressions - impressions
        self.clicks += row.clicks - clicks
        if row.clicks or row.campaigns or row.scripts or row.samples:
            if self.details is None:
                self.details = ClickDetails()
            self.details.take(row)
        if row.sign_ins:
            if self.sign_ins is None:
                self.sign_ins = SignIns()
            self.sign_ins.take(source, row.sign_ins, row.everywhere)
        if row.device is not None:
            if self.habits is None:
                self.habits = HeldHabits()
            self.habits.take(source, row.device)
        return row.clicks - clicks

    def campaigns(self) -> dict[str, int]:
        """Of a place: clicks of the busiest campaigns."""
        return add_counts(campaigns for campaigns, *_ in self._details(self.who))

    def scripts(self) -> Mapping[str, int]:
        """Devices by behaviour, the commonest ones of each source partition."""
        if self.details is None:
            return {}
        if self.details.scripts is None:  # a window is read after each click in it, most of its panes unchanged
            self.details.scripts = add_counts(scripts for _, scripts, *_ in self._details(self.who))
        return self.details.scripts

    def tells_otherwise(self, row: RollUp) -> bool:
        """Whether a row tells of other behaviours than its source did before."""
        if self.details is None:
            return bool(row.scripts)
        return row.scripts != next((scripts for _, scripts, *_ in self.details.of((row.source,))), {})

    def clickers(self) -> dict[str, list[int]]:
        """Of a campaign: checksums of the devices that clicked with an id, for a few ids of each source partition."""
        details = self.details
        if details is None:
            return {}
        if details.clickers is None:
            found: dict[str, list[int]] = {}
            for _, _, samples, clickers, *_ in self._details(self.who):
                for sample, devices in zip(samples, clickers, strict=False):
                    found[sample] = found.get(sample, []) + devices
            details.clickers = found
        return details.clickers

    def local(self) -> BySourceOf:
        """Of a place: what sources say of the campaigns clicked there, over all windows told of."""
        details = self.details
        if details is None:
            return {}
        if details.local is None:
            details.local = by_campaign(
                (source, local) for source in details.who for *_, local, _ in details.of((source,))
            )
        return details.local

    def returning(self) -> list[Returning]:
        """Of a campaign: devices that had clicked before in the minutes before, and what they were shown in these."""
        details = self.details
        if details is None or not details.returning:
            return []
        return [one for *_, returning in details.of(details.who) for one in returning]

    def samples(self) -> list[str]:
        """A few ids of clicks, in the order of source partitions."""
        # a source tells one more where a click came again, which stored events lack
        found = (sample for _, _, samples, *_ in self._details(sorted(self.who)) for sample in samples[:MAX_SAMPLES])
        return [sample for _, sample in zip(range(_MAX_SAMPLES), found, strict=False)]

    @property
    def whole(self) -> bool:
        """Whether it is as `merge` makes it: for one that was read. Raises whatever decoding its details raises."""
        details = self.details
        if details is not None and len(list(details.of(details.who))) != len(details.told):
            return False
        if self.sign_ins is not None and not self.sign_ins.whole:
            return False
        if self.habits is not None and not self.habits.whole:
            return False
        return len(self.told) == len(self.who) * _COUNTS.size

    def cool(self) -> None:
        """Forget what can be worked out again."""
        if self.details is not None:
            self.details.scripts = self.details.clickers = self.details.local = None

    def _details(self, sources: Iterable[int]) -> Iterable[_Told]:
        return () if self.details is None else self.details.of(sources)


class SubjectSeries(dict[int, SubjectSums]):
    """A subject's sums by the start of their pane: rules read one subject in many panes. `key`: one for all panes.

    `clicks`, `behaved`: clicks that were added since it is held, and rows that told of other behaviours.
    `kept`: of a device, sums of windows by the length of what rules look at, so that each window is added up once.
    """

    __slots__ = ("behaved", "clicks", "kept", "key")

    def __init__(self, key: SubjectKey) -> None:
        super().__init__()
        self.key = key
        self.clicks = self.behaved = 0
        self.kept: dict[int, KeptSums] | None = None

    def changed(self, start_ms: int) -> None:
        """More was told of the window that starts then: drop what is kept of it."""
        if self.kept:
            self.kept = {of: kept for of, kept in self.kept.items() if not kept.begin_ms <= start_ms < kept.end_ms}


Series = dict[SubjectKey, SubjectSeries]


def add_counts(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of counts by name."""
    total: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


_NO_CLICKS: dict[str, int] = {}


class RollUpPane:
    """One pane of all subjects. `totals`: account -> source -> campaign -> all that is told of it there; `sign_ins`:
    account -> source -> devices that signed in anywhere; `accounts` and `everybody`: sums of `totals`; `clicks`:
    account -> campaign -> those of all sources.
    """

    __slots__ = (
        "accounts",
        "clicks",
        "cooled",
        "everybody",
        "first_offset",
        "sign_ins",
        "start_ms",
        "subjects",
        "totals",
    )

    def __init__(self, start_ms: int, first_offset: int) -> None:
        self.start_ms = start_ms
        self.first_offset = first_offset
        self.subjects: list[SubjectKey] = []
        self.totals: dict[str, BySource] = {}
        self.sign_ins: dict[str, dict[int, int]] = {}
        self.accounts: dict[str, CampaignTotals] = {}
        self.clicks: dict[str, dict[str, int]] = {}
        self.everybody = CampaignTotals()
        self.cooled = False

    def sums(self, series: Series, key: SubjectKey) -> SubjectSums:
        """A subject's sums in this pane, from now on at the latest."""
        held = series.get(key)
        sums = None if held is None else held.get(self.start_ms)
        if sums is None:
            sums = SubjectSums()
            self.put(series, key, sums)
        return sums

    def put(self, series: Series, key: SubjectKey, sums: SubjectSums) -> None:
        """Hold these sums of a subject in this pane."""
        held = series.get(key)
        if held is None:
            held = series[key] = SubjectSeries(key)
        if self.start_ms not in held:
            self.subjects.append(held.key)
        if held.kept:
            held.changed(self.start_ms)
        held[self.start_ms] = sums

    def take_totals(self, row: RollUp) -> None:
        """Note a row of `campaign_clicks`."""
        account, told = sys.intern(row.account_id), row.campaign_told
        known = self.totals.setdefault(account, {}).setdefault(row.source, {})
        total = self.accounts.setdefault(account, CampaignTotals())
        of_all = self.clicks.setdefault(account, {})
        for campaign, clicks in row.campaign_clicks.items():
            totals = known.get(campaign)
            if totals is None:
                totals = known[sys.intern(campaign)] = CampaignTotals()
            before = totals.clicks
            totals.grow(clicks, told.get(campaign, (0, 0, 0)), total, self.everybody)
            if totals.clicks > before:
                of_all[campaign] = of_all.get(campaign, 0) + totals.clicks - before
        if row.everywhere:
            signed_in = self.sign_ins.setdefault(account, {})
            signed_in[row.source] = max(row.everywhere, signed_in.get(row.source, 0))

    def put_totals(self, totals: Mapping[str, BySource], sign_ins: Mapping[str, dict[int, int]]) -> None:
        """Hold these of some accounts again."""
        self.totals.update(totals)
        self.sign_ins.update(sign_ins)
        for account, sources in totals.items():
            self.accounts[account] = added(one for told in sources.values() for one in told.values())
            self.clicks[account] = add_counts(
                {name: one.clicks for name, one in told.items()} for told in sources.values()
            )
        self.everybody = added(self.accounts.values())

    def signed_in(self, account: str) -> int:
        """Devices of an account that signed in, as far as told beside its clicks."""
        return sum(self.sign_ins.get(account, {}).values())

    def clicks_on(self, account: str, campaign: str) -> int:
        """All clicks on a campaign, from wherever."""
        return self.clicks.get(account, _NO_CLICKS).get(campaign, 0)
