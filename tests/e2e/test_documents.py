"""Every shell block of README and docs, in order, as a newcomer pastes it; and why a block cannot run here.

One newcomer goes through the pages beside one `sori up` on ports of this test, each block in a shell of its own as in a
new terminal. A block that is neither run nor named with a reason fails the test. docs/connect.md: test_connect.py.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from testkit.documents import Block, blocks, every_block
from testkit.listener import receiver
from testkit.paths import ROOT, SAMPLES
from testkit.wait import wait_until
from tests.e2e.test_up import Up, stopped, up

pytestmark = pytest.mark.timeout(900)

#: In this order: the next one finds what the one before has left, such as alerts and verdicts.
PAGES = ("README.md", "docs/queries.md", "docs/fraud.md", "docs/teams.md", "docs/alerts.md", "docs/operations.md")
#: (page, text of the block) -> why it is not run here, and what runs it.
NOT_RUN = {
    ("README.md", "make setup"): "it made the environment that this test runs in; the rest of the block is run",
    ("README.md", "make demo"): "tests/e2e/test_demo.py runs it",
    ("README.md", "make up"): "`sori up` on ports of this test stands for it",
    ("CONTRIBUTING.md", "make test"): "what CI runs; a test would run itself. Hooks: tests/test_hooks.py",
    ("docs/fraud.md", "make eval-field"): "10 minutes; tests/bench/test_fraud_field.py runs a short one",
    ("docs/operations.md", "pip install"): "a collector of the reader; tests/e2e/test_tracing.py",
    (
        "docs/performance.md",
        "make bench-streams",
    ): "half an hour; tests/bench/test_streams_bench.py, test_commands.py",
    ("docs/performance.md", "bench.streams.growth"): "half an hour; options: tests/docs/test_commands.py",
}
#: What is run by another test as it stands.
ELSEWHERE = ("docs/connect.md", "docs/api/")
#: What a page asks for -> what stands for it here.
IN_PLACE = {
    r"^make setup.*$": "",
    r"^make test check.*$": "",  # CI does
    r"^source .venv/bin/activate.*$": "",
    r"^make eval-fraud ARGS=\"--seeds 20 (.*)\"": r"python -m bench.fraud --seeds 1 --scenarios device-flood \1",
    r"http://127\.0\.0\.1:8080/webhooks/sori": "{webhook}",
    r"http://127\.0\.0\.1:8081": "{api}",
    r"https://example\.com/hook": "{receiver}",
    r"--account acc_1$": "",  # whose alerts there are, this test does not know
    r"--rate 100 --duration 60": "--rate 100 --duration 20",
    r"--rate 500 --duration 60": "--rate 100 --duration 5",
    r"--since 30d --until 7d": "--since 1d --least 1",  # the pipeline is minutes old
    r"^(sori alerts --follow|curl -N .*)$": r"timeout -s INT 5 \1 || test $? = 124",  # Ctrl-C
    r"\b6f2c91d0\b": "{alert}",
    r"\b91be07aa\b": "{incident}",
    r"\bsub_5d21f0c8\b": "{subscription}",
    r"\b3f0c9a17\b": "{token}",
}
#: Begin of a block -> what it prints, over several lines.
PRINTS = {
    "make setup": r"\d+\.\d+",
    "sori alerts   ": r"device_click_burst.*observed \d.*Thresholds in force now",
    "body=": r'"status":"accepted".*Cologne',
    "sori ctr --by campaign,platform --country": r'95 % interval.*"by": ?\["campaign", "platform"\]',
    "sori ctr --by campaign,platform --since": r'95 % interval.*"minute","city".*"by": ?\["place"\]',
    "sori verdict": r"is confirmed.*false positive; lets pass.*is withdrawn.*incident .* is false positive; lets pass",
    "cat > new.toml": r"device_click_burst.floor: 20 -> 15.*alerts written to changes.csv",
    "sori alerts --follow": r"device_click_burst.*Row 1:.*observed \d.*device_click_burst.floor: 20 -> 15",
    "make test check": r"fraud in it: .*Usage: sori",
    "sori subscribers add http": r"sub_\w+\nsecret: whsec_",
    "sori subscribers list": r"active.*answered 204 after.*paused.*resumed.*again.*delivered.*secret: whsec_.*removed",
    "sori subscribers add mailto": r"(sub_\w+\nsecret: whsec_\S+\s+){2}",
    "curl -N": r"retry: \d+\nid: \S+",
    "sori tokens create": r"sori_\w+.*acc_1.*revoked",
}
SIMULATE = "sori simulate --url http://127.0.0.1:8080/webhooks/sori --rate 100 --duration 60"
#: Receivers on this machine are let in, as whoever tries it out would do.
NOTIFY = {"SORI_NOTIFY__ALLOW_HTTP": "true", "SORI_NOTIFY__ALLOW_NETWORKS": "127.0.0.0/8"}


class Newcomer:
    """Pastes blocks beside a pipeline; files that a block writes are in `folder`."""

    def __init__(self, pipeline: Up, folder: Path, receiver: str) -> None:
        self.pipeline, self.folder = pipeline, folder
        self._known = {
            "webhook": pipeline.found(r"webhook    (\S+)"),
            "api": pipeline.found(r"live page  (\S+)/"),
            "receiver": receiver,
        }

    @property
    def env(self) -> dict[str, str]:
        """A new terminal, where `sori doctor` finds no port of ours taken."""
        stages = ("INGEST", "STREAMS", "SINKS", "NOTIFY")
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),  # of the benches
            "SORI_DATA_DIR": str(self.folder / "data"),
            "SORI_API__PORT": self._known["api"].rpartition(":")[2],
            **{f"SORI_{stage}__ADMIN_PORT": "0" for stage in stages},
            **{f"SORI_{stage}__PORT": "0" for stage in ("INGEST", "BROKER")},
            **NOTIFY,
        }

    def paste(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a block; what IN_PLACE names is this test's, all else is as it stands."""
        for pattern, stands in IN_PLACE.items():
            if re.search(pattern, text, re.MULTILINE):
                text = re.sub(pattern, self._filled(stands), text, flags=re.MULTILINE)
        run = {"cwd": self.folder, "env": self.env, "capture_output": True, "text": True, "timeout": 240}
        return subprocess.run(["bash", "-ec", text], **run, check=False)

    def tried(self, block: Block) -> bool:
        """Paste it: it ends well, and prints what it should."""
        answer = self.paste(block.text)
        expected = next((shown for begin, shown in PRINTS.items() if block.text.startswith(begin)), "")
        good = answer.returncode == 0 and re.search(expected, answer.stdout, re.DOTALL)
        assert good, f"{block}\n{block.text}\n{answer.stdout}\n{answer.stderr}"
        return True

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: self._known.get(name[1]) or self._asked(name[1]), text)

    def _asked(self, name: str) -> str:
        """How the newest of its kind begins, as a reader would look it up."""
        if name == "token":  # it is made in the same block
            return "$(sori tokens list | grep -o '[0-9a-f]\\{16\\}' | tail -1)"
        listed = {"alert": "alerts", "incident": "incidents", "subscription": "subscribers list"}
        newest = self.paste(f"sori {listed[name]} --json").stdout.splitlines()[-1]
        return str(json.loads(newest)["id" if name == "subscription" else f"{name}_id"])[:12]

    async def has_alerts(self) -> None:
        """Wait until the traffic of the first page has raised some; send it, where that page was not run."""
        if self.pipeline.query("SELECT count() FROM events_current") == ["0"]:
            assert not self.paste(SIMULATE).returncode
        for view in ("alerts_current", "incidents_current"):
            counting = f"SELECT count() FROM {view}"  # noqa: S608 - ours
            await wait_until(lambda counting=counting: self.pipeline.query(counting) not in ([], ["0"]), 60)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a subscriber who takes everything."""
    with receiver() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def newcomer(tmp_path_factory: pytest.TempPathFactory, address: str) -> AsyncIterator[Newcomer]:
    """Beside a pipeline that has had a minute's traffic with attacks, once the first page has run."""
    folder = tmp_path_factory.mktemp("newcomer")
    with up(folder, None, **NOTIFY) as pipeline:
        await pipeline.is_up()
        yield Newcomer(pipeline, folder, address)
        await stopped(pipeline)


