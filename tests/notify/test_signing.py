"""Signatures, against the reference implementation and the specification's own example."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from sori.alerting.standard_webhooks import new_secret, secret_bytes, signed_headers
from sori.errors import ConfigError
from testkit.alerts import subscription


@pytest.mark.parametrize(
    ("secret", "message_id", "timestamp", "body", "signature"),
    [
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1649367553,
            b'{"email":"test@example.com","username":"test_user"}',
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ],
)
def test_the_published_vectors_are_reproduced(secret, message_id, timestamp, body, signature):
    """The ones of the specification and of its reference libraries."""
    headers = signed_headers([secret], message_id, timestamp, body)
    assert headers == {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


@given(text=st.text(), message_id=st.from_regex(r"\Amsg_[a-z0-9-]{1,60}\Z"))
def test_the_reference_implementation_accepts_every_signature(text, message_id):
    """Whatever the body, with either secret of a rotation; neither with another secret nor with another body."""
    old, new = new_secret(), new_secret()
    body = json.dumps({"text": text}).encode()
    headers = signed_headers([new, old], message_id, int(time.time()), body)
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == {"text": text}
    for secret, sent in ((new_secret(), body), (new, body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(sent, headers)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "nothing", "whsec_!!!", "whsec_" + "A" * 100])
def test_a_malformed_secret_is_refused(secret):
    """Too short, too long, not base64, no prefix."""
    with pytest.raises(ConfigError):
        secret_bytes(secret)


def test_a_rotated_secret_signs_beside_the_new_one_for_a_while():
    """Then it no longer does; rotating again within the time keeps both former ones."""
    first = subscription("https://example.com/")
    second = first.rotated(1_000, 500)
    assert second.signing_secrets(1_499) == [second.secret, first.secret]
    assert second.signing_secrets(1_500) == [second.secret]
    third = second.rotated(1_200, 500)
    assert third.signing_secrets(1_300) == [third.secret, first.secret, second.secret]
    assert third.rotated(1_600, 500).signing_secrets(1_650)[1:] == [second.secret, third.secret]
