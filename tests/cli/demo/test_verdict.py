"""The reconciliation of the demo: what it finds, and what it must not overlook."""

from __future__ import annotations

import orjson
import pytest

from cli.demo.truth import EventKey, Subject, Truth, read_truth
from cli.demo.verdict import Alert, judge

DEVICE = Subject("ACC_1", "device", "dev-7")
CITY = Subject("ACC_1", "place", "TR/Izmir/Izmir")
CROWD = Subject("ACC_1", "place", "DE/Berlin/Berlin")
MINUTE_MS = 60_000


def event(identity: str, **fields: object) -> dict[str, object]:
    """One event line of a truth file."""
    return {
        "identity": identity,
        "account_id": "ACC_1",
        "event": "campaign.click",
        "device_id": "dev-1",
        "country": "TR",
        "region": "Ankara",
        "city": "Ankara",
        "campaign_id": "CMP_1",
        "label": None,
        "status": "delivered",
        **fields,
    }


LINES = [
    {"truth": 1, "seed": 7},
    event("a"),
    event("a", event="campaign.impression"),
    event("b", status="dropped", maybe_stored=True),
    event("c", label="device_click_flood-1", device_id="dev-7", country="TR", region="Bursa", city="Bursa"),
    event("d", label="device_click_flood-1", device_id=None, campaign_id=None),
    {
        "attack": "device_click_flood-1",
        "kind": "device_click_flood",
        "rule": "device_click_burst",
        "account_id": "ACC_1",
        "subject_kind": "device",
        "subject": "dev-7",
        "start": "2025-10-14T05:25:00Z",
        "end": "2025-10-14T05:26:00Z",
        "events": 2,
    },
    {"flash_crowd": "flash_crowd-1", "account_id": "ACC_1", "subject": "DE/Berlin/Berlin", "start": "", "end": ""},
]


@pytest.fixture
def truth() -> Truth:
    """What the lines above say."""
    return read_truth(orjson.dumps(line) for line in LINES)


def alert(truth: Truth, rule: str = "device_click_burst", subject: Subject = DEVICE, shift_ms: int = 0) -> Alert:
    """An alert in the time of the attack, moved by `shift_ms`."""
    attack = truth.attacks[0]
    return Alert(rule, subject, attack.start_ms + shift_ms, attack.end_ms + shift_ms)


def test_accepted_is_what_got_a_2xx(truth: Truth) -> None:
    """An impression and a click with one activity id are two events; a dropped event is not accepted."""
    clicks = {EventKey("ACC_1", "campaign.click", identity) for identity in "acd"}
    assert truth.accepted == clicks | {EventKey("ACC_1", "campaign.impression", "a")}


def test_whoever_took_part_in_an_attack_is_fraudulent(truth: Truth) -> None:
    """Its device, its place and its campaign; not the crowd, and not other traffic."""
    assert DEVICE in truth.fraudulent
    assert Subject("ACC_1", "place", "TR/Bursa/Bursa") in truth.fraudulent
    assert Subject("ACC_1", "device", "dev-1") not in truth.fraudulent
    assert truth.crowds == {CROWD}


def test_a_perfect_run_has_no_misses(truth: Truth) -> None:
    """Everything stored, every attack alerted, nothing else."""
    verdict = judge(truth, truth.accepted | {EventKey("X", "authentication", "other")}, 0, [alert(truth)], 12.34)
    assert verdict.misses == []
    assert verdict.report() == {
        "accepted": 4,
        "stored": 4,
        "missing": 0,
        "ctr_differences": 0,
        "alerts": 1,
        "attacks_planted": 1,
        "attacks_detected": 1,
        "false_alerts": 0,
        "seconds": 12.3,
    }


def test_a_missing_event_is_named(truth: Truth) -> None:
    """Being stored under another event name does not count."""
    stored = truth.accepted - {EventKey("ACC_1", "campaign.click", "c")}
    verdict = judge(truth, stored, 0, [alert(truth)], 1)
    assert (verdict.report()["stored"], verdict.report()["missing"]) == (3, 1)
    assert "campaign.click" in verdict.misses[0]


def test_ctr_differences_are_a_miss(truth: Truth) -> None:
    """Even one window."""
    assert "1 CTR windows" in judge(truth, truth.accepted, 1, [alert(truth)], 1).misses[0]


@pytest.mark.parametrize(
    ("rule", "subject", "shift_ms", "detected"),
    [
        ("device_click_burst", DEVICE, 0, True),
        ("device_click_burst", DEVICE, MINUTE_MS, True),
        ("device_click_burst", DEVICE, 5 * MINUTE_MS, False),
        ("device_click_burst", DEVICE, -5 * MINUTE_MS, False),
        ("geo_click_burst", DEVICE, 0, False),
        ("device_click_burst", Subject("ACC_2", "device", "dev-7"), 0, False),
    ],
)
def test_an_attack_is_detected_by_its_rule_on_its_subject_in_its_time(
    truth: Truth, rule: str, subject: Subject, shift_ms: int, detected: bool
) -> None:
    """A lucky alert on something else does not count."""
    verdict = judge(truth, truth.accepted, 0, [alert(truth, rule, subject, shift_ms)], 1)
    assert verdict.report()["attacks_detected"] == int(detected)
    assert bool(verdict.misses) != detected


def test_an_alerted_flash_crowd_is_a_false_alert(truth: Truth) -> None:
    """A spot that airs is the product working."""
    verdict = judge(truth, truth.accepted, 0, [alert(truth), alert(truth, "geo_click_burst", CROWD)], 1)
    assert verdict.alerted_crowds == (CROWD,)
    assert verdict.report()["false_alerts"] == 1
    assert "DE/Berlin/Berlin" in verdict.misses[0]


def test_another_alert_about_an_attacker_is_not_false(truth: Truth) -> None:
    """A second rule may find the same device, or the place that it clicks from."""
    place = Subject("ACC_1", "place", "TR/Bursa/Bursa")
    alerts = [alert(truth), alert(truth, "fast_click"), alert(truth, "geo_click_burst", place)]
    assert judge(truth, truth.accepted, 0, alerts, 1).misses == []


def test_a_run_without_traffic_is_a_miss() -> None:
    """Nothing accepted proves nothing."""
    assert judge(read_truth([]), set(), 0, [], 1).misses == ["no event was accepted"]
