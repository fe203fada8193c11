"""What a proven sender sent is never dropped: for every outcome that keeps a body, the way there and the way back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.admission.admit import AdmissionPolicy
from ingest.admission.endpoints import load_endpoints
from ingest.admission.outcomes import ANSWERS, Outcome, status_of
from ingest.admission.record import Record
from ingest.http import content_coding
from ingest.quarantine import held as held_module
from ingest.quarantine.held import Held, Stored, fold, marker, readmit
from sori import events, reading
from sori.quarantine import Reason
from sori.records import parse_headers
from sori.settings.ingest import IngestSettings
from sori.signature import HmacSha256
from testkit.records import body
from testkit.running_ingress import PATH, SECRET, SteeredLog, running

ENDPOINTS = '[[endpoint]]\nname = "acme"\naccounts = {accounts}\nsecrets = ["{secret}"]\n'
Patch = Callable[[pytest.MonkeyPatch], None]


def newer_release(known: Callable[[bytes], bytes]) -> Patch:
    """A release that understands what this one does not, by way of `known`."""
    return lambda patch: patch.setattr(held_module, "read", lambda raw, policy: reading.read(known(raw), policy))


@dataclass(frozen=True)
class Case:
    """How a body is refused, and what mends the cause."""

    outcome: Outcome
    raw: bytes = field(default_factory=body)
    path: str = PATH
    coding: str = ""
    ingest: dict[str, object] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()
    mended: dict[str, object] = field(default_factory=dict)
    mended_accounts: tuple[str, ...] = ()
    patch: Patch = lambda _patch: None


SOON = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="milliseconds")
BIG = body(metadata={"x": "y" * 60_000})
CASES = {
    Reason.NOT_JSON: Case(Outcome.MALFORMED, b"%" + body(), patch=newer_release(lambda raw: raw.removeprefix(b"%"))),
    Reason.SCHEMA: Case(
        Outcome.INVALID,
        body(created_at="14.10.2025"),
        patch=newer_release(lambda raw: raw.replace(b"14.10.2025", b"2025-10-14T00:00:00Z")),
    ),
    Reason.UNKNOWN_EVENT: Case(
        Outcome.INVALID,
        body(event="campaign.share"),
        patch=lambda patch: patch.setattr(events, "KNOWN_EVENTS", {*events.KNOWN_EVENTS, "campaign.share"}),
    ),
    Reason.CLOCK_SKEW: Case(Outcome.INVALID, body(created_at=SOON), mended={"max_clock_skew_s": 14400.0}),
    Reason.FORBIDDEN: Case(
        Outcome.FORBIDDEN, path="/webhooks/acme", accounts=("acc_2",), mended_accounts=("acc_2", "acc_1")
    ),
    Reason.NOT_FOUND: Case(Outcome.NOT_FOUND, path="/webhooks/mistyped"),
    Reason.RATE_LIMITED: Case(Outcome.RATE_LIMITED, ingest={"rate_limit_per_s": 1e-9, "rate_burst": 1}),
    Reason.UNREADABLE: Case(
        Outcome.UNSUPPORTED_TYPE,
        gzip.compress(body()),
        coding="new-zip",
        patch=lambda patch: patch.setitem(content_coding._WINDOWS, "new-zip", 31),
    ),
}
MORE = [
    (Reason.UNREADABLE, Case(
        Outcome.TOO_LARGE,
        gzip.compress(BIG),
        coding="gzip",
        ingest={"max_inflated_bytes": 20_000},
    )),
]  # fmt: skip


def test_every_outcome_that_keeps_a_body_and_every_reason_of_the_ingress_is_tried_here() -> None:
    """A new row of the table, or a new reason, is not done before its way back is."""
    tried = [case for _, case in [*CASES.items(), *MORE]]
    assert {case.outcome for case in tried} == {outcome for outcome in Outcome if ANSWERS[outcome].kept}
    assert set(CASES) == set(Reason) - {Reason.UNDECODABLE, Reason.SINK_REJECTED, Reason.REPLAYED}


def settings(tmp_path: Path, accounts: tuple[str, ...], options: dict[str, object]) -> dict[str, object]:
    """Of the ingress: the default endpoint, or one for these accounts only."""
    if not accounts:
        return {"secret_keys": SECRET, **options}
    file = tmp_path / "endpoints.toml"
    file.write_text(ENDPOINTS.format(accounts=json.dumps(accounts), secret=SECRET))
    return {"endpoints_file": file, **options}


def held_of(log: SteeredLog) -> list[Held]:
    return fold(stored_as(log))


def stored_as(log: SteeredLog) -> list[Stored]:
    kept = [record for record in log.stored if record.topic == "sori.quarantine"]
    return [Stored(0, n, r.timestamp_ms, r.headers, r.value) for n, r in enumerate(kept)]


def mended(tmp_path: Path, case: Case) -> AdmissionPolicy:
    options = settings(tmp_path, case.mended_accounts or case.accounts, case.mended)
    ours = IngestSettings.model_validate(options)
    return AdmissionPolicy(
        load_endpoints(ours), HmacSha256(), "sori.events", int(ours.max_clock_skew_s * 1000), ours.max_inflated_bytes
    )


def named(value: object) -> str:
    """The same in every process: no times and no addresses."""
    return value.outcome.value if isinstance(value, Case) else str(value)


@pytest.mark.parametrize(("reason", "case"), [*CASES.items(), *MORE], ids=named)
async def test_what_is_refused_is_held_before_the_answer_and_lands_once_the_cause_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason, case: Case
) -> None:
    """Over HTTP; the answer is an error that names the copy, and the replay is the event as it would have been."""
    log = SteeredLog()
    headers = {"Content-Encoding": case.coding} if case.coding else {}
    async with running(tmp_path, log, **settings(tmp_path, case.accounts, case.ingest)) as it:
        if case.outcome is Outcome.RATE_LIMITED:
            assert (await it.post(body(activity_id="the burst")))[0] == 200
        status, answer, _ = await it.post(case.raw, path=case.path, headers=headers)
    assert (status, answer["type"]) == (
        status_of(case.outcome, verified=True),
        f"urn:sori:problem:{case.outcome.value}",
    )
    (one,) = held_of(log)
    assert (one.reason, one.verified, one.body, one.id) == (reason, True, case.raw, answer["quarantined"])
    case.patch(monkeypatch)
    record = readmit(mended(tmp_path, case), one, one.last_ms)
    assert isinstance(record, Record), record
    known = parse_headers(record.headers)
    assert (record.topic, known.account, known.verified) == ("sori.events", "acc_1", True)
    assert fold([*stored_as(log), Stored(0, 99, one.last_ms + 1, marker("q", one, 0).headers, b"")]) == []


@pytest.mark.parametrize(("reason", "case"), [*CASES.items(), *MORE], ids=named)
async def test_what_nobody_proved_is_not_held(tmp_path: Path, reason: Reason, case: Case) -> None:
    """Or whoever knows the URL could fill the quarantine."""
    headers = {"Content-Encoding": case.coding} if case.coding else {}
    async with running(tmp_path, **settings(tmp_path, case.accounts, case.ingest)) as it:
        for secret in ("wrong", None):
            status, answer, _ = await it.post(case.raw, path=case.path, headers=headers, secret=secret)
            assert 400 <= status < 500, reason
            assert "quarantined" not in answer
        assert it.log.stored == []


@pytest.mark.parametrize("reason", [Reason.FORBIDDEN, Reason.NOT_FOUND, Reason.SCHEMA], ids=str)
async def test_where_nothing_can_hold_the_copy_the_answer_is_503_so_that_sori_tries_again(
    tmp_path: Path, reason: Reason
) -> None:
    """Neither Kafka nor the disk: an error for good would be a promise that nobody keeps."""
    log, case = SteeredLog(), CASES[reason]
    log.up = False
    options = settings(tmp_path, case.accounts, {**case.ingest, "spool_max_bytes": 1})
    async with running(tmp_path, log, **options) as it:
        status, answer, _ = await it.post(case.raw, path=case.path)
        assert (status, "quarantined" in answer) == (503, False)


async def test_the_retries_of_one_event_are_one_row_though_each_has_its_own_timestamp(tmp_path: Path) -> None:
    """SORI renews `timestamp` with every delivery, so the bytes of a retry differ, and so does the signature."""
    log = SteeredLog()
    async with running(tmp_path, log) as it:
        for second in range(4):
            stamped = body(event="campaign.share", timestamp=f"2025-10-14T05:25:1{second}.000Z")
            for raw in (stamped, b"%" + stamped):
                assert (await it.post(raw))[0] == 422
        await it.post(body(event="campaign.share", activity_id="another", timestamp="2025-10-14T05:25:10.000Z"))
        await it.post(body(event="campaign.share", metadata={"timestamp": "1"}))
        await it.post(body(event="campaign.share", metadata={"timestamp": "2"}))
    assert sorted(one.times for one in held_of(log)) == [1, 1, 1, 4, 4]
