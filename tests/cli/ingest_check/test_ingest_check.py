"""`sori ingest check`: against real ingresses, set up well and badly."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.ingest_check.explain import Verdict, explain
from cli.ingest_check.send import send
from cli.ingest_check.variants import Variant, check_body, variants
from testkit.records import body
from testkit.running_ingress import PATH, SECRET, Running, SteeredLog, running

NOW = "2026-11-28T00:00:00.000+00:00"
ONLY = '[[endpoint]]\nname = "acme"\naccounts = ["acc_1"]\nsecrets = ["s3cret"]\n'


async def verdicts(
    it: Running, *, secret: str = SECRET, account: str = "acc_check", path: str = PATH
) -> dict[str, Verdict]:
    found = {}
    async for variant, status, problem in send(it.url + path, variants(check_body(account, NOW), secret)):
        found[variant.name] = explain(variant, status, problem)
    return found


async def test_a_signed_endpoint_takes_every_variant_and_refuses_what_proves_nothing(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log) as it:
        found = await verdicts(it)
        assert len(found) >= 12
        assert all(verdict.good for verdict in found.values()), found
        assert log.stored == [], "a check is neither stored nor quarantined"


async def test_a_wrong_secret_is_told_in_plain_words(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        found = await verdicts(it, secret="another")
    first = next(iter(found.values()))
    assert not first.good
    assert "none of the endpoint's secrets" in first.meaning


async def test_an_open_door_is_found(tmp_path: Path) -> None:
    """Unsigned, or observing: a wrong signature is taken."""
    for options in ({"unsigned": True}, {"signature_mode": "observe"}):
        async with running(tmp_path, **options) as it:
            found = await verdicts(it)
            assert not found["a wrong signature"].good
            assert "nothing proves" in found["a wrong signature"].meaning
            assert it.log.stored == []


async def test_an_account_that_may_not_post_and_a_wrong_path_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(ONLY)
    async with running(tmp_path, endpoints_file=file) as it:
        (first, *_) = (await verdicts(it, path="/webhooks/acme")).values()
        assert "--account" in first.meaning
        assert (await verdicts(it, path="/webhooks/acme", account="acc_1"))["gzip"].good
        (lost, *_) = (await verdicts(it, path="/webhooks/mistyped", account="acc_1")).values()
        assert lost == Verdict(good=False, meaning="no endpoint has this path")
        assert it.log.stored == [], "nor is a check at a wrong path"


async def test_a_check_proves_nothing_to_a_stranger_and_hides_no_event(tmp_path: Path) -> None:
    """What a stranger gains by the name is a 401; and an event of that name only, of a proven sender, is not stored."""
    async with running(tmp_path) as it:
        for secret in ("wrong", None):
            assert (await it.post(check_body("acc_1", NOW), secret=secret))[0] == 401
        assert (await it.post(body(event="sori.checked")))[0] == 422
        assert (await it.post(body(metadata={"event": "sori.check"})))[0] == 200
        assert [record.topic for record in it.log.stored] == ["sori.quarantine", "sori.events"]


@pytest.mark.parametrize("status", [0, 200, 301, 401, 403, 404, 405, 415, 429, 500, 503])
def test_every_answer_of_anything_at_all_has_a_meaning(status: int) -> None:
    verdict = explain(Variant("x", b""), status, {"detail": "\x1b]0;gotcha\x07"})
    assert verdict.meaning
    assert not verdict.good
    assert verdict.meaning.isprintable()


async def test_the_command_exits_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        for secret, code in ((SECRET, 0), ("another", 1)):
            words = ["ingest", "check", it.url + PATH, "--secret", secret]
            result = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "cli.main", *words],
                check=False,
                capture_output=True,
                text=True,
                env={**os.environ, "COLUMNS": "200"},
            )
            assert result.returncode == code, result.stdout + result.stderr
            assert "base64" in result.stdout