def is_run(block: Block) -> bool:
    """Whether it is pasted here: not one that NOT_RUN names, unless a part of it is replaced."""
    return not any(block.page == page and text in block.text for page, text in NOT_RUN if text != "make setup")


def test_no_block_of_any_page_is_left_out_silently() -> None:
    """Each is run, here or elsewhere, or named with the reason; what is named is there."""
    every = every_block("sh")
    others = [block for block in every if block.page not in PAGES and not block.page.startswith(ELSEWHERE)]
    assert [str(block) for block in others if is_run(block)] == []
    for page, text in NOT_RUN:
        assert any(block.page == page and text in block.text for block in every), text
    run = [block.text for page in PAGES for block in blocks(ROOT / page, "sh") if is_run(block)]
    assert [begin for begin in PRINTS if not any(text.startswith(begin) for text in run)] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("page", PAGES)
async def test_a_page_works_as_it_stands(page: str, newcomer: Newcomer) -> None:
    """Each block ends well and prints what it should."""
    run = [block for block in blocks(ROOT / page, "sh") if is_run(block)]
    assert run
    for block in run:
        if "sori alerts" in block.text or page != PAGES[0]:
            await newcomer.has_alerts()
        if block.text.endswith("sori ingest\n"):
            await serves_endpoints(block, newcomer)
        elif "curl -w" in block.text:  # "a second later it can be asked for": pasted again until then
            await wait_until(lambda block=block: newcomer.tried(block), 60)
        else:
            assert newcomer.tried(block)


async def serves_endpoints(block: Block, newcomer: Newcomer) -> None:
    """`sori ingest` with the endpoints of the block before: a campaign's own address takes its account only."""
    (newcomer.folder / "acme.secret").write_text("a-secret-of-acme")
    (newcomer.folder / "endpoints.toml").write_text(blocks(ROOT / block.page, "toml")[-1].text)
    log = newcomer.folder / "ingest.log"
    own = {"SORI_DATA_DIR": str(newcomer.folder / "own"), "SORI_LOG__FORMAT": "json"}
    env = {**newcomer.env, **own, "SORI_KAFKA__BOOTSTRAP": newcomer.pipeline.found(r"kafka      (\S+)")}
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220 - a test may block
            ["bash", "-ec", f"exec env {block.text}"], cwd=newcomer.folder, env=env, stderr=out
        )
    try:
        await wait_until(lambda: '"port"' in log.read_text() or process.poll() is not None, 60)
        port = re.search(r'"port": ?(\d+)', log.read_text())
        assert port is not None, log.read_text()
        for account, status in (("acc_123456", 200), ("acc_2", 403)):
            assert post(f"http://127.0.0.1:{port[1]}/webhooks/fall", account, "a-secret-of-acme") == status
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def post(url: str, account: str, secret: str) -> int:
    """Send a signed event of the account; the status."""
    body = (SAMPLES / "click.json").read_text().replace("acc_123456", account).encode()
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    headers = {"X-SORI-Signature": signature, "Content-Type": "application/json"}
    return httpx.post(url, content=body, headers=headers).status_code
