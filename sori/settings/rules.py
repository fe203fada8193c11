"""Parameters of the fraud rules, with units; every account may override any of them."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sori.settings.types import TextList


class EpisodeSettings(BaseModel):
    """How findings of one subject become one alert."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cooldown_s: int = Field(120, gt=0, description="Quiet time after which an episode closes, seconds of event time.")
    update_every_s: int = Field(5, gt=0, description="Least time between two updates of an alert, seconds.")
    max_length_s: int = Field(
        3600,
        gt=0,
        description="Greatest length of an episode; a longer burst goes on in a new one, seconds of event time.",
    )
    group_from: int = Field(
        5,
        ge=0,
        description="From so many subjects accused at once by one rule, of one account, they share an alert; 0: never.",
    )
    group_window_s: int = Field(
        60, gt=0, description="At once: within this, seconds of event time; less where lateness leaves a rule less."
    )


class AllowList(BaseModel):
    """Whom no rule judges; looked at before anything else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accounts: TextList = Field(default=(), description="Account ids that no rule judges.")
    devices: TextList = Field(default=(), description="Device ids that no rule judges, such as test devices.")
    places: TextList = Field(default=(), description="Places, `country/region/city`, that no rule judges.")
    campaigns: TextList = Field(default=(), description="Campaign ids that no rule judges.")


class Rule(BaseModel):
    """What every rule has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    allow: TextList = Field(default=(), description="Subjects (as alerts name them) that this rule skips.")


class QuickRule(Rule):
    """One that also accuses on less, of a kind that honest traffic is not."""

    floor: int
    quick_part: float

    @property
    def quick_floor(self) -> int:
        """How much less."""
        return max(1, ceil(self.floor * self.quick_part))


class DeviceClickBurst(QuickRule):
    """One device clicks far more than before, and more than a person would."""

    window_s: int = Field(60, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    baseline_s: int = Field(300, gt=0, description="The device's own past before the window, seconds.")
    floor: int = Field(20, gt=0, description="Fewest clicks in the window.")
    factor: float = Field(4.0, gt=1, description="Least ratio of observed to expected clicks.")
    ceiling: int = Field(45, gt=0, description="Clicks in the window that are a burst whatever the past was.")
    quick_window_s: int = Field(20, gt=0, description="A shorter window, judged too, seconds; a multiple of the pane.")
    quick_part: float = Field(
        0.4, gt=0, le=1, description="Such a part of the floor is enough within it, of taps a second apart at least."
    )
    max_p: float = Field(1e-6, gt=0, lt=1, description="Greatest chance (Poisson) of so many taps, given the past.")


class DeviceEventBurst(Rule):
    """One device sends far more events of any kind than before, and more than a person could cause."""

    baseline_windows: int = Field(4, gt=0, description="The device's own past before, in CTR windows.")
    floor: int = Field(120, gt=1, description="Fewest events within one CTR window's length.")
    factor: float = Field(4.0, gt=1, description="Least ratio of observed to expected events.")
    ceiling: int = Field(300, gt=0, description="Events in it that are a burst whatever the past was.")
    per_sign_in: int = Field(
        12, ge=0, description="Up to so many events per sign-in, at random, are of people who share an id; 0: never."
    )


class DeviceAuthBurst(Rule):
    """One device authenticates over and over."""

    baseline_windows: int = Field(4, gt=0, description="The device's own past before, in CTR windows.")
    floor: int = Field(12, gt=1, description="Fewest authentications within one CTR window's length.")
    factor: float = Field(4.0, gt=1, description="Least ratio of observed to expected authentications.")
    ceiling: int = Field(30, gt=0, description="Authentications in it that are a burst whatever the past was.")
    min_share: float = Field(0.6, gt=0, le=1, description="Least share of them among the device's events.")


class DeviceImpressions(QuickRule):
    """One device is shown spots without a pause, as evenly as a machine, or more of them than anybody hears."""

    windows: int | None = Field(
        None, gt=0, description="CTR windows looked at, the present one too; unset: 7, but not beyond 420 s."
    )
    floor: int = Field(30, gt=1, description="Fewest times between impressions, of windows with several of them.")
    quick_part: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Such a part of the floor is enough, within any time, where more than `per_minute` come evenly.",
    )
    max_spread: float = Field(
        0.125, ge=0, lt=1, description="Greatest spread of these times: their variance by the square of their mean."
    )
    max_p: float = Field(1e-6, gt=0, lt=1, description="Greatest chance that events at random are spread so little.")
    least_windows: int = Field(3, gt=0, description="CTR windows in a row in which there are such times, at least.")
    per_minute: int = Field(20, gt=0, description="More than anybody hears in a minute, however evenly.")
    busy_windows: int = Field(5, gt=0, description="CTR windows in a row with so many a minute, all in one place.")
    max_sign_ins: float = Field(
        0.02, ge=0, le=1, description="Greatest share of sign-ins by impressions: many people who share an id sign in."
    )


