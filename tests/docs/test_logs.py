"""People alert on logs: the list in the documents is what the code says, in one language."""

from __future__ import annotations

import re
import runpy

import pytest

from testkit.paths import ROOT

PAGE = runpy.run_path(str(ROOT / "docs/logs_page.py"))
#: Where events are snake_case already; the others follow.
RENAMED = ("runtime", "broker", "simulator", "sinks", "cli", "api", "notify", "ingest", "streams")


def test_the_page_is_current():
    """Else run: python docs/logs_page.py."""
    assert (ROOT / "docs/logs.md").read_text() == PAGE["render"]()


@pytest.mark.parametrize("package", RENAMED)
def test_events_are_names_and_facts_are_keys(package):
    """record_parked, and what is particular to this one in its facts."""
    odd = [event for event in PAGE["events"](package) if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", event.name)]
    assert not odd


@pytest.mark.parametrize("package", RENAMED)
def test_each_module_has_one_logger_with_its_own_name(package):
    """`_log`, named as the module, so that a reader of the log finds the code."""
    for path in (ROOT / package).rglob("*.py"):
        made = re.findall(r"^.*get_logger\(.*$", path.read_text(), re.MULTILINE)
        assert len(made) <= 1, path
        assert all(re.match(r"_log = structlog|\s+structlog", line) and "(__name__)" in line for line in made), path


def test_an_event_put_together_at_run_time_is_refused(tmp_path, monkeypatch):
    """Nobody could alert on it."""
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest/odd.py").write_text("_log.info(f'started {name}')\n")
    monkeypatch.setitem(PAGE["events"].__globals__, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"ingest/odd.py:1"):
        list(PAGE["events"]("ingest"))
