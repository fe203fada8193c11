"""Every command that prints what others wrote, on data that looks like markup, acts on terminals, or hides.

The commands are enumerated from the application itself: a new one must say here what it prints, or why nothing.
"""

from __future__ import annotations

import ast
import asyncio
import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import pytest
import typer
from typer.testing import CliRunner

from cli.main import build
from runtime.kafka import clients
from runtime.kafka.compacted_table import CompactedTable
from sori.alerting.subscriptions import Subscription, encode
from sori.alerting.tokens import encode as encode_token
from sori.alerting.tokens import new_token
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import API_TOKENS, QUARANTINE, SUBSCRIPTIONS
from sori.visible import visible
from testkit.alerts import SECRET
from testkit.clickhouse_fixtures import open_with_schema
from testkit.history import scenario

ROOT = Path(__file__).parents[2]
HOSTILE = "[/x][object Object] [red]r :bomb: \x1b]0;t\x07\x1b[2J\x9b31m\r\u202eb\u200b\\"
SHOWN = visible(HOSTILE)
SUB = "sub_0" + HOSTILE
ALERT = "6f2c91d0-0000-5000-8000-000000000001"

INCIDENT = {
    "incident_id": "7f2c91d0-0000-5000-8000-000000000001",
    **dict.fromkeys(("account_id", "state", "severity", "story"), HOSTILE),
    **{key: [HOSTILE] for key in ("rules", "subjects", "devices", "places", "campaigns", "affected_campaigns")},
    "alerts": json.dumps([dict.fromkeys(("alert_id", "state", "severity", "rule", "story"), HOSTILE)]),
}
COLUMNS = ["raw", "received_ms", "kafka_partition", "kafka_offset"]
COLUMNS += [f"header_{name}" for name in ("account", "event", "endpoint", "verified", "key_id", "identity")]

#: Command -> its arguments on hostile data in ClickHouse, and whether what it prints names it.
STORED = {
    "query": ["SELECT device_id FROM events_current"],
    "ctr": ["--by", "campaign"],
    "alerts": [],
    "explain": [ALERT],
    "verdicts": [],
    "incidents": [],
    "verify": [],
    "audit": [],
    "fields": [],
    "subscribers attempts": [SUB],
    "forget": ["--device", HOSTILE + "x", "--yes"],
}
#: The same for what Kafka holds.
HELD = {
    "quarantine list": [],
    "quarantine show": None,
    "quarantine replay": ["--all"],
    "subscribers list": [],
    "subscribers pause": [SUB],
    "subscribers rotate": [SUB],
    "subscribers redeliver": [SUB, "--since", "1h"],
    "subscribers remove": [SUB],
    "tokens list": [],
    "tokens revoke": [HOSTILE],
}
FILES = {"backtest"}
#: Commands that print nothing that others wrote, and why.
OURS = {
    "demo": "its own traffic; tests/cli/demo shows hostile names",
    "up": "addresses and settings",
    "simulate": "its own counts",
    "sign": "a signature",
    "verdict": "a subject, by the words of `verdicts`",
    "ingest": "logs; see tests/runtime/telemetry/test_logging.py",
    "ingest check": "our words for an answer, and its detail; tests/cli/ingest_check",
    "tune": "accounts, quoted as TOML does; tests/cli/commands/test_tune.py",
    "streams": "logs",
    "sinks": "logs",
    "notify": "logs",
    "api": "logs",
    "broker": "an address",
    "audit import": "a count",
    "subscribers add": "an id and a secret it made",
    "subscribers test": "host and outcome of a delivery that notify made",
    "tokens create": "a token it made",
    "backfill ctr": "counts",
    "export": "counts and the folder that was named",
    "import": "counts",
    "doctor": "this machine",
    "words": "our words",
    "topics apply": "our topics",
    "topics list": "our topics",
    "topics acls": "rights of our topics for users of the settings",
    "topics acls apply": "the same",
    "schema to-cluster": "our tables and counts",
    "schema apply": "our migrations",
    "schema status": "our migrations",
}


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that can be run, by its words."""
    inner = getattr(command, "commands", {})
    if not inner or getattr(command, "invoke_without_command", False):
        yield " ".join(path)
    for name, one in inner.items():
        yield from leaves(one, (*path, name))


def test_every_command_is_covered() -> None:
    """What it prints of others' text is tested here, or there is a reason."""
    found = set(leaves(typer.main.get_command(build())))
    listed = {*STORED, *HELD, *FILES, *OURS}
    assert found - listed == set()
    assert {*STORED, *HELD, *FILES} - found == set()


