"""Admission: signature, schema, account, time; and no bytes that make it raise."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.admit import AdmissionPolicy, Admitted, Refused, admit
from ingest.admission.endpoint_table import Endpoint, make_table
from ingest.admission.endpoints import make_secret
from ingest.admission.outcomes import Outcome
from sori.records import parse_headers
from sori.signature import HmacSha256
from testkit.records import body

NOW = 1_760_419_513_000
SIGNED = Endpoint(
    "acme", "/webhooks/acme", frozenset({"acc_1"}), (make_secret("app", "one"), make_secret("app", "two"))
)
OPEN = Endpoint("open", "/webhooks/open")
RULES = AdmissionPolicy(make_table([SIGNED, OPEN]), HmacSha256(), "t.events", 300_000)


def sign(raw: bytes, key: str = "one") -> str:
    return HmacSha256().sign(key.encode(), raw)


def test_a_signed_event_is_stored_as_received_with_everything_known_in_its_headers() -> None:
    raw = body()
    decision = admit(RULES, SIGNED, raw, sign(raw), NOW)
    assert isinstance(decision, Admitted)
    record = decision.record
    assert (record.topic, record.key, record.value, record.timestamp_ms) == ("t.events", b"dev_1", raw, NOW)
    headers = parse_headers(record.headers)
    assert [name for name, _ in record.headers] == ["account", "event", "endpoint", "verified", "key_id", "identity"]
    assert (headers.account, headers.endpoint, headers.verified) == ("acc_1", "acme", True)
    assert headers.key_id == SIGNED.secrets[0].key_id
    assert headers.identity == "act_1"


def test_any_of_several_secrets_admits_and_the_header_says_which() -> None:
    raw = body()
    decision = admit(RULES, SIGNED, raw, sign(raw, "two"), NOW)
    assert isinstance(decision, Admitted)
    assert parse_headers(decision.record.headers).key_id == SIGNED.secrets[1].key_id


def test_an_unsigned_endpoint_admits_and_says_so() -> None:
    decision = admit(RULES, OPEN, body(account_id="acc_9"), None, NOW)
    assert isinstance(decision, Admitted)
    assert not parse_headers(decision.record.headers).verified


@pytest.mark.parametrize("signature", [None, "", "zz", "sha256=", "0" * 64, "\u00e9", "a" * 10_000])
def test_no_signature_or_a_wrong_one_is_unauthorized(signature: str | None) -> None:
    decision = admit(RULES, SIGNED, body(), signature, NOW)
    assert isinstance(decision, Refused)
    assert decision.outcome is Outcome.UNAUTHORIZED
    assert not decision.verified


def test_another_account_is_forbidden_even_with_a_good_signature() -> None:
    raw = body(account_id="acc_2")
    decision = admit(RULES, SIGNED, raw, sign(raw), NOW)
    assert isinstance(decision, Refused)
    assert decision.outcome is Outcome.FORBIDDEN


def test_a_secret_proves_its_account_at_any_url_and_no_other_account() -> None:
    """SORI signs with the account's secret whichever of its URLs an event goes to."""
    other = Endpoint("other", "/webhooks/other", frozenset({"acc_2"}), (make_secret("", "two's"),))
    everyone = Endpoint("global", "/webhooks/sori", secrets=(make_secret("", "global"),))
    rules = replace(RULES, table=make_table([SIGNED, other, everyone]))
    for endpoint in (other, everyone, SIGNED):
        raw = body()
        decision = admit(rules, endpoint, raw, sign(raw), NOW)
        assert isinstance(decision, Admitted)
        headers = parse_headers(decision.record.headers)
        assert (headers.endpoint, headers.verified) == (endpoint.name, True)
        assert headers.key_id == SIGNED.secrets[0].key_id
    stolen = body(account_id="acc_2")
    for endpoint in (other, everyone, SIGNED):
        decision = admit(rules, endpoint, stolen, sign(stolen), NOW)
        assert isinstance(decision, Refused), "the secret of acc_1 is no proof of acc_2"
        assert (decision.outcome, decision.verified) == (Outcome.FORBIDDEN, True)


