"""The documents tell what the code does."""

import re
from typing import get_args

import orjson
import pytest

from ingest.admission.outcomes import ANSWERS, Outcome, status_of
from sori import quarantine, records
from sori.alerting.alert import Severity, State
from sori.metrics import all_specs
from sori.topics import TOPICS
from streams.alerts.record import Finding, Subject, alert_output
from testkit.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    """Relative links and pictures exist."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


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
