"""The user that only reads: one definition, for a server's users.d and for `sori schema apply`."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from api.query.engine import DirectEngine
from api.query.limits import query_limits
from api.query.open_engine import open_engine
from runtime.clickhouse.client import Dsn, open_client, parse_dsn
from runtime.clickhouse.reader import DEFINITION, ensure_reader, statements
from sori.errors import ConfigError, QueryError
from sori.settings import load_settings
from sori.settings.api import ApiSettings
from testkit.clickhouse_server import ClickHouseServer

READER = Dsn(host="x", port=1, user="reads", password="s3cret", database="default")
#: What the Grafana plugin and its client send: its time limit plus 5 s with any query, row limits, ad hoc filters.
GRAFANA = {"max_execution_time": (10, 64, 65, 120), "max_result_rows": (1, 1_000_000), "additional_table_filters": ()}
_ENGINE = """
import sys, chdb
connection = chdb.connect(sys.argv[1] + "?config-file=" + sys.argv[2])
for sql in sys.stdin.read().split(";\\n"):
    try:
        print(connection.query(sql, "TSV"), end="")
    except Exception as error:
        print("ERROR", str(error)[:200].replace("\\n", " "))
"""


def definition() -> ET.Element:
    """The file."""
    return ET.parse(DEFINITION).getroot()  # noqa: S314 - a file of ours


def run(folder: Path, *sql: str) -> str:
    """Run SQL on an engine that has read the file; in a process of its own, as an engine takes one configuration.

    chDB knows what is changeable in readonly mode, but lacks the server's option that allows to say so: left out here.
    """
    text = DEFINITION.read_text().replace("<changeable_in_readonly/>", "").replace("sori.*", "default.*")
    text = re.sub(r"<(\w+)></\1>", "", text)
    (folder / "users.d").mkdir(exist_ok=True)
    (folder / "users.d/reader.xml").write_text(re.sub(r"<password [^>]*/>", "<password></password>", text))
    (folder / "users.xml").write_text(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password/>"
        "<access_management>1</access_management></default></users></clickhouse>"
    )
    directories = f"<users_xml><path>{folder / 'users.xml'}</path></users_xml>"
    config = folder / "config.xml"
    config.write_text(f"<clickhouse><user_directories>{directories}</user_directories></clickhouse>")
    script = [sys.executable, "-c", _ENGINE, str(folder / "engine"), str(config)]
    done = subprocess.run(script, input=";\n".join(sql), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_engine_reads_the_file_and_gives_each_user_one_grant(tmp_path: Path) -> None:
    """SELECT on one database, and no source; the profile has its bounds."""
    told = run(tmp_path, "SHOW GRANTS FOR sori_api", "SHOW GRANTS FOR grafana", "SHOW CREATE SETTINGS PROFILE reader")
    grants, profile = told.splitlines()[:2], told.splitlines()[2]
    assert grants == ["GRANT SELECT ON default.* TO sori_api", "GRANT SELECT ON default.* TO grafana"]
    assert "readonly = 1" in profile
    assert "max_execution_time = 60. MIN 1. MAX 125." in profile


def test_the_engine_keeps_to_the_bounds(tmp_path: Path) -> None:
    """What Grafana sends fits; without limit, or beyond them, does not."""
    asked = {65: "1\n", 125: "1\n", 0: "ERROR", 500: "ERROR"}
    for seconds, expected in asked.items():
        sql = f"SELECT 1 SETTINGS max_execution_time = {seconds}"
        # as a user of the profile begins: chDB takes over the profile's bounds, but not its values
        begin = ("SET profile = 'reader'", "SET max_execution_time = 60")
        assert run(tmp_path, *begin, sql).startswith(expected), seconds


def test_the_engine_parses_what_only_a_server_runs(tmp_path: Path) -> None:
    """The statements as they are sent."""
    parsed = run(tmp_path, *[f"EXPLAIN AST {text}" for text in statements(READER)])
    assert "ERROR" not in parsed
    kinds = [line.split()[0] for line in parsed.splitlines() if not line.startswith(" ")]
    assert kinds == ["CreateSettingsProfileQuery", *["CreateUserQuery"] * 2, "CreateQuotaQuery", *["GrantQuery"] * 2]


def test_the_reader_may_change_what_the_api_and_grafana_send_and_nothing_else() -> None:
    """Every limit stays a limit: 0, which means none, is out of bounds."""
    profile, constraints = definition().find("profiles/reader"), definition().find("profiles/reader/constraints")
    assert profile is not None
    assert constraints is not None
    changeable = {each.tag for each in constraints if each.find("changeable_in_readonly") is not None}
    assert changeable == {each.tag for each in constraints}
    assert changeable == set(query_limits(ApiSettings())) | set(GRAFANA)
    for name in ("max_execution_time", "max_memory_usage", "max_result_rows", "max_result_bytes"):
        low, high = (float(constraints.findtext(f"{name}/{bound}", "")) for bound in ("min", "max"))
        sent = (*GRAFANA.get(name, ()), float(query_limits(ApiSettings())[name]), float(profile.findtext(name, "")))
        assert low > 0
        assert all(low <= float(value) <= high for value in sent), name
    assert profile.findtext("readonly") == "1"


def test_both_users_of_the_file_have_one_profile_one_quota_and_one_database() -> None:
    """The API and Grafana."""
    for user in ("sori_api", "grafana"):
        found = definition().find(f"users/{user}")
        assert found is not None
        assert (found.findtext("profile"), found.findtext("quota")) == ("reader", "reader")
        assert [grant.text for grant in found.findall("grants/query")] == ["GRANT SELECT ON sori.*"]
    assert definition().find("quotas/reader/interval") is not None


def test_what_stops_the_making_of_a_reader_is_said_with_the_remedy(clickhouse_server: ClickHouseServer) -> None:
    """A writer that may not make users; a reader that may write."""
    with open_client(clickhouse_server.dsn) as writer:
        nobody = parse_dsn(clickhouse_server.dsn.replace("sori:secret", "sori_api:new"))
        with pytest.raises(ConfigError, match="access_management"):
            ensure_reader(writer, nobody)
        with pytest.raises(ConfigError, match="may write"):
            ensure_reader(writer, parse_dsn(clickhouse_server.dsn))


def test_queries_on_a_server_go_as_the_reader_and_through_the_guard(clickhouse_server: ClickHouseServer) -> None:
    """The writer's address is not used; answers are as large as allowed and no larger."""
    api = {"clickhouse_dsn": clickhouse_server.dsn, "max_result_mb": 1}
    engine = open_engine(load_settings(clickhouse={"dsn": "clickhouse://127.0.0.1:1/none"}, api=api))
    assert isinstance(engine, DirectEngine)
    try:
        assert engine.raw("SELECT number FROM numbers(3)", "TSV") == b"0\n1\n2\n"
        with pytest.raises(QueryError, match=r"api\.max_result_mb"):
            engine.raw("SELECT repeat('x', 1000) FROM numbers(5000)", "TSV")
        for text in ("SELECT file('/etc/passwd')", "SELECT 1 SETTINGS max_threads = 1", "SELECT * FROM system.users"):
            with pytest.raises(QueryError, match="not"):
                engine.raw(text)
        with pytest.raises(QueryError, match="nope"):
            engine.raw("SELECT nope")
        assert engine.raw("SELECT 1", "TSV") == b"1\n"
    finally:
        engine.close()
