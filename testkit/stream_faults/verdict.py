"""What the outputs say, against the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sori.alerting.alert import ENDED
from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, FRAUD_ALERTS
from testkit.stream_faults.traffic import Traffic
from testkit.upserts import UpsertTables

_COUNTS = ("impressions", "clicks")


@dataclass
class Verdict:
    """Windows that are right and wrong, and episodes of each planted attack."""

    windows: int
    wrong_windows: list[str]
    wrong_devices: list[str]
    episodes: dict[str, int]
    open_episodes: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    unversioned: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether every window is the truth and each attack exactly one closed episode."""
        wrong = self.wrong_windows or self.wrong_devices or self.open_episodes or self.strangers or self.unversioned
        return not wrong and set(self.episodes.values()) <= {1}


def judge(tables: UpsertTables, traffic: Traffic) -> Verdict:
    """Compare what readers of the output topics see now."""
    windows = tables.totals(CTR_WINDOWS, "window_start", "campaign_id", "city", counts=_COUNTS)
    devices = tables.totals(DEVICE_WINDOWS, "window_start", "device_id", counts=_COUNTS)
    bursts = [row for row in tables.table(FRAUD_ALERTS) if row["rule"] == "device_click_burst"]
    found = Counter(name for row in bursts for name in row["evidence"].get("members") or (row["subject"],))
    return Verdict(
        windows=len(traffic.windows),
        wrong_windows=_differences(windows, traffic.windows),
        wrong_devices=_differences(devices, traffic.devices),
        episodes={name: found[name] for name in sorted(traffic.floods)},
        open_episodes=[row["subject"] for row in bursts if row["state"] not in ENDED],
        strangers=sorted(set(found) - traffic.floods),
        unversioned=contradictions(tables.alert_records),
    )


def contradictions(records: list[dict[str, Any]]) -> list[str]:
    """Alert records of one id and version that do not say the same: then the highest version would not decide."""
    said: dict[tuple[str, int], dict[str, Any]] = {}
    return [
        f"{row['alert_id']} version {row['version']}"
        for row in records
        if said.setdefault((row["alert_id"], row["version"]), row) != row
    ]


def _differences(found: Counter[tuple[Any, ...]], truth: Counter[tuple[Any, ...]]) -> list[str]:
    keys = found.keys() | truth.keys()
    return [f"{key}: {found[key]}, truth {truth[key]}" for key in sorted(keys) if found[key] != truth[key]]