def run(words: list[str], env: dict[str, str], codes: tuple[int, ...] = (0,)) -> str:
    """What the command prints, of which nothing acts or hides."""
    runner = CliRunner(env={"COLUMNS": "3000", **env})
    done = runner.invoke(build(), words, catch_exceptions=False)
    assert done.exit_code in codes, done.output
    acting = {unicodedata.category(char) for char in done.output if char != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not acting, done.output
    return done.stdout if "--json" in words else done.output


def without_folds(text: str) -> str:
    """A title as wide as its table is folded."""
    return "".join(text.split())


def body(event: str, number: int) -> str:
    """An event of whom everything is hostile."""
    return json.dumps(
        {
            "event": event,
            "account_id": HOSTILE,
            "created_at": f"2025-10-14T05:25:{number:02d}.000Z",
            "activity_id": f"{HOSTILE}{number}",
            "device_id": HOSTILE,
            "platform": HOSTILE,
            "metadata": {"session": HOSTILE},
            "geolocation": dict.fromkeys(("viewer_country", "viewer_region", "viewer_city"), HOSTILE),
            "campaign": {"id": HOSTILE, "name": HOSTILE},
        }
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with such events, an alert, an attempt."""
    folder = tmp_path_factory.mktemp("hostile")
    with open_with_schema(load_settings(data_dir=folder).clickhouse_dsn) as client:
        for number, event in enumerate(["campaign.impression", "campaign.click", "authentication"]):
            row = [body(event, number), 1_760_419_500_000 + number, 0, number]
            row += [HOSTILE, event, HOSTILE, 1, HOSTILE, f"{HOSTILE}{number}"]
            client.insert("events_in", [row], column_names=COLUMNS)
        names = ["window_start", "account_id", "campaign_id", "platform", "country", "region", "city", "impressions"]
        client.insert("ctr_windows", [[1_760_419_560, *[HOSTILE] * 6, 3]], column_names=names)
        alert = {
            "alert_id": ALERT,
            "rule": "device_click_burst",
            "account_id": HOSTILE,
            "severity": HOSTILE,
            "invalid_traffic_class": HOSTILE,
            "subject_kind": "device",
            "subject": HOSTILE,
            "state": "opened",
            "version": 4,
            "evidence": json.dumps({"sample_event_ids": [HOSTILE], "campaigns": {HOSTILE: 2}, HOSTILE: [HOSTILE]}),
        }
        client.insert("alerts", [list(alert.values())], column_names=list(alert))
        note = {"account_id": HOSTILE, "event": HOSTILE, "path": [HOSTILE], "identity": HOSTILE, "share": 1.0}
        client.insert("field_notes", [list(note.values())], column_names=list(note))
        said = {"verdict_id": "v", "account_id": HOSTILE, "target": ALERT, "verdict": "confirmed", "state": "made"}
        said |= {"note": HOSTILE, "by": HOSTILE, "made_at": datetime.now(UTC)}
        client.insert("verdicts", [list(said.values())], column_names=list(said))
        client.insert("incidents", [list(INCIDENT.values())], column_names=list(INCIDENT))
        attempt = {"subscription_id": SUB, "webhook_id": HOSTILE, "error": HOSTILE, "outcome": HOSTILE}
        attempt["attempted_at"] = datetime.now(UTC)
        client.insert("delivery_attempts", [list(attempt.values())], column_names=list(attempt))
    return folder


@pytest.mark.parametrize("command", STORED)
def test_what_is_stored_is_shown_and_inert(stored: Path, command: str) -> None:
    """Each asking command prints it as text."""
    shown = run([*command.split(), *STORED[command], "--data-dir", str(stored)], {"SORI_DATA_DIR": str(stored)}, (0, 1))
    assert without_folds(SHOWN) in without_folds(shown)


@pytest.mark.parametrize(
    "words",
    [
        ["explain", ALERT, "--json"],
        ["explain", INCIDENT["incident_id"]],
        ["query", "SELECT device_id FROM events_current", "-f", "vertical"],
    ],
)
def test_other_forms_of_answers_are_inert_too(stored: Path, words: list[str]) -> None:
    """JSON reads back as it was sent."""
    shown = run([*words, "--data-dir", str(stored)], {})
    if "--json" in words:
        assert json.loads(shown[shown.index("{") :])["alert"]["subject"] == HOSTILE  # stderr said whom it asked
    else:
        assert SHOWN in shown


def test_a_backtest_names_accounts_as_text(tmp_path: Path) -> None:
    """Dropped alerts with their account."""
    bodies = [json.loads(message.entry.value) for message in scenario("device-flood")]
    path, rules = tmp_path / "events.ndjson", tmp_path / "rules.toml"
    lines = [
        json.dumps({**one, "account_id": HOSTILE, "device_id": HOSTILE + (one.get("device_id") or "")})
        for one in bodies
    ]
    path.write_text("\n".join(lines))
    rules.write_text("device_click_burst.enabled = false\n")
    shown = run(["backtest", "--from", str(path), "--rules", str(rules), "--processes", "1"], {})
    assert SHOWN in shown


@pytest.fixture
def held(topics: KafkaSettings) -> dict[str, str]:
    """Environment of a Kafka that holds such quarantined bodies, subscriptions and tokens."""

    async def fill() -> None:
        one = Subscription(SUB, "https://h.example/" + HOSTILE, SECRET, 0, HOSTILE, scope=(HOSTILE,))
        async with CompactedTable(topics, SUBSCRIPTIONS).running() as table:
            await table.put(SUB, encode(one))
        token = msgspec.structs.replace(new_token("read", None)[0], accounts=(HOSTILE,), name=HOSTILE)
        async with CompactedTable(topics, API_TOKENS).running() as table:
            await table.put(token.id, encode_token(token))
            await table.put(HOSTILE, encode_token(token))
        headers = [(name, HOSTILE.encode()) for name in ("reason", "detail", "endpoint", "account", "field")]
        async with clients.running(clients.make_producer(topics), 20.0) as producer:
            await producer.send_and_wait(
                QUARANTINE.name(topics.topic_prefix),
                body("x" + HOSTILE, 1).encode() + HOSTILE.encode(),
                headers=headers,
            )

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(fill())
    return {
        "SORI_KAFKA__BOOTSTRAP": topics.bootstrap,
        "SORI_KAFKA__TOPIC_PREFIX": topics.topic_prefix,
        "SORI_INGEST__UNSIGNED": "true",
    }


def test_what_kafka_holds_is_shown_and_inert(held: dict[str, str]) -> None:
    """Quarantined bodies, subscriptions, tokens; each command in turn, the removing ones last."""
    (one,) = [json.loads(line) for line in run(["quarantine", "list", "--json"], held).splitlines()]
    assert one["detail"] == HOSTILE
    for command, arguments in HELD.items():
        words = [*command.split(), *([one["id"]] if arguments is None else arguments)]
        shown = run(words, held, (0, 1))
        assert command == "quarantine replay" or SHOWN in shown, (command, shown)


ALLOWED = {"cli/shared/say.py", "cli/shared/terminal.py", "cli/doctor/engines.py"}
WAYS_OUT = {"print", "typer.echo", "typer.secho", "click.echo", "click.secho", "Console", "Text", "escape"}


def test_there_is_no_other_way_to_the_screen() -> None:
    """Commands print by `say` and `Terminal` alone: everything else would have to remember to escape."""
    found = []
    for path in sorted((ROOT / "cli").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in ALLOWED:
            continue
        tree = ast.parse(path.read_text())
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        found += [(name, call) for call in calls if call in WAYS_OUT or call.endswith("from_markup")]
    assert found == []
