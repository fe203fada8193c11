"""What a verdict is on: an alert, or an incident with all whom its alerts accuse; nobody is allowed unnamed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from api.verdicts.making import Judge, judged
from api.verdicts.target import NoSuchTarget, Target, find_target
from sori.alerting.verdict import MOST_ALLOWED, Allowed, Verdict
from sori.errors import ConfigError
from testkit.alerts import alert, incident

OWN = alert(alert_id="a1", rule="fast_click")
GROUP = alert(alert_id="a2", evidence={"members": ["dev_1", "dev_2"], "member_count": 2})
CASE = incident(OWN, GROUP)
ID = CASE["incident_id"]
WHOLE: dict[str, list[str]] = {"a1": [], "a2": ["dev_1", "dev_2"]}


def target_of(wanted: str, members: Mapping[str, list[str]] = WHOLE, alerts: tuple[str, ...] = ()) -> Target:
    """The target where these are stored: alerts that begin so, an incident, and the members of its alerts."""
    finding = find_target(wanted)
    sql = next(finding)
    try:
        while True:
            if " AS members " in sql:
                most = int(sql.partition(", 1, ")[2].partition(")")[0])
                rows = [{"alert_id": name, "members": names[:most]} for name, names in members.items()]
            elif " FROM incidents " in sql:
                known = {**CASE, "alerts": json.dumps(CASE["alerts"])}
                gone = {**known, "incident_id": "ff_gone", "merged_into": ID}
                rows = [one for one in (known, gone) if f"'{one['incident_id'][: len(wanted)]}" in sql]
            else:
                rows = [{**OWN, "alert_id": name, "evidence": "{}"} for name in alerts]
            sql = finding.send(rows)
    except StopIteration as end:
        found: Target = end.value
        return found


def allowing(target: Target, **said: Any) -> Verdict:
    """A verdict that allows it."""
    return judged(Judge(ID, "false_positive", allow=True, **said), target, None, "", 0)


@pytest.mark.parametrize("wanted", [ID, ID[:8], "ff_gone"])
def test_an_incident_is_judged_with_all_whom_its_alerts_accuse(wanted: str) -> None:
    """Each by the alert's rule, named once; by its beginning, and by the id of what went into it."""
    made = allowing(target_of(wanted))
    assert (made.target, made.target_kind, made.rule, made.subject) == (ID, "incident", "", "")
    burst = [Allowed("device_click_burst", "device", name) for name in ("dev_1", "dev_2")]
    assert sorted(map(repr, made.allowed)) == sorted(map(repr, [Allowed("fast_click", "device", "dev_1"), *burst]))
    every = allowing(target_of(wanted), all_rules=True)
    assert sorted(map(repr, every.allowed)) == [repr(Allowed("", "device", name)) for name in ("dev_1", "dev_2")]


def test_an_alert_that_is_stored_no_more_is_named_by_the_incident() -> None:
    """Of a group it has no names: it can be judged, and not allowed; nobody is let pass in part."""
    assert len(allowing(target_of(ID, {"a2": ["dev_1", "dev_2"]})).allowed) == 3
    target = target_of(ID, {"a1": []})
    with pytest.raises(ConfigError, match="allow: whom its alert a2"):
        allowing(target)
    assert judged(Judge(ID, "confirmed"), target, None, "", 0).allowed == ()


def test_a_larger_crowd_is_judged_but_not_allowed() -> None:
    """The question asks for one name too many, so that all rules at once are no way around."""
    target = target_of(ID, WHOLE | {"a2": [f"dev_{n}" for n in range(MOST_ALLOWED + 1)]})
    for all_rules in (False, True):
        with pytest.raises(ConfigError, match="allow: this incident accuses more than 1,000 subjects"):
            allowing(target, all_rules=all_rules)
    assert judged(Judge(ID, "false_positive"), target, None, "", 0).target == ID


def test_what_an_alert_s_and_an_incident_s_id_begin_with_is_neither() -> None:
    """A whole id of an alert is that alert; nothing at all is told as such."""
    with pytest.raises(NoSuchTarget, match="several alerts or incidents begin"):
        target_of(ID[:8], alerts=(ID[:8] + "-alert",))
    assert target_of(ID[:8], alerts=(ID[:8], ID[:8] + "-more")).kind == "alert"
    with pytest.raises(NoSuchTarget, match="no alert or incident"):
        target_of("nosuch")
