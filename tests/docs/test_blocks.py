"""Every fenced block of every page does what it says: SQL runs, TOML loads, records are taken.

Those for a shell: tests/e2e/test_documents.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import orjson
import pytest

from api.query.engine import DirectEngine, rows
from ingest.admission.endpoints import load_endpoints
from runtime.clickhouse.client import open_client, parse_dsn
from sinks.insert.writer import Writer
from sinks.specs import sink_specs
from sori.settings import Settings, load_settings
from sori.settings.ingest import IngestSettings
from sori.settings.sinks import SinksSettings
from sori.topics import GEO_ROLLUPS
from streams.state.place_panes import RollUp
from testkit.clickhouse_fixtures import open_with_schema
from testkit.documents import PAGES, Block, blocks, every_block
from testkit.live_page_data import add_activity, add_alert, fill
from testkit.paths import ROOT
from testkit.records import FakeRecord

#: Language -> what tries its blocks. The other two are tried where nginx and caddy are: tests/e2e/test_connect.py.
TRIED = {
    "sh": "tests/e2e/test_documents.py and test_connect.py run or name each",
    "sql": "below",
    "toml": "below",
    "json": "below",
    "python": "tests/docs/test_api_pages.py",
    "nginx": "tests/e2e/test_connect.py",
    "caddy": "tests/e2e/test_connect.py",
}
#: Begin of a block without a language: what a program printed, or a drawing.
SHOWN = {
    "README.md": "Reconciliation\n",
    "CONTRIBUTING.md": "sinks(insert): split",
    "docs/architecture.md": "SORI's webhooks",
}
#: Names that a page makes up -> names that are in the data of these tests.
MADE_UP = {"device_1234": "dev_1", "a.alert_id = '...'": "a.alert_id = 'open-1'"}
_COMMAND = re.compile(r"^    (?:[A-Z_]+=\S+ )*(?:sori|curl|make|python|pip|docker|kubectl) ", re.MULTILINE)
_INLINE_SQL = re.compile(r'`(?:sori query ")?(SELECT [^`"]+)"?`')
SQL = every_block("sql")
INLINE = [(page, sql) for page in PAGES for sql in _INLINE_SQL.findall(page.read_text()) if "…" not in sql]


def test_every_block_says_its_language_and_somebody_tries_it() -> None:
    """Commands stand in fences, too: an indented one is run by nobody."""
    assert sorted(str(block) for block in every_block() if block.language not in {*TRIED, ""}) == []
    plain = [block for block in every_block("") if block.text.lstrip()[:15] not in SHOWN.get(block.page, "")]
    assert [(str(block), block.text[:40]) for block in plain] == []
    assert [(page.name, found) for page in PAGES for found in _COMMAND.findall(without_fences(page))] == []
    assert {block.page for block in every_block("python")} == {
        str(page.relative_to(ROOT)) for page in (ROOT / "docs/api").glob("*.md")
    }


def without_fences(page: Path) -> str:
    """Its text between the fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An hour of data with alerts, of a device and of a place, a verdict, and clicks of an accused device."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("documents"))
    with open_with_schema(settings.clickhouse_dsn) as client:
        fill(client)
        add_alert(client, "open-1", window_s=3600)
        shares = '{"sample_event_ids":[],"campaign_shares":{"cmp_1":0.8}}'
        place = {"rule": "geo_click_burst", "kind": "place", "subject": "TR/Istanbul/Istanbul"}
        add_alert(client, "open-2", **place, evidence=shares)
        add_activity(client, 1, click_after_ms=2000)
        client.command(
            "INSERT INTO verdicts (verdict_id, target, target_kind, account_id, rule, verdict, state, version, made_at)"
            " VALUES ('ver_1', 'open-1', 'alert', 'acc_1', 'device_click_burst', 'false_positive', 'made', 1, now64(3))"
        )
    return settings


@pytest.fixture(scope="module")
def asked(filled: Settings) -> Iterator[DirectEngine]:
    """The engine as `sori query` and the API ask it: behind the guard."""
    engine = DirectEngine(parse_dsn(filled.clickhouse_dsn), filled.api)
    yield engine
    engine.close()


@pytest.mark.parametrize("block", SQL, ids=str)
def test_every_query_is_allowed_and_finds_something(block: Block, asked: DirectEngine) -> None:
    """Each statement of a block by itself, as `sori query` takes them."""
    text = block.text
    for made_up, real in MADE_UP.items():
        text = text.replace(made_up, real)
    for statement in filter(str.strip, text.split(";\n")):
        assert rows(asked, statement), statement


def test_there_are_queries_in_sentences() -> None:
    """And the ten questions are ten."""
    assert len(INLINE) >= 6
    assert len(blocks(ROOT / "docs/queries.md", "sql")) == 10


@pytest.mark.parametrize(("page", "sql"), INLINE, ids=lambda found: getattr(found, "name", None))
def test_every_query_in_a_sentence_runs(page: Path, sql: str, asked: DirectEngine) -> None:
    """Those of runbooks are for the server's own client, and may ask what our readers may not."""
    with open_client(asked.dsn) as client:
        client.query(sql)


@pytest.mark.parametrize("block", every_block("toml"), ids=str)
def test_every_settings_sample_loads(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the file that the page says it is: settings, or endpoints."""
    file = tmp_path / "sample.toml"
    file.write_text(block.text)
    if "[[endpoint]]" in block.text:
        (tmp_path / "acme.secret").write_text("a-secret-of-sori")
        table = load_endpoints(IngestSettings(endpoints_file=file, secret_keys=("another-secret",)))
        assert {"/webhooks/sori", "/webhooks/fall", "/webhooks/spring"} == set(table.by_path)
        return
    plain = load_settings()
    for variable in re.findall(r"(SORI_\w+)_FILE", block.text):
        (tmp_path / "secret").write_text("a-password")
        monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / "secret"))
    assert load_settings(file) != plain


SPECS = {spec.topic.suffix: spec for spec in sink_specs(SinksSettings())}
TABLES = {"ctr-windows": "ctr_windows", "device-windows": "device_windows", "late": "late", "fraud-alerts": "alerts"}
JSON = every_block("json")


def topic_of(block: Block) -> str:
    """Which topic a sample is a record of: the last one that a paragraph or a heading began with."""
    return re.findall(r"^(?:#+ )?`sori\.([a-z-]+)`", block.before, re.MULTILINE)[-1]


@pytest.mark.parametrize("block", JSON, ids=str)
def test_every_sample_record_is_one_that_its_readers_take(block: Block, filled: Settings) -> None:
    """The sinks store it, with every field it has; what no sink reads, the next hop does."""
    topic, value = topic_of(block), block.text.strip().encode()
    if topic == GEO_ROLLUPS.suffix:
        row = msgspec.json.decode(value, type=RollUp)
        known = {field.name for field in msgspec.structs.fields(row)}
        assert set(orjson.loads(value)) <= known
        return
    counting = f"SELECT count() FROM {TABLES[topic]}"  # noqa: S608 - ours
    with open_client(filled.clickhouse_dsn) as client:
        before = int(client.command(counting))
        Writer(lambda: client).insert(SPECS[topic].build([FakeRecord(value)], 0), "sample")
        assert int(client.command(counting)) == before + 1


def test_samples_are_of_several_topics() -> None:
    """So that none is taken for another's."""
    assert {topic_of(block) for block in JSON} == {GEO_ROLLUPS.suffix, *TABLES}
