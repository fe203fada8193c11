"""Bodies for those who receive them."""

from __future__ import annotations

from typing import get_args

import orjson
import pytest

from notify import formats
from notify.formats import MOST_BYTES, body_of
from sori.alerting.subscriptions import FOR_PEOPLE, Format
from testkit.alerts import alert

NOW = "2026-11-24T14:50:02.284Z"
KEY = "R0UT1NGKEY"
PAGES = "https://sori.example.com"
FORMATS = get_args(Format)


def made(style: Format, **changes: object) -> dict:
    """The body for such an alert, decoded."""
    return orjson.loads(body_of(style, orjson.dumps(alert(**changes)), NOW, public_url=PAGES, routing_key=KEY))


def test_alertmanager_gets_its_own_payload():
    """Version 4, firing until closed."""
    one = made("alertmanager")
    assert (one["version"], one["status"], one["alerts"][0]["endsAt"]) == ("4", "firing", "0001-01-01T00:00:00Z")
    assert one["alerts"][0]["labels"]["alertname"] == "device_click_burst"
    closed = made("alertmanager", state="closed", closed_at=NOW)
    assert (closed["status"], closed["alerts"][0]["endsAt"]) == ("resolved", NOW)
    assert closed["alerts"][0]["fingerprint"] != one["alerts"][0]["fingerprint"]


@pytest.mark.parametrize("style", ["slack", "teams"])
def test_a_message_mentions_nobody(style):
    """What comes from outside is text, never markup."""
    hostile = alert(subject="<!channel> & <@U1> [x](http://evil.example) <at>all</at> *b*")
    body = body_of(style, orjson.dumps(hostile), NOW)
    assert b"<!" not in (body if style == "slack" else b"")
    assert b"<@" not in (body if style == "slack" else b"")
    if style == "slack":
        said = orjson.loads(body)
        assert (said["mrkdwn"], said["parse"]) == (False, "none")
        texts = [field for block in said["attachments"][0]["blocks"] for field in block.get("fields", [])]
        assert texts
        assert all(text["verbatim"] is True for text in texts), "nothing in it becomes a link"
    if style == "teams":
        card = orjson.loads(body)["attachments"][0]["content"]
        texts = [part.get("text", "") for part in card["body"]] + [fact["value"] for fact in card["body"][1]["facts"]]
        assert not any("](" in text.replace("\\]\\(", "") or "<at>" in text for text in texts)
        assert "msteams" not in card or "entities" not in card["msteams"]


def subject_of(style: Format, body: dict) -> str:
    """The line that a person reads first."""
    if style == "slack":
        return body["text"]
    if style == "teams":
        return body["summary"]
    if style == "pagerduty":
        return body["payload"]["summary"]
    return body["alerts"][0]["annotations"]["summary"]


@pytest.mark.parametrize("style", [style for style in FORMATS if style != "standard"])
def test_the_subject_line_tells_the_story_in_whole_numbers(style):
    """Who did what how often, what was expected, on which campaign."""
    said = subject_of(style, made(style, observed=64.0, expected=4.4, subject="dev_91c0"))
    assert "Device dev_91c0 clicked 64 times in 60 s, 4 expected; campaign cmp_1" in said


@pytest.mark.parametrize("style", sorted(FOR_PEOPLE))
def test_states_are_told_in_words(style):
    """New, graver, over, allowed, taken back."""
    allowed = {"sample_event_ids": [], "campaigns": {}, "findings": 1, "closed_because": "allowed"}
    back = {"sample_event_ids": [], "campaigns": {}, "findings": 1, "explanation": "impressions came late"}
    said = [
        subject_of(style, made(style)),
        subject_of(style, made(style, state="updated", severity="critical")),
        subject_of(style, made(style, state="closed", closed_at=NOW)),
        subject_of(style, made(style, state="closed", closed_at=NOW, evidence=allowed)),
        subject_of(style, made(style, state="closed", closed_at=NOW, evidence=back)),
        subject_of(style, made(style, state="withdrawn", closed_at=NOW, evidence=back)),
    ]
    assert [one.partition(":")[0] for one in said] == [
        *("New, high", "Now critical", "Over, high", "Allowed by an analyst", "Taken back", "Taken back")
    ]


@pytest.mark.parametrize("style", [style for style in FORMATS if style != "standard"])
def test_alerts_link_to_their_page_where_there_is_one(style):
    """The setting api.public_url is the page's base; without it there is no link."""
    one = alert()
    there = body_of(style, orjson.dumps(one), NOW, public_url=PAGES + "/", routing_key=KEY)
    assert f"{PAGES}/alerts/{one['alert_id']}".encode() in there
    assert b"/alerts/" not in body_of(style, orjson.dumps(one), NOW, routing_key=KEY)


@pytest.mark.parametrize("style", [style for style in FORMATS if style != "standard"])
def test_messages_of_one_incident_share_its_key(style):
    """Two alerts of one incident; without incidents an alert is its own."""
    first, second = alert(incident_id="inc_1"), alert(incident_id="inc_1", rule="fast_click")
    for one in (first, second):
        body = made(style, **one)
        key = {
            "pagerduty": lambda body=body: body["dedup_key"],
            "alertmanager": lambda body=body: body["groupKey"],
        }.get(style, lambda body=body: str(body).replace("\\", ""))()
        assert "inc_1" in key
    assert alert_key(made("pagerduty", **(alone := alert()))) == alone["alert_id"]


def alert_key(body: dict) -> str:
    """PagerDuty's."""
    return body["dedup_key"]


def test_pagerduty_gets_events_of_its_api_v2():
    """Trigger until it ended, then resolve; every limit of the API kept."""
    opened = made("pagerduty", subject="d" * 5000)
    assert (opened["event_action"], opened["routing_key"]) == ("trigger", KEY)
    assert opened["payload"]["severity"] == "error"
    assert set(opened["payload"]) >= {"summary", "source", "severity"}
    assert len(opened["payload"]["summary"]) <= 1024
    assert made("pagerduty", state="updated")["event_action"] == "trigger"
    for state in ("closed", "withdrawn"):
        assert made("pagerduty", state=state, closed_at=NOW)["event_action"] == "resolve"


def test_teams_gets_an_adaptive_card():
    """As the webhook of a Teams workflow takes it."""
    body = made("teams")
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {"title": "Seen", "value": "20"} in card["body"][1]["facts"]


@pytest.mark.parametrize("style", FORMATS)
def test_no_body_is_larger_than_the_standard_asks(style):
    """An alert with a hundred thousand campaigns loses its evidence, nothing else."""
    campaigns = {f"cmp_{n}": n for n in range(100_000)}
    large = alert(evidence={"sample_event_ids": [], "campaigns": campaigns, "findings": 1})
    assert len(body_of(style, orjson.dumps(large), NOW)) <= MOST_BYTES
    assert orjson.loads(formats.test_body(style, "msg_test", 0.0, KEY))


def test_the_body_is_the_same_on_every_retry():
    """Nothing in it is of the moment."""
    value = orjson.dumps(alert())
    for style in FORMATS:
        assert body_of(style, value, NOW) == body_of(style, value, NOW)
