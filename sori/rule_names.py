"""The fraud rules by name, as alerts, filters and settings name them."""

from __future__ import annotations

RULES: tuple[str, ...] = (
    "device_click_burst",
    "device_event_burst",
    "device_auth_burst",
    "device_impressions",
    "duplicate_click",
    "click_without_impression",
    "fast_click",
    "device_ctr",
    "geo_hop",
    "geo_click_burst",
    "geo_auth_burst",
    "geo_ctr_anomaly",
    "ctr_anomaly",
    "device_farm",
    "replayed_click",
    "returning_clickers",
    "hourly_ctr",
    "hourly_fast_click",
    "hourly_sign_ins",
    "excess_clicks",
    "local_ctr",
)
