"""What a signature that ours does not explain would have been."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.signature import HmacSha256, Secret
from sori.signature_guess import MOST_BYTES, UNEXPLAINED, Guess, guess

SECRET = Secret("app_1:0a1b2c3d", b"c2VjcmV0IQ==")
EVENT = {"event": "authentication", "account_id": "acc_1", "metadata": {"name": "Zoë"}, "a": 1}
STAMP = "2025-10-14T05:25:12.421Z"
BODY = json.dumps({**EVENT, "timestamp": STAMP}, indent=1, ensure_ascii=False).encode()


def sha(name: str, key: bytes = SECRET.value, text: bytes = BODY) -> bytes:
    return hmac.digest(key, text, name)


VARIANTS = [
    (Guess("hmac_sha1", "body", "secret"), sha("sha1")),
    (Guess("hmac_sha512", "body", "secret"), sha("sha512")),
    (Guess("hmac_sha384", "body", "secret"), sha("sha384")),
    (Guess("hmac_md5", "body", "secret"), sha("md5")),
    (Guess("sha256_of_key_and_message", "body", "secret"), hashlib.sha256(SECRET.value + BODY).digest()),
    (Guess("sha256_of_message_and_key", "body", "secret"), hashlib.sha256(BODY + SECRET.value).digest()),
    (Guess("hmac_sha256", "body", "app_id"), sha("sha256", b"app_1")),
    (Guess("hmac_sha256", "body", "app_id_and_secret"), sha("sha256", b"app_1" + SECRET.value)),
    (Guess("hmac_sha256", "body", "app_id_colon_secret"), sha("sha256", b"app_1:" + SECRET.value)),
    (Guess("hmac_sha256", "body", "secret_with_newline"), sha("sha256", SECRET.value + b"\n")),
    (Guess("hmac_sha256", "body", "secret_from_base64"), sha("sha256", b"secret!")),
    (Guess("hmac_sha256", "body_and_timestamp", "secret"), sha("sha256", text=BODY + STAMP.encode())),
    (Guess("hmac_sha256", "timestamp_and_body", "secret"), sha("sha256", text=STAMP.encode() + BODY)),
    (Guess("hmac_sha256", "timestamp_dot_body", "secret"), sha("sha256", text=STAMP.encode() + b"." + BODY)),
    (
        Guess("hmac_sha256", "compact_json", "secret"),
        sha("sha256", text=json.dumps(json.loads(BODY), separators=(",", ":"), ensure_ascii=False).encode()),
    ),
    (
        Guess("hmac_sha256", "canonical_json", "secret"),
        sha(
            "sha256",
            text=json.dumps(json.loads(BODY), separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode(),
        ),
    ),
    (Guess("hmac_sha256", "spaced_json", "secret"), sha("sha256", text=json.dumps(json.loads(BODY)).encode())),
]


@pytest.mark.parametrize(("expected", "digest"), VARIANTS, ids=str)
def test_each_known_variant_is_recognised_in_any_encoding(expected: Guess, digest: bytes) -> None:
    """An operator then knows which sentence of the settings to change, or which report to file."""
    other = Secret("other", b"of somebody else")
    for text in (digest.hex(), digest.hex().upper(), b64encode(digest).decode(), urlsafe_b64encode(digest).decode()):
        for header in (text, f"sha1={text}", f"t=1492774577,v1={text}", f"{'00' * 32} {text}"):
            assert guess([other, SECRET], BODY, header) == expected


def test_a_signature_made_before_the_timestamp_was_appended_is_recognised() -> None:
    """SORI appends `timestamp` just before dispatch: it may sign before."""
    before = json.dumps(EVENT, separators=(",", ":"))
    sent = before[:-1] + f',"timestamp":"{STAMP}"}}'
    digest = hmac.digest(SECRET.value, before.encode(), "sha256")
    found = guess([SECRET], sent.encode(), digest.hex())
    assert found == Guess("hmac_sha256", "body_before_timestamp", "secret")


@given(st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=200)))
def test_no_bytes_and_no_header_make_it_raise_or_believe(body: bytes, header: str | None) -> None:
    """Whatever a stranger sends."""
    assert guess([SECRET], body, header) == UNEXPLAINED


def test_a_large_body_is_not_worth_the_time() -> None:
    """A guess is some hundreds of hashes."""
    body = b'{"x":"' + b"y" * MOST_BYTES + b'"}'
    assert guess([SECRET], body, sha("sha1", text=body).hex()) == UNEXPLAINED
    assert HmacSha256().verify([SECRET], body, HmacSha256().sign(SECRET.value, body))
