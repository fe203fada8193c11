"""The documents tell what the code does."""

import itertools
import re
from pathlib import Path
from typing import get_args

import orjson
import pytest
import yaml

from ingest.admission.outcomes import ANSWERS, Outcome, status_of
from runtime.clickhouse import migrations
from sori import quarantine, records
from sori.alerting.alert import Severity, State
from sori.metrics import all_specs
from sori.topics import TOPICS
from streams.alerts.record import Finding, Subject, alert_output
from testkit.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.glob("*.md"), *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY"))]
)
EVENTS = (DOCS / "events.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()


def settings_page():
    """The generator, a script outside the packages."""
    scope = {"__name__": "settings_page", "__file__": str(DOCS / "settings_page.py")}
    exec(compile((DOCS / "settings_page.py").read_text(), scope["__file__"], "exec"), scope)  # noqa: S102 - our script
    return scope


def test_the_settings_page_is_current():
    """Else run: python docs/settings_page.py."""
    assert (DOCS / "settings.md").read_text() == settings_page()["render"]()


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose, re.MULTILINE):
        plain = re.sub(r"\[(.+?)\]\(.*?\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(next(name for n in itertools.count() if (name := f"{slug}-{n}" if n else slug) not in found))
    return found


def leads_somewhere(target: str, of: Path, page: Path) -> bool:
    """Whether a relative address exists beside `of`, and its anchor on the page that it names, else on `page`."""
    path, _, anchor = target.partition("#")
    there = of / path if path else page
    return there.exists() and (not anchor or anchor in anchors(there))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    """Relative links and pictures exist, and the sections that they name."""
    for target in re.findall(r"\]\(([^)\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert leads_somewhere(target, page.parent, page), target


def test_every_runbook_and_page_named_in_deployment_files_is_there():
    """Rules, dashboards, alerting, manifests: whoever is woken at night follows them."""
    files = [path for path in (ROOT / "deploy").rglob("*") if path.suffix in {".yml", ".yaml", ".json", ".xml", ".sql"}]
    named = {(path, link) for path in files for link in re.findall(r"docs/[\w./-]+\.md(?:#[\w-]+)?", path.read_text())}
    assert sorted(f"{path}: {link}" for path, link in named if not leads_somewhere(link, ROOT, path)) == []
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    (grafana,) = orjson.loads((ROOT / "deploy/grafana/provisioning/alerting/sori.json").read_bytes())["groups"]
    alerts = [rule for group in [*rules, grafana] for rule in group["rules"]]
    assert len(alerts) > 30
    for rule in alerts:
        own = rule.get("alert", rule.get("uid")).lower()
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{own}"


def test_anchors_are_those_of_headings():
    """Punctuation goes, blanks become dashes, a repeated heading is numbered; what is code is no heading."""
    assert {"workers-that-come-and-go", "what-an-answer-of-the-webhook-means"} <= anchors(DOCS / "operations.md")
    assert not leads_somewhere("operations.md#sori-nothing", DOCS, DOCS / "schema.md")


def test_every_table_and_view_of_the_migrations_is_explained():
    """In schema.md or queries.md by its full name or, in a family, by its ending; and none that nobody makes."""
    text = "\n".join(migration.sql for migration in migrations.load()) + migrations.LEDGER
    making = r"^CREATE (?:OR REPLACE )?(?:TABLE|VIEW|MATERIALIZED VIEW)(?: IF NOT EXISTS)? (\w+)"
    made = set(re.findall(making, text, re.MULTILINE))
    made -= set(re.findall(r"^DROP (?:TABLE|VIEW) IF EXISTS (\w+)", text, re.MULTILINE))
    schema = (DOCS / "schema.md").read_text()
    named = set(re.findall(r"`(\w+)", schema))
    public = (DOCS / "queries.md").read_text().partition("## Rates without SQL")[0]
    for row in public.splitlines():
        names = re.findall(r"`(\w+)", row.split("|")[1]) if row.startswith("| `") else []
        named |= {re.sub(r"_[a-z0-9]+$", "", names[0]) + name if name.startswith("_") else name for name in names}
    assert sorted(made - named) == []
    tables = re.findall(r"^\| ((?:`\w+` ?)+)\|.*\| .* \| .* \|$", schema.partition("## Every table")[2], re.MULTILINE)
    assert {name for row in tables for name in re.findall(r"`(\w+)`", row)} <= made


def test_the_topics_table_is_the_registry():
    """Names, partitions and keys."""
    for topic in TOPICS:
        (row,) = re.findall(rf"^\| `{re.escape(topic.name())}` \|.*$", EVENTS, re.MULTILINE)
        assert f"| {topic.partitions} |" in row
        kept = f"{topic.retention_ms // 86_400_000} days" if topic.cleanup == "delete" else "compacted"
        assert f"| {kept} |" in row


def test_every_header_of_an_event_is_explained():
    """In their order."""
    assert re.findall(r"^\| `(\w+)` \| ", EVENTS[EVENTS.index("## `sori.events`") :], re.MULTILINE)[:6] == list(
        records.NAMES
    )


def test_the_page_explains_every_header_and_every_reason_of_the_quarantine():
    """So that whoever finds one can look it up."""
    section = EVENTS[EVENTS.index("## `sori.quarantine`") :]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == [*quarantine.NAMES, *quarantine.Reason]


def test_the_page_says_which_outcomes_keep_a_proven_senders_body():
    """As the one table of outcomes does."""
    for outcome in Outcome:
        (row,) = re.findall(rf"^\| `{outcome}` \|.*$", OPERATIONS, re.MULTILINE)
        assert row.endswith("| yes |") == ANSWERS[outcome].kept, row


def test_every_outcome_is_explained_with_its_status():
    """The table of the operations page is complete."""
    for outcome in Outcome:
        assert f"| `{outcome}` | {status_of(outcome)}" in OPERATIONS


def test_metrics_named_in_the_operations_page_exist():
    """No alarm on a metric that nobody writes."""
    named = set(re.findall(r"`(sori_(?:ingest|streams|sinks|api)_\w+)", OPERATIONS))
    assert named
    assert named <= {spec.name for spec in all_specs()}


def alert() -> dict:
    """An alert as the stream stage writes it."""
    finding = Finding(
        rule="device_click_burst",
        subject=Subject("acc", "device", "dev"),
        window_start_ms=0,
        window_end_ms=60_000,
        observed=20,
        expected=1.5,
        floor=20,
        severity="low",
        traffic_class="GIVT",
    )
    evidence = {"sample_event_ids": [], "campaigns": {}, "findings": 1}
    output = alert_output(
        finding, start_ms=1, updated_ms=1, closed_ms=None, state="opened", offset=7, evidence=evidence
    )
    return orjson.loads(output.value)


def test_the_alert_schema_describes_the_alerts_we_write():
    """Same keys, same words; the sample in the page has them too."""
    schema = orjson.loads((DOCS / "schemas" / "fraud-alert.json").read_bytes())
    kinds = {"string": str, "number": float, "integer": int, "object": dict, "null": type(None)}
    (sample,) = re.findall(r'^\{"alert_id".*\}$', EVENTS, re.MULTILINE)
    for body in (alert(), orjson.loads(sample)):
        assert list(body) == schema["required"] == list(schema["properties"])
        for name, value in body.items():
            rule = schema["properties"][name]
            if "enum" in rule:
                assert value in rule["enum"]
            else:
                types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
                assert isinstance(value, tuple(kinds[kind] for kind in types)), name
    assert tuple(schema["properties"]["state"]["enum"]) == get_args(State)
    assert tuple(schema["properties"]["severity"]["enum"]) == get_args(Severity)


def test_every_sample_record_is_json_on_one_line():
    """As it is in Kafka."""
    blocks = re.findall(r"```json\n(.*?)```", EVENTS, re.DOTALL)
    assert len(blocks) >= 5
    assert all(isinstance(orjson.loads(block), dict) and block.count("\n") == 1 for block in blocks)
