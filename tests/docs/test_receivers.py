"""The examples of receivers, run as they stand: they take what we sign, once, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import orjson
import pytest

from notify.formats import body_of
from sori.alerting.standard_webhooks import new_secret, signed_headers
from testkit.alerts import alert
from testkit.paths import ROOT

EXAMPLES = ROOT / "docs/examples"
SECRET = new_secret()
BODY = body_of("standard", orjson.dumps(alert(subject="dev_91c0")), "2026-11-24T14:50:02.284Z")
COMMANDS = {"receiver.py": [sys.executable], "receiver.mjs": [shutil.which("node") or "node"]}


@pytest.fixture(params=sorted(COMMANDS))
def receiver(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """One of them on a free port, and its address."""
    command = COMMANDS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{request.param}: there is no {command[0]} here")
    env = {"PATH": os.environ["PATH"], "WEBHOOK_SECRET": SECRET}
    path = str(EXAMPLES / request.param)
    with subprocess.Popen([*command, path, "0"], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, f"http://127.0.0.1:{process.stdout.readline().split()[-1]}/"
        finally:
            process.kill()


def post(url: str, headers: dict[str, str], body: bytes = BODY) -> int:
    """The status that it answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_it_takes_what_we_signed_and_nothing_else(receiver):
    """Also by a former secret beside the new one; a wrong body, an old time, another secret and none are refused."""
    process, url = receiver
    now = int(time.time())
    good = signed_headers([SECRET], "msg_1", now, BODY)
    wrong = [
        post(url, good, BODY + b" "),
        post(url, signed_headers([SECRET], "msg_2", now - 3600, BODY)),
        post(url, signed_headers([new_secret()], "msg_3", now, BODY)),
        post(url, {**good, "webhook-id": "msg_4"}),
        post(url, {}),
    ]
    assert wrong == [401] * 5
    assert [post(url, good), post(url, good)] == [204, 204]
    assert post(url, signed_headers([new_secret(), SECRET], "msg_5", now, BODY)) == 204
    assert [process.stdout.readline().split() for _ in range(2)] == [["opened", "device_click_burst", "dev_91c0"]] * 2
