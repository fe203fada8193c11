"""`ingest.signature_mode = observe`: nothing is refused for its signature, and we learn how SORI signs."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from sori.records import parse_headers
from testkit.records import body
from testkit.running_ingress import SECRET, Running, running

WRONG = "00" * 32


async def metric(it: Running, name: str, **labels: str) -> float:
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    for line in (await it.get("/metrics"))[1].splitlines():
        found = re.fullmatch(rf"{name}{{(.*)}} (\S+)", line)
        if found and wanted <= set(found[1].split(",")):
            return float(found[2])
    return 0.0


@pytest.mark.parametrize(
    ("signature", "reason"), [(None, "missing"), ("nonsense", "malformed"), (WRONG, "wrong")], ids=str
)
async def test_what_is_not_proven_is_stored_unverified_and_says_why(
    tmp_path: Path, signature: str | None, reason: str
) -> None:
    headers = {} if signature is None else {"X-SORI-Signature": signature}
    async with running(tmp_path, signature_mode="observe") as it:
        before = await metric(it, "sori_ingest_unproven_events_total", reason=reason)
        assert (await it.post(secret=None, headers=headers))[0] == 200
        (record,) = it.log.stored
        known = parse_headers(record.headers)
        assert (record.topic, known.verified, known.key_id) == ("sori.events", False, f"unproven:{reason}")
        assert await metric(it, "sori_ingest_unproven_events_total", reason=reason) == before + 1


async def test_what_is_proven_is_stored_as_ever(tmp_path: Path) -> None:
    async with running(tmp_path, signature_mode="observe") as it:
        assert (await it.post())[0] == 200
        assert parse_headers(it.log.stored[0].headers).verified


async def test_what_would_have_made_the_signature_is_counted(tmp_path: Path) -> None:
    name, labels = "sori_ingest_signature_guesses_total", {"message": "body", "key": "secret"}
    raw = body()
    async with running(tmp_path, signature_mode="observe") as it:
        before = await metric(it, name, algorithm="hmac_sha1", **labels)
        signature = hmac.new(SECRET.encode(), raw, hashlib.sha1).hexdigest()
        assert (await it.post(raw, secret=None, headers={"X-SORI-Signature": f"sha1={signature}"}))[0] == 200
        assert await metric(it, name, algorithm="hmac_sha1", **labels) == before + 1


async def test_a_flood_of_strangers_is_guessed_at_only_now_and_then(tmp_path: Path) -> None:
    """A guess costs milliseconds of the loop, and anybody can ask for one."""
    name = "sori_ingest_signature_guesses_total"
    async with running(tmp_path, signature_mode="observe") as it:
        before = await metric(it, name, algorithm="none")
        for _ in range(60):
            assert (await it.post(secret="wrong"))[0] == 200
        assert 1 <= await metric(it, name, algorithm="none") - before < 40


async def test_what_nobody_proved_and_is_no_event_is_refused_and_not_held(tmp_path: Path) -> None:
    """Observing opens the door for events, not the quarantine for everybody."""
    async with running(tmp_path, signature_mode="observe") as it:
        assert (await it.post(body(event="campaign.share"), secret="wrong"))[0] == 422
        assert it.log.stored == []
