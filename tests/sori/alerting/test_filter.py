"""Which alerts a filter lets pass where one alert accuses many."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sori.alerting.alert import parse_alert
from sori.alerting.filter import AlertFilter
from testkit.alerts import alert


@pytest.mark.parametrize(
    ("kind", "members", "wanted"),
    [
        ("place", ["US/MI/Detroit", "Switzerland/Bern/Biel/Bienne"], {"places": ("Switzerland/Bern",)}),
        ("place", ["US/MI/Detroit", "Switzerland/Bern/Biel/Bienne"], {"places": ("Switzerland/Bern/Biel%2FBienne",)}),
        ("campaign", ["cmp_1", "cmp_2"], {"campaigns": ("cmp_2",)}),
    ],
)
def test_a_shared_alert_is_about_each_of_its_members(
    kind: str, members: list[str], wanted: dict[str, tuple[str, ...]]
) -> None:
    """Whoever asks for the second one is told, as if it had an alert of its own; whoever asks for another is not."""
    evidence: dict[str, Any] = {"sample_event_ids": [], "campaigns": {}, "findings": 1, "members": members}
    shared = parse_alert(orjson.dumps(alert(subject_kind=kind, subject=members[0], evidence=evidence)))
    assert AlertFilter(**wanted).matches(shared)
    assert not AlertFilter(places=("Switzerland/Ber",)).matches(shared)
    assert not AlertFilter(campaigns=("cmp_3", "Switzerland/Bern/Biel/Bienne")).matches(shared)


@pytest.mark.parametrize("members", [None, 3, {"cmp_2": 1}, [["cmp_2"], 2]])
def test_members_that_are_no_names_are_nobody(members: object) -> None:
    """A record of somebody else."""
    evidence = {"sample_event_ids": [], "campaigns": {}, "findings": 1, "members": members}
    odd = parse_alert(orjson.dumps(alert(subject_kind="campaign", subject="cmp_1", evidence=evidence)))
    assert odd.campaigns == {"cmp_1"}
