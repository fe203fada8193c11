"""The prepared HMAC is the plain one, only faster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.prepared_hmac import PreparedHmacSha256
from sori.errors import SignatureError
from sori.signature import HmacSha256, Secret


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_it_accepts_what_the_plain_one_signs_with_any_key(secret: bytes, body: bytes) -> None:
    header = HmacSha256().sign(secret, body)
    secrets = [Secret("other", b"other" + secret), Secret("it", secret)]
    for form in (header, header.upper(), f"sha256={header}", f" {header} "):
        assert PreparedHmacSha256().verify(secrets, body, form) == "it"


@given(st.one_of(st.none(), st.text(max_size=70), st.text("0123456789abcdef", min_size=64, max_size=64)))
def test_it_refuses_what_the_plain_one_refuses_with_the_same_error(header: str | None) -> None:
    secrets = [Secret("it", b"secret")]
    with pytest.raises(SignatureError) as plain:
        HmacSha256().verify(secrets, b"body", header)
    with pytest.raises(SignatureError) as ours:
        PreparedHmacSha256().verify(secrets, b"body", header)
    assert type(ours.value) is type(plain.value)