class DuplicateClick(Rule):
    """One device clicks the same creative again and again within seconds."""

    window_s: int = Field(60, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    gap_ms: int = Field(3000, gt=0, description="A click this soon after one on the same creative is a repeat, ms.")
    floor: int = Field(5, gt=0, description="Fewest repeats in the window.")


class ClickWithoutImpression(Rule):
    """One device clicks what it was never shown."""

    window_s: int = Field(120, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    horizon_s: int = Field(240, gt=0, description="An impression this long before the window still counts, seconds.")
    grace_s: float | None = Field(
        None,
        ge=0,
        description="A click waits so long for its impression, seconds; unset: what `streams.sender` may take.",
    )
    floor: int = Field(6, gt=0, description="Fewest clicks without an impression in the window.")
    min_share: float = Field(0.5, gt=0, le=1, description="Least share of them among the device's clicks.")
    max_p: float = Field(
        1e-3, gt=0, lt=1, description="Greatest chance of so many where the account's impressions are lost; 1: any."
    )


class FastClick(QuickRule):
    """One device clicks sooner after its impressions than a person can."""

    window_s: int = Field(60, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    too_soon_ms: int = Field(1000, gt=0, description="A click this soon after its impression is too fast, ms.")
    floor: int = Field(4, gt=0, description="Fewest clicks in the window that came too soon.")
    quick_part: float = Field(
        0.75, gt=0, le=1, description="Such a part of the floor is enough where none took longer than half of that."
    )
    min_share: float = Field(0.5, gt=0, le=1, description="Least share among clicks whose impression is near.")


class DeviceCtr(Rule):
    """One device clicks nearly everything that it is shown, and goes on and on."""

    window_s: int = Field(60, gt=0, description="Asked after a click of a device with a few within this, seconds.")
    windows: int | None = Field(
        None, gt=0, description="CTR windows looked at, the present one too; unset: 7, but not beyond 420 s."
    )
    floor: int = Field(30, gt=0, description="Fewest taps within them.")
    min_ctr: float = Field(0.75, gt=0, le=1, description="Least share of what it was shown (Wilson lower bound).")
    min_shown: float = Field(0.6, gt=0, le=1, description="Fewest known impressions per tap.")


class GeoHop(Rule):
    """One device changes its country more often than a person can."""

    quick_windows: int = Field(2, gt=0, description="CTR windows looked at for many countries: the present one too.")
    floor: int = Field(
        5, gt=1, description="Fewest changes in them between four countries; between three twice as many."
    )
    min_share: float = Field(0.6, gt=0, le=1, description="Least share of events that change the country, within them.")
    windows: int | None = Field(
        None, gt=0, description="CTR windows looked at for countries that alternate; unset: 7, but not beyond 420 s."
    )
    alternations: int = Field(12, gt=1, description="Fewest changes within them.")
    max_p: float = Field(1e-3, gt=0, lt=1, description="Greatest chance that people sharing an id give so many.")
    per_sign_in: int = Field(
        12, ge=0, description="Two sign-ins or more with up to so many events each are of several people; 0: never."
    )


class GeoClickBurst(Rule):
    """A place clicks far more than before, and more than its impressions explain."""

    window_s: int = Field(60, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    baseline_s: int = Field(300, gt=0, description="The place's own past before the window, seconds.")
    floor: int = Field(20, gt=0, description="Fewest clicks in the window, the busiest device left out.")
    factor: float = Field(4.0, gt=1, description="Least ratio of observed to expected clicks.")
    impression_lag_s: int = Field(120, ge=0, description="A click's impression may lie this long before the window.")
    min_ctr: float = Field(0.15, gt=0, le=1, description="Least click-through rate (Wilson lower bound).")
    ctr_factor: float = Field(3.0, gt=1, description="Least ratio of that bound to the place's past rate.")
    airing_s: int = Field(1380, ge=0, description="So far back an aired spot is looked for, and what is usual; 0: not.")


class GeoAuthBurst(Rule):
    """Devices of one place sign in, one after the other, and do nothing else."""

    quick_window_s: int = Field(60, gt=0, description="Window that is judged first, seconds; a multiple of the pane.")
    quick_floor: int = Field(200, gt=0, description="Fewest devices that signed in within it.")
    window_s: int = Field(300, gt=0, description="Window that is judged later, seconds; a multiple of the pane.")
    wait_s: int = Field(240, ge=0, description="So long after it impressions may still come; a multiple of the pane.")
    floor: int = Field(30, gt=0, description="Fewest devices that signed in within it.")
    baseline_s: int = Field(1200, gt=0, description="The place's own past before the window, seconds.")
    factor: float = Field(4.0, gt=1, description="Least ratio to the past, more than in other places.")
    min_part: float = Field(
        0.6,
        ge=0,
        lt=1,
        description="Least part of what signs in on top of the usual in all the account (Wilson lower bound); 0: any.",
    )
    min_share: float = Field(
        0.6, gt=0, lt=1, description="Least share of sign-ins in what came on top of the usual (Wilson lower bound)."
    )

    def gate(self, pane_ms: int) -> int:
        """The fewest in one pane with which it is worth asking at once: half of an even part of the quick floor."""
        return max(1, self.quick_floor * pane_ms // (2000 * self.quick_window_s))


class CtrRule(Rule):
    """What both click-through-rate rules have."""

    window_s: int = Field(180, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    quick_window_s: int = Field(
        60, gt=0, description="A shorter one, judged first: finds a flood sooner. As window_s: off."
    )
    baseline_s: int = Field(1200, gt=0, description="The subject's own past before the window, seconds.")
    floor: int = Field(40, gt=0, description="Fewest clicks in the window, the busiest device left out.")
    min_devices: int = Field(15, gt=0, description="Fewest clicking devices, counted per pane and source partition.")
    impression_lag_s: int = Field(120, ge=0, description="A click's impression may lie this long before the window.")
    factor: float = Field(3.0, gt=1, description="Least ratio of the rate's lower to the past rate's upper bound.")
    usual_ctr: float = Field(0.08, gt=0, le=1, description="Highest rate believed of a subject without a past.")
    min_ctr: float = Field(0.06, gt=0, le=1, description="Least click-through rate (Wilson lower bound).")
    airing_s: int = Field(1380, ge=0, description="So far back an aired spot is looked for, and what is usual; 0: not.")


class GeoCtrAnomaly(CtrRule):
    """A place's click-through rate is far above its own past."""


class CtrAnomaly(CtrRule):
    """A campaign's click-through rate is far above its own past."""


class DeviceFarm(QuickRule):
    """Many devices of one place do the same thing at the same pace."""

    window_s: int = Field(120, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    baseline_s: int = Field(600, gt=0, description="The place's own past before the window, seconds.")
    floor: int = Field(12, gt=0, description="Fewest devices with the same behaviour in the window.")
    quick_part: float = Field(
        0.5, gt=0, le=1, description="Such a part of the floor is enough where people do not make it likely either."
    )
    people_share: float = Field(
        0.08, gt=0, lt=1, description="Greatest share of people that does the same at the same pace."
    )
    min_share: float = Field(0.35, gt=0, le=1, description="Least share of them among clicking devices.")
    max_p: float = Field(
        1e-6, gt=0, lt=1, description="Greatest chance of so many (Poisson, given the past; binomial)."
    )


class ReplayedClick(Rule):
    """One click, by its activity id, is told by a crowd of devices."""

    window_s: int = Field(600, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    floor: int = Field(5, gt=1, description="Fewest devices that clicked with one id in the window.")
    max_others: int = Field(2, ge=0, description="With more further ids of several devices, the sender reuses ids.")


class ReturningClickers(Rule):
    """The same devices click a campaign again and again, and nearly all that they are shown."""

    window_s: int | None = Field(
        None,
        gt=0,
        description="Time looked at, seconds; a multiple of the pane; unset: 3300, or what `streams.place_lateness_s` "
        "leaves.",
    )
    floor: int = Field(4, gt=1, description="Fewest devices that came back again.")
    min_ctr: float = Field(0.5, gt=0, lt=1, description="What people click at most of what they are shown.")
    max_p: float = Field(0.01, gt=0, lt=1, description="Greatest chance of so many clicks (normal tail).")


class HourlyRule(Rule):
    """What rules about a device that goes on and on have."""

    window_s: int | None = Field(
        None,
        gt=0,
        description="Time looked at, seconds, in whole CTR windows; unset: 3300, or what `streams.place_lateness_s` "
        "leaves.",
    )
    quick_window_s: int = Field(600, gt=0, description="A shorter one, judged first, seconds. As window_s: off.")
    factor: float = Field(
        6.0, ge=1, description="Least ratio of odds (a share by the rest) to those of everybody else in the account."
    )


class HourlyCtr(HourlyRule):
    """One device clicks nearly everything that it is shown, for up to an hour."""

    floor: int = Field(24, gt=0, description="Fewest taps within it.")
    min_ctr: float = Field(0.75, gt=0, lt=1, description="Least share of what it was shown (Wilson lower bound).")
    min_shown: float = Field(0.7, gt=0, le=1, description="Fewest known impressions per tap.")
    usual_ctr: float = Field(0.08, gt=0, lt=1, description="Rate believed of an account of which nothing is known.")


class HourlyFastClick(HourlyRule):
    """One device clicks now and then for up to an hour, sooner after its impressions than a person can."""

    floor: int = Field(6, gt=0, description="Fewest different seconds with clicks that came within a second.")
    min_share: float = Field(
        0.4, gt=0, lt=1, description="Least share among clicks whose impression is near (Wilson lower bound)."
    )


class HourlySignIns(HourlyRule):
    """One device authenticates again and again for up to an hour, and does hardly anything else."""

    floor: int = Field(25, gt=0, description="Fewest authentications within it.")
    min_share: float = Field(
        0.7, gt=0, lt=1, description="Least share among its sign-ins and impressions (Wilson lower bound)."
    )
    usual_share: float = Field(0.2, gt=0, lt=1, description="Share believed of an account of which nothing is known.")


class ExcessClicks(Rule):
    """Over many minutes, a place or campaign clicks what nobody was shown, or nearly all that it was shown."""

    window_s: int = Field(1200, gt=0, description="Window, seconds; a multiple of the pane.")
    wait_s: int = Field(240, ge=0, description="So long after it impressions may still come; a multiple of the pane.")
    quick_wait_s: int = Field(
        30, ge=0, description="The same for a quarter and a half of the window, where clicks of who was shown count."
    )
    baseline_s: int = Field(1200, gt=0, description="The subject's own past before the window, seconds.")
    floor: int = Field(15, gt=0, description="Fewest devices that clicked on top of the usual, counted per pane.")
    min_ctr: float = Field(0.5, gt=0, le=1, description="Least rate of what is on top (Wilson lower bound).")
    min_shown: float = Field(
        0.33,
        ge=0,
        le=1,
        description="Where at least this share was shown its click (Wilson upper bound), others are put down to loss.",
    )
    max_p: float = Field(1e-5, gt=0, lt=1, description="Greatest chance of so many clicks (Poisson tail).")
    prior_impressions: int = Field(
        100, gt=0, description="Own impressions that weigh as much as what is known of others."
    )


class LocalCtr(Rule):
    """One campaign is clicked by nearly everybody whom it is shown to in one place, and nowhere else."""

    window_s: int = Field(1200, gt=0, description="Time looked at, seconds; seven CTR windows of it first.")
    floor: int = Field(10, gt=1, description="Fewest clicks of who had been shown it, but for a few of each partition.")
    min_ctr: float = Field(0.5, gt=0, lt=1, description="Least click-through rate there (Wilson lower bound).")
    min_shown: float = Field(
        0.6, gt=0, le=1, description="Least share of the clicks of devices that had been shown it; else they are lost."
    )
    factor: float = Field(4.0, ge=1, description="Least ratio of odds (a share by the rest) to those that are usual.")
    usual_ctr: float = Field(0.08, gt=0, lt=1, description="Rate believed of a campaign of which nothing is known.")


class RulesSettings(BaseModel):
    """One field per rule, and overrides per account: `accounts.<id>.<rule>.<parameter>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: EpisodeSettings = EpisodeSettings()
    allow: AllowList = AllowList()
    device_click_burst: DeviceClickBurst = DeviceClickBurst()
    device_event_burst: DeviceEventBurst = DeviceEventBurst()
    device_auth_burst: DeviceAuthBurst = DeviceAuthBurst()
    device_impressions: DeviceImpressions = DeviceImpressions()
    duplicate_click: DuplicateClick = DuplicateClick()
    click_without_impression: ClickWithoutImpression = ClickWithoutImpression()
    fast_click: FastClick = FastClick()
    device_ctr: DeviceCtr = DeviceCtr()
    geo_hop: GeoHop = GeoHop()
    geo_click_burst: GeoClickBurst = GeoClickBurst()
    geo_auth_burst: GeoAuthBurst = GeoAuthBurst()
    geo_ctr_anomaly: GeoCtrAnomaly = GeoCtrAnomaly()
    ctr_anomaly: CtrAnomaly = CtrAnomaly()
    device_farm: DeviceFarm = DeviceFarm()
    replayed_click: ReplayedClick = ReplayedClick()
    returning_clickers: ReturningClickers = ReturningClickers()
    hourly_ctr: HourlyCtr = HourlyCtr()
    hourly_fast_click: HourlyFastClick = HourlyFastClick()
    hourly_sign_ins: HourlySignIns = HourlySignIns()
    excess_clicks: ExcessClicks = ExcessClicks()
    local_ctr: LocalCtr = LocalCtr()
    accounts: Mapping[str, Mapping[str, Mapping[str, Any]]] = Field(
        default={}, description="Overrides: account id -> rule -> parameter -> value."
    )

    @model_validator(mode="after")
    def _accounts_are_rules(self) -> Self:
        for account_id in self.accounts:
            try:
                self.for_account(account_id)
            except ValidationError as error:
                wrong = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
                raise ValueError(f"accounts.{account_id}: {'; '.join(wrong)}") from error
        return self

    def for_account(self, account_id: str) -> Self:
        """These settings with the account's overrides applied; validated like the rest."""
        overrides = self.accounts.get(account_id)
        if not overrides:
            return self
        merged = self.model_dump(exclude={"accounts"})
        for rule, parameters in overrides.items():
            merged.setdefault(rule, {}).update(parameters)
        return type(self).model_validate(merged)

    def variants(self) -> Iterator["RulesSettings"]:
        """These settings, and those of every account that overrides some."""
        yield self
        for account_id in self.accounts:
            yield self.for_account(account_id)
