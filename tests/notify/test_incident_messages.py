"""What people are told of an incident, and who is told of incidents at all."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import get_args

import orjson
import pytest

from notify.formats import MOST_BYTES, body_of, digest, mail_of
from notify.incident_news import IncidentNews
from sori.alerting.filter import AlertFilter
from sori.alerting.incident import parse_notice
from sori.alerting.subscriptions import Format, decode, encode, usual_per
from testkit.alerts import alert, incident, subscription

NOW = "2026-11-24T14:50:02.284Z"
PAGES = "https://sori.example.com"
CASE = incident(
    alert(alert_id="a", campaigns={"Spring": 60}),
    alert(alert_id="b", rule="fast_click", severity="critical", evidence={"campaigns": {"Spring": 9}}),
)
ID = CASE["incident_id"]


def told(style: Format, **changes: object) -> dict:
    """The body for such a record of the incident."""
    return orjson.loads(body_of(style, orjson.dumps({**CASE, **changes}), NOW, public_url=PAGES, routing_key="k"))


def test_every_format_tells_the_story_links_the_page_and_is_grouped_by_the_incident():
    """Opened, graver, over: under one key."""
    slack = told("slack")
    assert slack["text"].startswith("New, critical: 2 rules, 1 device on campaign")
    assert f"{PAGES}/incidents/{ID}" in orjson.dumps(slack).decode()
    assert told("slack", change="escalated")["text"].startswith("Now critical: ")
    assert told("slack", change="reopened")["text"].startswith("Again, critical: ")
    assert told("slack", change="withdrawn", state="withdrawn")["text"].startswith("Taken back: ")
    assert told("teams", change="closed", state="closed")["summary"].startswith("Over, critical: ")
    opened, over = told("pagerduty"), told("pagerduty", change="closed", state="closed")
    assert [one["event_action"] for one in (opened, over)] == ["trigger", "resolve"]
    assert {one["dedup_key"] for one in (opened, over, told("pagerduty", change="merged", merged_into="x"))} == {ID}
    assert opened["client_url"] == f"{PAGES}/incidents/{ID}"
    assert told("pagerduty", change="merged", merged_into="x")["event_action"] == "resolve"
    fired = told("alertmanager")
    assert fired["groupKey"] == f'{{}}:{{incident="{ID}"}}'
    assert fired["alerts"][0]["labels"]["alertname"] == "incident"
    assert told("standard")["type"] == "fraud.incident.opened"
    assert told("standard")["data"] == CASE


def test_mails_of_an_incident_are_a_thread_and_a_digest_counts_incidents():
    """Each incident once, in its newest state."""
    value, later = orjson.dumps(CASE), orjson.dumps({**CASE, "version": 2, "change": "closed", "state": "closed"})
    first, second = (message_from_bytes(mail_of(one, NOW, PAGES), policy=default) for one in (value, later))
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    many = message_from_bytes(digest([(value, NOW), (later, NOW)], PAGES), policy=default)
    assert many["Subject"].startswith("1 incident, 0 still open; Over, critical: ")
    assert f"{PAGES}/incidents/{ID}" in many.get_content()


@pytest.mark.parametrize("style", get_args(Format))
def test_a_body_stays_small(style):
    """Also of an incident with all the alerts and names that it may have, each as long as it may be."""
    member = {**CASE["alerts"][0], "story": "s" * 300, "subject": "x" * 200}
    large = {"alerts": [member] * 100, "devices": ["d" * 64] * 500, "alert_ids": ["a" * 36] * 100}
    assert len(orjson.dumps(told(style, **large))) <= MOST_BYTES


def test_an_incident_passes_a_filter_by_any_of_its_alerts():
    """Its rules, places and campaigns; its severity is its highest."""
    notice = parse_notice(orjson.dumps({**CASE, "places": ["Germany/NRW/Cologne"], "affected_campaigns": ["cmp_9"]}))
    for passes in (
        {"rules": ("fast_click",)},
        {"places": ("Germany",)},
        {"campaigns": ("cmp_9",)},
        {"states": ("opened",)},
    ):
        assert AlertFilter(**passes).matches(notice), passes
    for passes in ({"rules": ("geo_hop",)}, {"places": ("France",)}, {"severities": ("high",)}, {"accounts": ("x",)}):
        assert not AlertFilter(**passes).matches(notice), passes


def test_updates_are_no_news_unless_the_filter_had_left_the_incident_out():
    """An alert of the asked-for rule joins: that is the first that its subscriber hears of it."""

    def notice(change, state="open", version=1):
        return parse_notice(orjson.dumps({**CASE, "change": change, "state": state, "version": version}))

    plain = IncidentNews()
    changes = ["opened", "updated", "escalated", "updated", "closed"]
    assert [plain.is_news(notice(one), passes=True) for one in changes] == [True, False, True, False, True]
    narrow = IncidentNews()
    steps = [("opened", False), ("updated", False), ("updated", True), ("updated", True), ("closed", True)]
    assert [narrow.is_news(notice(one), passes=passes) for one, passes in steps] == [False, False, True, False, True]


def test_people_hear_of_incidents_and_who_was_there_before_is_not_surprised():
    """New ones by their format; what is stored without a word about it stays with alerts."""
    assert [usual_per("https://x.example", style) for style in get_args(Format)] == ["alert", *["incident"] * 4]
    assert usual_per("mailto:you@example.com", "standard") == "incident"
    stored = orjson.loads(encode(subscription("https://x.example", format="slack")))
    del stored["per"]
    assert decode(orjson.dumps(stored)).per == "alert"
