"""The dashboards: current, complete, and every query of theirs runs on the real engine and finds rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from deploy.grafana import macros
from deploy.grafana.builder.generate import generated
from deploy.grafana.builder.parts import ALL, CLICKHOUSE, DASHBOARDS, PLUGIN_VERSION, PROMETHEUS
from sori import metrics
from testkit.clickhouse_fixtures import open_with_schema
from testkit.live_page_data import add_alert, fill
from testkit.paths import ROOT

PROVISIONING = ROOT / "deploy/grafana/provisioning"
FILES = generated()
BOARDS: dict[str, dict[str, Any]] = {
    name: json.loads(content) for name, content in FILES.items() if name.startswith("dashboards/")
}
#: What demo data has nothing of, or not always.
MAY_BE_EMPTY = {"Quarantine by reason", "Change against the period before", "Fields that no column has"}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def queries() -> Iterator[Any]:
    """(title, SQL) of every panel, as test parameters."""
    for board in BOARDS.values():
        for panel in panels(board):
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield pytest.param(panel["title"], target["rawSql"], id=f"{board['title']}: {panel['title']}")


def expanded(sql: str, choice: str = ALL) -> str:
    """As Grafana sends it for the last hour."""
    now = int(time.time()) + 60
    return macros.expanded(sql, now - 3660, now, choice=choice)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An hour of data, with one open and one closed alert."""
    with open_with_schema(f"chdb://{tmp_path_factory.mktemp('grafana') / 'clickhouse'}") as client:
        fill(client)
        add_alert(client, "open-1")
        add_alert(client, "open-2", rule="device_auth_burst", subject="dev_2")
        yield client


@pytest.mark.parametrize("name", FILES)
def test_the_committed_files_are_current(name: str) -> None:
    """`python -m deploy.grafana.builder` would write exactly what is committed."""
    assert (PROVISIONING / name).read_text() == FILES[name]


def test_versions_are_those_that_run() -> None:
    """Panels name the data source that compose installs; dashboards are what Grafana 12 writes."""
    compose = (ROOT / "docker-compose.yml").read_text()
    assert f"grafana-clickhouse-datasource@{PLUGIN_VERSION}" in compose
    assert {board["schemaVersion"] for board in BOARDS.values()} == {41}
    assert not any(
        '"pluginVersion"' in text.replace(f'"pluginVersion": "{PLUGIN_VERSION}"', "") for text in FILES.values()
    )


def test_nothing_stale_is_provisioned() -> None:
    """Every JSON file in the folder is one that the builder writes."""
    assert {str(path.relative_to(PROVISIONING)) for path in PROVISIONING.rglob("*.json")} == set(FILES)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_panel_is_complete(board: dict[str, Any]) -> None:
    """Each has a title, a description, a unit, an empty state and a known data source; links lead somewhere."""
    assert board["uid"] in DASHBOARDS
    assert {link["url"] for link in board["links"]} == {f"/d/{uid}" for uid in DASHBOARDS if uid != board["uid"]}
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles)) > 3
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["description"]
        assert defaults["unit"]
        assert defaults["noValue"]
        assert panel["datasource"]["uid"] in {CLICKHOUSE.uid, PROMETHEUS.uid}
        assert panel["targets"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize(("title", "sql"), list(queries()))
def test_every_panel_has_rows(engine: Client, title: str, sql: str) -> None:
    """No panel is empty with everything chosen; with a choice that nobody has, the query still runs."""
    rows = engine.query(expanded(sql)).result_rows
    assert rows or title in MAY_BE_EMPTY
    engine.query(expanded(sql, "'nobody','nothing'"))


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_variable_has_choices(engine: Client, board: dict[str, Any]) -> None:
    """Each variable's query finds values, and `All` is one that the conditions know."""
    for variable in board.get("templating", {}).get("list") or []:
        assert engine.query(expanded(variable["query"])).result_rows, variable["name"]
        assert variable["allValue"] == ALL


def test_what_the_streams_keep_back_has_a_panel() -> None:
    """Progress of a replay, what a restart reads again, what no rule judged, and how long a slice takes."""
    asked = " ".join(
        target.get("expr", "") for board in BOARDS.values() for p in panels(board) for target in p["targets"]
    )
    shown = (
        metrics.STREAMS_REWIND,
        metrics.STREAMS_REPLAY_LEFT,
        metrics.STREAMS_APPLY_SECONDS,
        metrics.STREAMS_NOT_JUDGED,
        metrics.STREAMS_UNTRACKED,
        metrics.STREAMS_CAPPED,
        metrics.STREAMS_SNAPSHOTS,
    )
    assert [spec.name for spec in shown if spec.name not in asked] == []


def test_a_timeline_of_texts_is_split_by_its_labels() -> None:
    """Grafana makes series of numbers only; without the split, every episode would be in one row named `episode`."""
    (timeline,) = (p for board in BOARDS.values() for p in panels(board) if p["type"] == "state-timeline")
    assert [each["id"] for each in timeline["transformations"]] == ["partitionByValues"]
    (label,) = timeline["transformations"][0]["options"]["fields"]
    assert f"AS {label}," in timeline["targets"][0]["rawSql"]
    assert timeline["fieldConfig"]["defaults"]["displayName"] == f"${{__field.labels.{label}}}"


def test_an_unknown_macro_is_refused() -> None:
    """Rather than sent to the engine, whose complaint would be about syntax."""
    with pytest.raises(ValueError, match="macro"):
        expanded("SELECT $__unknown(x)")


def test_every_alert_rule_runs(engine: Client) -> None:
    """Each rule's SQL answers one number without macros; query, reduce and threshold are chained."""
    (group,) = json.loads(FILES["alerting/sori.json"])["groups"]
    assert len(group["rules"]) >= 4
    for rule in group["rules"]:
        query, reduce, threshold = rule["data"]
        assert "$" not in query["model"]["rawSql"]
        ((value,),) = engine.query(query["model"]["rawSql"]).result_rows
        assert float(value) >= 0
        assert (reduce["model"]["expression"], threshold["model"]["expression"], rule["condition"]) == ("A", "B", "C")
        assert rule["noDataState"] == "OK"
        assert rule["execErrState"] == "Error"
        assert rule["dashboardUid"] in DASHBOARDS
    fraud = group["rules"][0]["data"][0]["model"]["rawSql"]
    assert engine.query(fraud).result_rows == [(2,)]


def test_data_sources_are_the_ones_the_panels_name() -> None:
    """The provisioned data sources have the identifiers that the dashboards use, and only a reader's name."""
    sources = yaml.safe_load((PROVISIONING / "datasources/sori.yaml").read_text())["datasources"]
    assert {(source["type"], source["uid"]) for source in sources} == {
        (CLICKHOUSE.type_val, CLICKHOUSE.uid),
        (PROMETHEUS.type_val, PROMETHEUS.uid),
    }
    assert sources[0]["jsonData"]["username"] == "grafana"
