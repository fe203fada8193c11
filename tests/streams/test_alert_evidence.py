"""What an alert says of campaigns is what its window holds, over generated traffic."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import orjson

from sori.places import path
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.base import PartitionOperator
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=1_500_000, max_skew_ms=10**12)
RULES = RulesSettings.model_validate(
    {
        "episodes": {"group_from": 0},
        "device_click_burst": {"floor": 8, "ceiling": 12},
        "geo_click_burst": {"floor": 8, "min_ctr": 0.05},
        "ctr_anomaly": {"floor": 8, "min_devices": 3},
        "geo_ctr_anomaly": {"floor": 8, "min_devices": 3},
        "geo_auth_burst": {"enabled": False},  # reads further back than that, and no clicks
        "excess_clicks": {"enabled": False},
        "local_ctr": {"enabled": False},
    }
)
Click = tuple[int, str, str, str]  # time, device, city, campaign


def clicks_of(seed: int) -> list[Click]:
    """Waves of clicks by a few devices, each with other campaigns and of another strength."""
    rng, now, made = Random(seed), T0, []
    for _ in range(6):
        campaigns = rng.sample("abcdef", rng.randint(1, 3))
        pace_ms = rng.choice([300, 900, 2500])
        for _ in range(rng.randint(5, 60)):
            now += rng.randint(1, 2 * pace_ms)
            device = f"d{rng.randrange(5)}"
            made.append((now, device, f"city{rng.randrange(2)}", rng.choice(campaigns)))
        now += rng.choice([1_000, 30_000, 70_000])
    return made


def alerts_of(operator: PartitionOperator) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Alerts owed, and roll-ups."""
    outputs = operator.flush()[0]
    alerts = [orjson.loads(output.value) for output in outputs if output.topic is FRAUD_ALERTS]
    return alerts, [output.value for output in outputs if output.topic is GEO_ROLLUPS]


def told(clicks: list[Click]) -> list[tuple[dict[str, Any], list[Click]]]:
    """Each alert record of both hops, and the clicks that had come by then."""
    devices = DeviceOperator(0, POLICY, RULES)
    places = PlaceOperator(0, POLICY, RULES)
    found = []
    for number, (at, device, city, campaign) in enumerate(clicks):
        raw = body(
            event="campaign.click",
            created_at=iso(at),
            activity_id=f"a{number}",
            device_id=device,
            campaign={"id": campaign},
            geolocation={"viewer_country": "c", "viewer_region": "r", "viewer_city": city},
        )
        devices.apply([FakeRecord(raw, number, timestamp=at)])
        alerts, roll_ups = alerts_of(devices)
        places.apply([FakeRecord(value, places.next_offset + at) for at, value in enumerate(roll_ups)])
        alerts += alerts_of(places)[0]
        found += [(alert, clicks[: number + 1]) for alert in alerts]
    return found


def test_campaigns_of_an_alert_are_those_of_its_strongest_window():
    """Each with no more clicks than the subject made on it there, some at least, and all together those of `clicks`."""
    rules = set()
    for alert, clicks in (one for seed in range(2) for one in told(clicks_of(seed))):
        rules.add(alert["rule"])
        at = {"device": 1, "place": 2, "campaign": 3}[alert["subject_kind"]]
        of_subject = [
            click for click in clicks if alert["subject"] == (path(("c", "r", click[2])) if at == 2 else click[at])
        ]
        within = Counter(
            click[3] for click in of_subject if alert["window_start"] <= iso(click[0]) < alert["window_end"]
        )
        evidence = alert["evidence"]
        if "clicks" in evidence:
            assert sum(evidence["campaigns"].values()) == evidence["clicks"], alert
        for campaign, count in evidence["campaigns"].items():
            assert 0 < count <= within[campaign], (alert, within)
        assert set(evidence["campaigns"]) <= set(evidence["affected_campaigns"])
        assert set(evidence["affected_campaigns"]) <= {click[3] for click in of_subject}
    assert {"device_click_burst", "geo_click_burst", "ctr_anomaly"} <= rules
