"""`sori subscribers` and `sori tokens` on a real Kafka: every subcommand, readable at 80 columns, with clear errors."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from testkit.alerts import Receiver, alert, producing, publish
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

_LOCAL = {"SORI_NOTIFY__ALLOW_HTTP": "true", "SORI_NOTIFY__ALLOW_NETWORKS": "127.0.0.0/8"}


class Sori:
    """`sori` at 80 columns, with the settings of a test."""

    def __init__(self, kafka: KafkaSettings, data_dir: Path) -> None:
        self.env = {
            **os.environ,
            **_LOCAL,
            "SORI_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "SORI_DATA_DIR": str(data_dir),
            "COLUMNS": "80",
        }
        self._bootstrap = kafka.bootstrap

    async def __call__(self, *words: str, code: int = 0, kafka: bool = True) -> str:
        """Run to the end; returns what it printed, of which no line is longer than the terminal is wide."""
        command = [sys.executable, "-m", "cli.main", *words]
        command += ["--bootstrap", self._bootstrap] if kafka else []
        done = await asyncio.to_thread(
            subprocess.run, command, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        if words[1] in {"list", "attempts"} and "--json" not in words:
            assert max(map(len, done.stdout.splitlines()), default=0) <= 80
        return done.stdout + done.stderr


@pytest.fixture
def sori(topics: KafkaSettings, tmp_path: Path) -> Sori:
    """The command."""
    return Sori(topics, tmp_path / "data")


async def test_a_subscriber_from_add_to_remove(sori: Sori, topics: KafkaSettings, tmp_path: Path) -> None:
    """Every subcommand once, with `sori notify` running: what it says is what the subscriber gets."""
    process = StageProcess("notify", topics, tmp_path / "notify.log", {**_LOCAL, "SORI_NOTIFY__ADMIN_PORT": "0"})
    process.start()
    try:
        async with Receiver().running() as receiver, producing(topics) as producer:
            added = await sori("subscribers", "add", receiver.url, "--name", "ops", "--severity", "high")
            full, receiver.secret = re.fullmatch(r"(sub_[0-9a-f]{32})\nsecret: (whsec_\S+)\n", added).groups()
            short = full[:12]
            assert "204" in await sori("subscribers", "test", short)
            await sori("subscribers", "pause", short)
            listed = await sori("subscribers", "list")
            assert "paused" in listed
            assert "ops" in listed
            assert short in listed
            assert receiver.url not in listed  # the path, or a user, is a credential with many services
            whole = await sori("subscribers", "list", "--json", "--urls")
            assert json.loads(whole)["url"] == receiver.url
            assert json.loads(await sori("subscribers", "list", "--json"))["url"] != receiver.url
            await publish(producer, topics, alert(alert_id="a"), alert(alert_id="b", severity="low"))
            assert "resumed" in await sori("subscribers", "pause", short, "--resume")
            await wait_until(lambda: len(receiver.ids) == 2)
            rotated = await sori("subscribers", "rotate", short, "--grace-s", "60")
            receiver.secret = rotated.split()[-1]
            await sori("subscribers", "redeliver", short, "--since", "1h")
            await wait_until(lambda: len(receiver.ids) == 3)
            assert receiver.ids[1:] == ["msg_a_4", "msg_a_4"]
            assert not receiver.wrong
            assert "removed" in await sori("subscribers", "remove", full)
            assert full[4:12] not in await sori("subscribers", "list")
            assert process.stop() == 0
    finally:
        process.stop()


REFUSED = [
    (("subscribers", "add", "ftp://example.com/"), "https://"),
    (("subscribers", "add", "https://10.0.0.1/"), "not a public address"),
    (("subscribers", "add", "https://example.com/", "--severity", "dire"), "'dire' is none of low"),
    (("subscribers", "add", "https://example.com/", "--format", "xml"), "none of standard, slack"),
    (("subscribers", "add", "https://example.com/", "--name", "a\nb"), "printable"),
    (("subscribers", "pause", "nobody"), "0 subscriptions"),
    (("subscribers", "redeliver", "nobody", "--since", "once"), "not a time: 'once'"),
    (("subscribers", "test", "nobody"), "0 subscriptions"),
    (("tokens", "revoke", "nobody"), "no token 'nobody'"),
    (("tokens", "create", "--name", "a\x07"), "printable"),
]


async def test_what_cannot_be_done_is_one_line(sori: Sori) -> None:
    """With exit code 2."""
    for said, (_, says) in zip(
        await asyncio.gather(*[sori(*words, code=2) for words, _ in REFUSED]), REFUSED, strict=True
    ):
        assert says in said
        assert said.startswith("error: ")


async def test_tokens_from_create_to_revoke(sori: Sori) -> None:
    """The text is shown once; the list knows what it may."""
    text = (await sori("tokens", "create", "--account", "acc_1", "--manage", "--name", "ci", "--days", "9")).strip()
    token_id = text.split("_")[1]
    listed = await sori("tokens", "list")
    assert token_id in listed
    assert text.split("_")[2] not in listed
    assert re.search(r"ci\s*│\s*manage\s*│\s*acc_1", listed)
    await sori("tokens", "revoke", token_id)
    assert token_id not in await sori("tokens", "list")


async def test_attempts_are_shown_also_of_a_removed_subscriber(sori: Sori) -> None:
    """By the beginning of its id; an unknown outcome or id is said to be one."""
    row = {
        "subscription_id": "sub_" + "0a" * 16,
        "account_id": "acc_1",
        "webhook_id": "msg_5c2c5bfc-2d1c-5d6a-9f3e-000000000001_4",
        "alert_id": "5c2c5bfc-2d1c-5d6a-9f3e-000000000001",
        "alert_version": 4,
        "attempt": 2,
        "attempted_at": "2026-11-24T14:50:01.250Z",
        "host": "hooks.example.com",
        "status": 0,
        "error": "timeout",
        "outcome": "retry",
        "duration_ms": 15000.2,
        "next_attempt_at": "2026-11-24T14:55:01.250Z",
    }
    with open_client(load_settings(data_dir=sori.env["SORI_DATA_DIR"]).clickhouse_dsn) as client:
        migrations.apply(client)
        lines = [row, {**row, "attempt": 3, "status": 204, "error": "", "outcome": "delivered"}]
        client.raw_insert(
            "delivery_attempts",
            insert_block=b"\n".join(orjson.dumps(line) for line in lines),
            fmt="JSONEachRow",
            settings={"date_time_input_format": "best_effort"},
        )
    shown = await sori("subscribers", "attempts", "0a0a", kafka=False)
    assert "timeout" in shown
    assert "204" in shown
    told = await sori("subscribers", "attempts", "0a0a", "--outcome", "retry", "--json", kafka=False)
    assert row.items() <= json.loads(told[told.index("{") : told.rindex("}") + 1]).items()
    only = await sori("subscribers", "attempts", "sub_0a", "--outcome", "delivered", kafka=False)
    assert "timeout" not in only
    assert "none of delivered" in await sori(
        "subscribers", "attempts", "0a", "--outcome", json.dumps("x"), code=2, kafka=False
    )
    assert "no attempts are stored" in await sori("subscribers", "attempts", "ff", code=2, kafka=False)
