"""Signatures: what is accepted, and that nothing else ever is."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import MalformedSignature, MissingSignature, SignatureError, WrongSignature
from sori.signature import HmacSha256, Secret

SCHEME = HmacSha256()
OLD, NEW = Secret("old", b"old secret"), Secret("new", b"new secret")


def test_hmac_sha256_matches_the_vector_of_rfc_4231():
    """Test case 2 of RFC 4231."""
    signed = SCHEME.sign(b"Jefe", b"what do ya want for nothing?")
    assert signed == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@given(st.binary(), st.sampled_from([OLD, NEW]))
def test_hex_prefix_and_base64_are_accepted_from_any_configured_secret(body, secret):
    """Rotation: both secrets verify, and the answer names the one used."""
    signed = SCHEME.sign(secret.value, body)
    for header in (
        signed,
        signed.upper(),
        f"sha256={signed}",
        b64encode(bytes.fromhex(signed)).decode(),
        f" {signed} ",
    ):
        assert SCHEME.verify([OLD, NEW], body, header) == secret.key_id


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, MissingSignature),
        ("", MissingSignature),
        ("  ", MissingSignature),
        ("zz", MalformedSignature),
        ("sha256=", MalformedSignature),
        ("é" * 64, MalformedSignature),
        ("ab" * 31, MalformedSignature),
        ("ab" * 32, WrongSignature),
    ],
)
def test_what_proves_nothing_is_refused_by_name(header, error):
    """Missing, malformed and wrong are told apart."""
    with pytest.raises(error):
        SCHEME.verify([OLD], b"{}", header)


@given(st.text(), st.binary())
def test_verify_raises_nothing_but_signature_errors(header, body):
    """Whatever the header holds."""
    with pytest.raises(SignatureError):
        SCHEME.verify([OLD, NEW], body, header)


def test_secrets_do_not_show_in_representations():
    """A secret in a log line would be a leak."""
    assert "old secret" not in repr(OLD)