def test_an_account_that_an_endpoint_lists_cannot_be_claimed_at_an_open_one() -> None:
    decision = admit(RULES, OPEN, body(account_id="acc_1"), None, NOW)
    assert isinstance(decision, Refused)
    assert decision.outcome is Outcome.FORBIDDEN


@pytest.mark.parametrize(
    ("changes", "kind", "field"),
    [
        ({"event": "campaign.unknown"}, "unknown_event", "event"),
        ({"event": None}, "schema", "event"),
        ({"created_at": None}, "schema", "created_at"),
        ({"created_at": "yesterday"}, "schema", "created_at"),
        ({"account_id": 7}, "schema", "account_id"),
        ({"device_id": "d" * 513}, "schema", "device_id"),
        ({"campaign": {"id": "é" * 257}}, "schema", "campaign.id"),
        ({"created_at": "1999-12-31T23:59:59Z"}, "schema", "created_at"),
        ({"created_at": "2100-01-01T00:00:00Z"}, "schema", "created_at"),
        ({"created_at": "2025-10-14T06:25:12.421Z"}, "clock_skew", "created_at"),
    ],
)
def test_a_refusal_names_field_reason_and_account(changes: dict[str, object], kind: str, field: str) -> None:
    raw = body(**changes)
    decision = admit(RULES, SIGNED, raw, sign(raw), NOW)
    assert isinstance(decision, Refused)
    assert (decision.outcome, decision.kind, decision.field) == (Outcome.INVALID, kind, field)
    assert decision.reason
    assert (decision.account, decision.verified) == ("acc_1", True)


def test_an_event_from_a_slightly_fast_clock_or_the_distant_past_is_admitted() -> None:
    for created in ("2025-10-14T05:29:00Z", "2000-01-01T00:00:00Z"):
        raw = body(created_at=created)
        assert isinstance(admit(RULES, SIGNED, raw, sign(raw), NOW), Admitted)


@pytest.mark.parametrize("name", ["admin.material.created", "admin.material.archived"])
def test_every_admin_material_event_is_kept(name: str) -> None:
    raw = body(event=name)
    assert isinstance(admit(RULES, SIGNED, raw, sign(raw), NOW), Admitted)


@given(st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=100)))
def test_no_bytes_and_no_signature_make_it_raise(raw: bytes, signature: str | None) -> None:
    assert isinstance(admit(RULES, SIGNED, raw, signature, NOW), Refused)
    assert isinstance(admit(RULES, OPEN, raw, signature, NOW), Refused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = ["event", "account_id", "created_at", "activity_id", "device_id", "metadata", "geolocation", "campaign"]


@given(st.dictionaries(st.sampled_from([*FIELDS, "material", "timestamp", "tags", "other"]), JSON, max_size=8))
def test_any_json_in_any_field_is_admitted_or_refused_with_a_reason(changes: dict[str, object]) -> None:
    raw = json.dumps({**json.loads(body()), **changes}).encode()
    decision = admit(RULES, SIGNED, raw, sign(raw), NOW)
    if isinstance(decision, Refused):
        assert decision.outcome in (Outcome.INVALID, Outcome.MALFORMED, Outcome.FORBIDDEN)
        assert decision.detail
    else:
        assert decision.record.value == raw


@given(st.data())
def test_no_change_of_a_signed_body_passes(data: st.DataObject) -> None:
    raw = body()
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]
    decision = admit(RULES, SIGNED, changed, sign(raw), NOW)
    assert isinstance(decision, Refused)
    assert decision.outcome is Outcome.UNAUTHORIZED


def test_headers_of_one_sender_are_shared_but_never_mixed_up() -> None:
    first, second = body(account_id="acc_1"), body(account_id="acc_9")
    one = admit(RULES, SIGNED, first, sign(first), NOW)
    other = admit(RULES, OPEN, second, None, NOW)
    again = admit(replace(RULES, max_skew_ms=int(time.time() * 1000)), SIGNED, first, sign(first), NOW)
    assert isinstance(one, Admitted)
    assert isinstance(other, Admitted)
    assert isinstance(again, Admitted)
    assert parse_headers(other.record.headers).account == "acc_9"
    assert one.record.headers == again.record.headers
