"""Parameters of the fraud rules, with units; every account may override any of them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class EpisodeSettings(BaseModel):
    """How findings of one subject become one alert."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cooldown_s: int = Field(120, gt=0, description="Quiet time after which an episode closes, seconds of event time.")
    update_every_s: int = Field(5, gt=0, description="Least time between two updates of an alert, seconds.")
    max_length_s: int = Field(3600, gt=0, description="An episode is cut at multiples of this, seconds of event time.")


class DeviceClickBurst(BaseModel):
    """One device clicks far more than before, and more than a person would."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    window_s: int = Field(60, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    baseline_s: int = Field(300, gt=0, description="The device's own past before the window, seconds.")
    floor: int = Field(20, gt=0, description="Fewest clicks in the window.")
    factor: float = Field(4.0, gt=1, description="Least ratio of observed to expected clicks.")
    ceiling: int = Field(90, gt=0, description="Clicks in the window that are a burst whatever the past was.")


class GeoClickBurst(BaseModel):
    """A place clicks far more than before, and more than its impressions explain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    window_s: int = Field(60, gt=0, description="Sliding window, seconds; a multiple of the pane.")
    baseline_s: int = Field(300, gt=0, description="The place's own past before the window, seconds.")
    floor: int = Field(30, gt=0, description="Fewest clicks in the window, the busiest device left out.")
    factor: float = Field(4.0, gt=1, description="Least ratio of observed to expected clicks.")
    impression_lag_s: int = Field(120, ge=0, description="A click's impression may lie this long before the window.")
    min_ctr: float = Field(0.15, gt=0, le=1, description="Least click-through rate (Wilson lower bound).")
    ctr_factor: float = Field(3.0, gt=1, description="Least ratio of that bound to the place's past rate.")


class RulesSettings(BaseModel):
    """One field per rule, and overrides per account: `accounts.<id>.<rule>.<parameter>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: EpisodeSettings = EpisodeSettings()
    device_click_burst: DeviceClickBurst = DeviceClickBurst()
    geo_click_burst: GeoClickBurst = GeoClickBurst()
    accounts: Mapping[str, Mapping[str, Mapping[str, Any]]] = Field(
        default={}, description="Overrides: account id -> rule -> parameter -> value."
    )

    def for_account(self, account_id: str) -> "RulesSettings":
        """These settings with the account's overrides applied; validated like the rest."""
        overrides = self.accounts.get(account_id)
        if not overrides:
            return self
        merged = self.model_dump(exclude={"accounts"})
        for rule, parameters in overrides.items():
            merged.setdefault(rule, {}).update(parameters)
        return RulesSettings.model_validate(merged)
