"""What is counted: one row, device, place or campaign. Structs are made and read in C.

None of them is seen by the collector: no cycle can lead back to them. Those that snapshots hold as they are
(streams/snapshots) are encoded by position: a new field goes to the end, and the snapshots' format grows.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

from sori.events import UNKNOWN

#: country, region, city
Place = tuple[str, str, str]

#: Clicks of one device in one pane that are kept one by one; beyond, they are only counted.
MAX_CLICKS_KEPT = 12
MAX_SAMPLES = 5
#: Devices told of one id of a click.
MAX_CLICKERS = 32
#: From so many impressions in a window on it is noted how evenly they come: people hear two or three spots a minute.
PACED_FROM = 4
#: The version of a row that is owed, until a flush gives it its own.
OWED = -1


class SubjectCell(msgspec.Struct, array_like=True, gc=False):
    """One place or one campaign in one pane. Devices are disjoint between source partitions, so counts add up.

    `scripts`: how many devices clicked with which behaviour (see device_farm). `emitted_clicks`: as of the last flush.
    `sign_ins`: of a place, devices that signed in for the first time in their window.
    `clickers`: of a campaign, checksums of the devices that clicked with each id in `samples`, which then has one more
    beside `MAX_SAMPLES`, the latest that came again: a dictionary by id would tell each id twice.
    `clicking_devices`, and of these `shown_devices`, whose behaviour is known: counted also while the rest is packed.
    What is said of its clicks is None until there are some; `packed` is all of it, once its window has cooled down.
    """

    impressions: int = 0
    clicks: int = 0
    clicks_by_device: dict[str, int] | None = None
    clicks_by_campaign: dict[str, int] | None = None
    scripts: dict[str, int] | None = None
    samples: list[str] | None = None
    dirty: bool = False
    emitted_clicks: int = 0
    packed: bytes | None = None
    sign_ins: int = 0
    clickers: list[list[int]] | None = None
    clicking_devices: int = 0
    shown_devices: int = 0

    def add_click(self, device: str, script: str | None, identity: str) -> bool:
        """Count a click; `script`: the device's behaviour at its first one. Returns whether it is its first one."""
        if self.clicks_by_device is None:
            self.unpack()
        self.clicks += 1
        devices = self.clicks_by_device
        if devices is None:
            self.clicks_by_device, self.samples, known = {device: 1}, [identity], 0
        else:
            known = devices.get(device, 0)
            devices[device] = known + 1
            if self.samples is not None and len(self.samples) < MAX_SAMPLES:
                self.samples.append(identity)
        if not known:
            self.clicking_devices += 1
        if script is not None:
            if self.scripts is None:
                self.scripts = {}
            self.scripts[script] = self.scripts.get(script, 0) + 1
            self.shown_devices += 1
        return not known

    def clicked_by(self, identity: str, device: str, *, again: bool = False) -> bool:
        """Note who clicked with an id that is among the samples, `again`: without a count; whether that is new."""
        if self.packed is not None:
            self.unpack()
        samples = self.samples or []
        if self.clickers is None:
            self.clickers = []
        clickers = self.clickers
        if identity in samples:
            at = samples.index(identity)
        elif again and len(samples) >= MAX_SAMPLES:
            at = MAX_SAMPLES  # beside the samples: stored events are without repetitions, and have the same samples
            samples[at:], clickers[at:] = [identity], []
        else:
            return False
        number = crc32(device.encode("utf-8", "surrogatepass"))
        clickers += [[] for _ in range(at + 1 - len(clickers))]
        if number in clickers[at] or len(clickers[at]) >= MAX_CLICKERS:
            return False
        clickers[at].append(number)
        return True

    def add_campaign_click(self, campaign: str) -> None:
        """Of a place: note the campaign of a click that was counted."""
        if self.clicks_by_campaign is None:
            self.clicks_by_campaign = {}
        self.clicks_by_campaign[campaign] = self.clicks_by_campaign.get(campaign, 0) + 1

    def devices(self) -> dict[str, int]:
        """Clicks by device; one that is packed stays so."""
        packed = self.packed
        return (self.clicks_by_device if packed is None else _unpack(packed)[0]) or {}

    def pack(self) -> None:
        """Hold what is said of clicks as bytes: a fourth of what dictionaries of a few texts take."""
        if self.clicks_by_device is not None:
            self.packed = _pack(
                (self.clicks_by_device, self.clicks_by_campaign, self.scripts, self.samples, self.clickers)
            )
            self.clicks_by_device = self.clicks_by_campaign = self.scripts = self.samples = self.clickers = None

    def unpack(self) -> None:
        """The other way round, to read it or to count on."""
        if self.packed is not None:
            found = _unpack(self.packed)
            self.clicks_by_device, self.clicks_by_campaign, self.scripts, self.samples, self.clickers = found
            self.packed = None


