"""What is wrong with honest traffic, and how much of it: drawn per account, with the public source of each range."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulator.field.draws import drawn
from simulator.plan import Range

# City-level GeoIP is wrong for a tenth to a third of viewers: mobile networks are off by 179-207 km in the median, ten
# times more than fixed ones ("Lost in the Prefix", arXiv 2605.21937).
GEO_ERROR: Range = (0.10, 0.30)
# Of those, seen from another country: Private Relay exits are placed in other countries by some services (Flynn,
# "Effects of iCloud Private Relay on Internet Localization").
ABROAD: Range = (0.002, 0.02)
# Ids are absent where tracking is declined: 44 % of iOS users opted in to push and fewer to tracking (Apple's App
# Tracking Transparency gives zeros); SORI's contract says "when available". The share itself has no public source.
NO_DEVICE: Range = (0.005, 0.06)
# One id on many phones: ANDROID_ID 9774d56d682e549c (Android issue 10603), ids baked into images and cloned boxes.
SHARED_ID: Range = (0.002, 0.02)
# Beacons are lost on 1-5 % of page views (MRC/IAB impression measurement discrepancies of "up to 10 %").
LOST: Range = (0.002, 0.03)
# Mobile SDKs batch and send when the network is back; minutes are usual (Google Analytics for Firebase: ~1 h batches).
LATE: Range = (0.001, 0.02)
LATE_S: Range = (30, 240)
# First attempts of a webhook that fail on a healthy endpoint: no public figure; one in a hundred, give or take.
FAILS: Range = (0.003, 0.03)
# The contract: "unique identifier for the specific impression or click". So some SDKs give a click an id of its own.
OWN_CLICK_ID_SHARE = 0.3
# Clicks are concentrated: 8 % of users make 85 % of them (comScore "Natural Born Clickers" 2009); a log-normal of
# sigma 2.4 says so, and apps are somewhat less lopsided than banners.
CLICK_SIGMA: Range = (1.0, 2.0)
# Activity per user is log-normal to stretched exponential (Guo et al., KDD 2009; Radicchi, Phys. Rev. E 80, 2009).
ACTIVITY_SIGMA: Range = (0.9, 1.3)
# Accidental taps: up to half of small banners' clicks (GoldSpot 2012; Tolomei et al., "You must have clicked on this
# ad by mistake!", 2018); audio-triggered cards are larger, so far fewer here.
ACCIDENT: Range = (0.003, 0.04)


@dataclass(frozen=True)
class Nature:
    """One account's faults, as shares of events, sessions or devices; sigmas of log-normals."""

    geo_error: float
    abroad: float
    no_device: float
    shared_id: float
    lost: float
    late: float
    fails: float
    own_click_id: bool
    click_sigma: float
    activity_sigma: float
    accident: float


def nature(rng: Random) -> Nature:
    """Draw one account's."""
    return Nature(
        geo_error=rng.uniform(*GEO_ERROR),
        abroad=drawn(rng, ABROAD),
        no_device=drawn(rng, NO_DEVICE),
        shared_id=drawn(rng, SHARED_ID),
        lost=drawn(rng, LOST),
        late=drawn(rng, LATE),
        fails=drawn(rng, FAILS),
        own_click_id=rng.random() < OWN_CLICK_ID_SHARE,
        click_sigma=rng.uniform(*CLICK_SIGMA),
        activity_sigma=rng.uniform(*ACTIVITY_SIGMA),
        accident=drawn(rng, ACCIDENT),
    )
