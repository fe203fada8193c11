"""Signatures: what is accepted, and that nothing else ever is."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import MalformedSignature, MissingSignature, SignatureError, WrongSignature
from sori.signature import MOST_SIGNATURES, HmacSha256, Secret, claimed_digests

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


def spellings(signed: str) -> list[str]:
    """Every way in which one digest may be written."""
    digest = bytes.fromhex(signed)
    forms = [signed, signed.upper(), b64encode(digest).decode(), urlsafe_b64encode(digest).decode()]
    forms += [form.rstrip("=") for form in forms[2:]]
    labels = ("", "sha256=", "SHA256=", "Sha256=", "v1=", "hmac-sha256:")
    return [label + form for label in labels for form in (*forms, f'"{forms[0]}"')]


@given(st.binary(max_size=100), st.sampled_from([OLD, NEW]))
def test_any_spelling_of_the_digest_proves_the_sender(body, secret):
    """The contract names neither encoding nor label; a wrong guess must not cost events."""
    for header in spellings(SCHEME.sign(secret.value, body)):
        assert SCHEME.verify([OLD, NEW], body, header) == secret.key_id


@given(
    st.lists(st.sampled_from(["00" * 32, "sha256=" + "ff" * 32, "t=1492774577", "v1", "nonsense", "="]), max_size=6),
    st.data(),
)
def test_one_of_several_signatures_is_enough(others, data):
    """While a secret is rotated the sender signs twice, and which comes first is nobody's promise."""
    body = b"{}"
    ours = data.draw(st.sampled_from(spellings(SCHEME.sign(OLD.value, body))))
    at = data.draw(st.integers(0, len(others)))
    for separator in (",", ", ", " ", ";", " , "):
        header = separator.join([*others[:at], ours, *others[at:]])
        assert SCHEME.verify([OLD], body, header) == "old"


def test_none_of_several_signatures_is_wrong_and_not_malformed():
    """401 either way, but the log tells a wrong secret from a wrong format."""
    with pytest.raises(WrongSignature):
        SCHEME.verify([OLD], b"{}", f"sha256={'00' * 32},sha256={'11' * 32}")


def test_a_header_full_of_signatures_is_tried_only_so_far():
    """Cost is bounded, whoever sends."""
    header = ",".join([*["00" * 32] * MOST_SIGNATURES, SCHEME.sign(OLD.value, b"{}")])
    assert len(claimed_digests(header)) == MOST_SIGNATURES
    with pytest.raises(WrongSignature):
        SCHEME.verify([OLD], b"{}", header)


@given(st.binary(min_size=32, max_size=32))
def test_what_is_read_from_any_spelling_is_the_digest_itself(digest):
    """No spelling loses a bit."""
    for form in spellings(digest.hex()):
        assert claimed_digests(form) == [digest]


def test_secrets_do_not_show_in_representations():
    """A secret in a log line would be a leak."""
    assert "old secret" not in repr(OLD)