_Counts = dict[str, int]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(
    tuple[_Counts, _Counts | None, _Counts | None, list[str] | None, list[list[int]] | None]
).decode


class CtrRow(msgspec.Struct, gc=False):
    """One CTR row as it is published: counting in the row itself leaves a flush nothing to do but to encode it."""

    window_start: int
    account_id: str
    campaign_id: str
    material_id: str
    platform: str
    country: str
    region: str
    city: str
    source_partition: int
    impressions: int = 0
    clicks: int = 0
    suspect_clicks: int = 0
    version: int = OWED


class DeviceRow(msgspec.Struct, gc=False):
    """One device's row as it is published."""

    window_start: int
    source_partition: int
    account_id: str
    device_id: str
    impressions: int
    clicks: int
    authentications: int
    version: int


class Sighting(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Where a device was when something was shown or clicked; an empty identity: no event known one by one."""

    time_ms: int
    country: str
    platform: str = UNKNOWN
    click: bool = False
    identity: str = ""


class Pace(msgspec.Struct, array_like=True, gc=False):
    """Times between a device's impressions in one window: how many, their sum, ms, and that of their squares.

    `elsewhere`: how many of them ended in another place than the first one seen.
    """

    gaps: int = 0
    sum_ms: int = 0
    squares: int = 0
    elsewhere: int = 0


class DeviceCell(msgspec.Struct, array_like=True, gc=False):
    """One device in one window. `campaign`: the first one shown; `others`: impressions of further ones.

    `shown_ms`: when its latest impression was, from the window's start on, and of which campaign.
    `place`: the first one seen; `sightings`: it, and what was seen of the device from its second country on.
    `pace`: of impressions from the `PACED_FROM`th on, that come in the order of their times. `told`: clicks and
    authentications as of the last flush.
    """

    impressions: int = 0
    clicks: int = 0
    authentications: int = 0
    events: int = 0
    dirty: bool = False
    place: Place | None = None
    sightings: list[Sighting] | None = None
    campaign: str | None = None
    others: dict[str, int] | None = None
    shown_ms: int = -1
    shown_campaign: str | None = None
    pace: Pace | None = None
    told: int = 0

    def shown_another(self, campaign: str) -> None:
        """Note the campaign of an impression already counted, unless it is the first one's."""
        others = self.others
        if others is not None:
            others[campaign] = others.get(campaign, 0) + 1
        elif self.campaign is None:
            self.campaign = campaign
        else:
            self.others = {campaign: 1}

    def impressions_of(self, campaign: str) -> int:
        """How often the device was shown this campaign."""
        if campaign != self.campaign:
            return 0 if self.others is None else self.others.get(campaign, 0)
        return self.impressions - (0 if self.others is None else sum(self.others.values()))


class Click(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One click as rules that look at single clicks see it.

    `shown_ms`: the latest impression of its campaign on its device before it, where it came before it, in its window;
    -1: none.
    """

    time_ms: int
    campaign: str
    material: str
    identity: str
    shown_ms: int = -1


class DeviceClicks(msgspec.Struct, array_like=True, gc=False):
    """One device's clicks in one pane: how many, and the first few of them; once there are more, on which campaigns."""

    clicks: int = 0
    campaigns: dict[str, int] | None = None
    kept: list[Click] = []

    def add(self, click: Click) -> None:
        """Count a click."""
        self.clicks += 1
        if not self.kept:
            self.kept = [click]  # most stay alone, and a list that is appended to makes room for four
        elif len(self.kept) < MAX_CLICKS_KEPT:
            self.kept.append(click)
        else:
            if self.campaigns is None:
                self.campaigns = self.by_campaign()
            self.campaigns[click.campaign] = self.campaigns.get(click.campaign, 0) + 1

    def by_campaign(self) -> dict[str, int]:
        """How many on each campaign."""
        if self.campaigns is not None:
            return self.campaigns
        found: dict[str, int] = {}
        for click in self.kept:
            found[click.campaign] = found.get(click.campaign, 0) + 1
        return found
