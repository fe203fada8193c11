"""Private parts of dependencies: bounded in one place, told to pip and the documents, checked at the start."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from importlib import metadata

import pytest
from typer.testing import CliRunner

from cli import main
from runtime import private_parts
from runtime.private_parts import PRIVATE_PARTS, require_private_parts
from sori.errors import PrerequisiteError
from testkit.paths import ROOT
from tests.test_architecture import FLOOR

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
REQUIREMENTS = [*PROJECT["dependencies"], *OPTIONAL["otel"], *OPTIONAL["dev"]]
parts = pytest.mark.parametrize("part", PRIVATE_PARTS, ids=lambda part: f"{part.package} in {part.adapter}")


def test_what_is_installed_here_is_in_range():
    """Else these tests ran on something else."""
    require_private_parts()


@parts
def test_a_version_out_of_range_is_refused_by_name(part, monkeypatch):
    """The package, what was found and the range; where there is a public way instead, it may start."""
    for found in ("0.0.1", part.below, f"{part.below}.0rc1", "99", "nonsense"):
        monkeypatch.setattr(metadata, "version", lambda _package, found=found: found)
        if part.fallback:
            require_private_parts([part])
            continue
        with pytest.raises(PrerequisiteError) as told:
            require_private_parts([part])
        message = str(told.value)
        assert all(word in message for word in (part.package, found, part.at_least, part.below, "pip install"))


def test_a_missing_package_is_named(monkeypatch):
    """Not a traceback from deep inside."""
    with pytest.raises(PrerequisiteError, match="no-such-package is not installed"):
        require_private_parts([replace(PRIVATE_PARTS[0], package="no-such-package")])


def test_a_stage_does_not_start_on_another_version_but_help_does(monkeypatch):
    """The check comes before the stage is imported."""
    monkeypatch.setattr(metadata, "version", lambda _package: "0.0.1")
    monkeypatch.setattr(private_parts.metadata, "version", lambda _package: "0.0.1")
    refused = CliRunner().invoke(main.build(), ["ingest"])
    assert isinstance(refused.exception, PrerequisiteError)
    assert CliRunner().invoke(main.build(), ["ingest", "--help"]).exit_code == 0


@parts
def test_pyproject_has_the_same_bounds(part):
    """pip refuses what we would."""
    (wanted,) = [one for one in PROJECT["dependencies"] if re.match(rf"{part.package}(\[\w+\])?>", one)]
    assert wanted.endswith(f">={part.at_least},<{part.below}")


def test_every_requirement_has_both_bounds():
    """A major version that nobody has tried does not come in by itself."""
    own = "sori-event-pipeline"
    open_ended = [one for one in REQUIREMENTS if not one.startswith(own) and not re.search(r">=[^,]+,<|==", one)]
    assert not open_ended


@parts
def test_the_architecture_page_has_it(part):
    """Whoever raises a bound finds what to read again."""
    page = (ROOT / "docs/architecture.md").read_text()
    row = rf"\| {part.package} \| {re.escape(part.at_least)} to below {re.escape(part.below)} \| \[{part.adapter}\]"
    assert re.search(row, page)


def test_nobody_else_reaches_into_them():
    """Private names of others stand in the adapters alone."""
    adapters = {part.adapter for part in PRIVATE_PARTS}
    found = set()
    for package in FLOOR.keys() - {"tests", "testkit", "bench"}:
        for path in (ROOT / package).rglob("*.py"):
            if re.search(r"\b(consumer|admin|producer|client|fetcher|accumulator)\._\w+", path.read_text()):
                found.add(str(path.relative_to(ROOT)))
    assert found <= adapters


@parts
def test_its_adapter_exists(part):
    """A path that is gone would hold nothing."""
    assert (ROOT / part.adapter).exists()
