"""What people are told of an alert."""

from __future__ import annotations

from notify.escalations import Escalations
from sori.alerting.alert import Alert, parse_alert
from testkit.alerts import alert, subscription


def state(state: str, severity: str, alert_id: str = "a") -> Alert:
    """A state of an alert."""
    import orjson

    return parse_alert(orjson.dumps(alert(alert_id=alert_id, state=state, severity=severity)))


def test_an_attack_of_ninety_updates_is_three_messages():
    """It began, it got worse, it is over."""
    seen = Escalations()
    log = [state("opened", "medium"), *[state("updated", "medium")] * 40, *[state("updated", "critical")] * 50]
    told = [one for one in [*log, state("closed", "critical")] if seen.is_news(one)]
    assert [(one.state, one.severity) for one in told] == [
        ("opened", "medium"),
        ("updated", "critical"),
        ("closed", "critical"),
    ]


def test_falling_back_and_rising_again_is_no_news():
    """Only what is graver than it ever was."""
    seen = Escalations()
    levels = ["high", "medium", "high", "critical", "high", "critical"]
    assert [seen.is_news(state("opened", "medium"))] == [True]
    assert [seen.is_news(state("updated", level)) for level in levels] == [True, False, False, True, False, False]


def test_after_a_restart_the_first_update_is_told():
    """What is not known may be graver: once too often rather than never."""
    seen = Escalations()
    assert [seen.is_news(state("updated", "low")) for _ in range(3)] == [True, False, False]


def test_memory_is_bounded():
    """However many alerts there are."""
    seen = Escalations()
    for n in range(12_000):
        seen.is_news(state("opened", "low", str(n)))
    assert len(seen._known) == 10_000


def test_only_formats_for_people_skip_and_only_where_no_state_is_asked_for():
    """Machines get all, and a filter by state means what it says."""
    from sori.alerting.filter import AlertFilter

    assert subscription("https://x.example", format="slack").skips_updates
    assert not subscription("https://x.example").skips_updates
    asked = AlertFilter(states=("opened", "updated"))
    assert not subscription("https://x.example", format="slack", filter=asked).skips_updates
