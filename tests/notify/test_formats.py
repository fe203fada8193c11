"""Bodies for those who receive them."""

from __future__ import annotations

import orjson
import pytest

from notify import formats
from notify.formats import MOST_BYTES, body_of
from testkit.alerts import alert

NOW = "2026-11-24T14:50:02.284Z"


def test_alertmanager_gets_its_own_payload():
    """Version 4, firing until closed."""
    one = orjson.loads(body_of("alertmanager", orjson.dumps(alert()), NOW))
    assert (one["version"], one["status"], one["alerts"][0]["endsAt"]) == ("4", "firing", "0001-01-01T00:00:00Z")
    assert one["alerts"][0]["labels"]["alertname"] == "device_click_burst"
    closed = orjson.loads(body_of("alertmanager", orjson.dumps(alert(state="closed", closed_at=NOW)), NOW))
    assert (closed["status"], closed["alerts"][0]["endsAt"]) == ("resolved", NOW)
    assert closed["alerts"][0]["fingerprint"] != one["alerts"][0]["fingerprint"]


def test_slack_gets_a_message_that_mentions_nobody():
    """What comes from outside is text, never markup."""
    body = body_of("slack", orjson.dumps(alert(subject="<!channel> & <@U1>")), NOW)
    assert b"<!" not in body
    assert b"<@" not in body
    assert "HIGH fraud alert opened" in orjson.loads(body)["text"]


@pytest.mark.parametrize("style", ["standard", "slack", "alertmanager"])
def test_no_body_is_larger_than_the_standard_asks(style):
    """An alert with a hundred thousand campaigns loses its evidence, nothing else."""
    campaigns = {f"cmp_{n}": n for n in range(100_000)}
    large = alert(evidence={"sample_event_ids": [], "campaigns": campaigns, "findings": 1})
    assert len(body_of(style, orjson.dumps(large), NOW)) <= MOST_BYTES
    assert orjson.loads(formats.test_body(style, "msg_test", 0.0))


def test_the_body_is_the_same_on_every_retry():
    """Nothing in it is of the moment."""
    value = orjson.dumps(alert())
    assert body_of("standard", value, NOW) == body_of("standard", value, NOW)
