"""The walls of the house: who may import whom, and what stays free of Kafka, Faust, aiohttp and ClickHouse.

Every wall is a function from the graph of imports to what breaks it; each is also shown a graph that does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from testkit.import_graph import Graph, circle, read_graph, way_to
from testkit.paths import ROOT

#: From the ground up. A package imports from floors below its own and from itself, never from its neighbours.
FLOORS = (
    ("sori", "deploy"),
    ("runtime",),
    ("ingest", "streams", "sinks", "notify", "api", "simulator", "broker"),
    ("cli", "docs"),
    ("testkit",),
    ("bench",),
    ("tests",),
)
FLOOR = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
STAGES = FLOORS[2]

#: What pure code must not reach, even through others.
OUTSIDE = frozenset(
    {"aiohttp", "aiokafka", "chdb", "clickhouse_connect", "faust", "mode", "prometheus_client", "uvloop"}
)
#: What says of itself that it is pure: a package stands for all in it.
PURE = (
    "sori",
    "ingest.admission",
    "ingest.quarantine.held",
    "ingest.admission.quarantine_record",
    "ingest.storage.interfaces",
    "ingest.storage.group_commit",
    "ingest.storage.spool",
    "streams.alerts",
    "streams.operators",
    "streams.rules",
    "streams.snapshots",
    "streams.state",
    "streams.worker.idle",
    "streams.worker.partition",
    "streams.backtest.compare",
    "streams.backtest.device_hop",
    "streams.backtest.labels",
    "streams.backtest.place_hop",
    "streams.backtest.replay",
    "streams.backtest.rule_sets",
    "streams.backtest.tuning",
    "sinks.batch",
    "sinks.builders",
    "sinks.specs",
    "sinks.insert.rows",
    "sinks.insert.slices",
    "notify.formats",
    "notify.queue",
    "notify.retry_policy",
    "notify.subscriber",
    "api.auth.grants",
    "api.contract.parameters",
    "api.query.alert_story_sql",
    "api.query.ctr_question",
    "api.query.ctr_sql",
    "api.query.paging",
    "api.query.sql_guard",
    "runtime.backoff",
    "runtime.rate_limit",
    "simulator",
)
#: The simulator's own way out.
NOT_PURE = ("simulator.sender", "simulator.server")
#: Where a stage is put together; nothing inside the stage's rooms looks up to it.
ASSEMBLY = ("app", "service", "wiring", "routes", "openapi")


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Every import of the repository."""
    return read_graph(FLOOR)


def within(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def is_pure(name: str) -> bool:
    """Whether a module promises to be."""
    return within(name, PURE) and not within(name, NOT_PURE)


def upward_or_sideways(graph: Graph) -> list[str]:
    """Imports that do not lead downwards."""
    found = []
    for name, module in graph.items():
        package = name.split(".", maxsplit=1)[0]
        for other in module.imports:
            target = other.split(".", maxsplit=1)[0]
            if target in FLOOR and target != package and FLOOR[target] >= FLOOR[package]:
                found.append(f"{name} -> {other}")
    return found


def stage_to_stage(graph: Graph) -> list[str]:
    """Imports from one stage into another: their only contract is Kafka's topics."""
    return [
        f"{name} -> {other}"
        for name, module in graph.items()
        for other in module.imports
        if within(name, STAGES) and within(other, STAGES) and name.split(".")[0] != other.split(".")[0]
    ]


def looks_out(graph: Graph) -> list[str]:
    """Imports of ours in `sori/`, which is the language and knows no speaker."""
    return [
        f"{name} -> {other}"
        for name, module in graph.items()
        for other in module.imports
        if within(name, ("sori",)) and within(other, tuple(FLOOR)) and not within(other, ("sori",))
    ]


def impure(graph: Graph) -> list[str]:
    """Chains of imports from what is pure to what is not."""
    ways = [way_to(graph, name, OUTSIDE) for name in graph if is_pure(name)]
    return [" -> ".join(way) for way in ways if way]


def bench_and_tests(graph: Graph) -> list[str]:
    """Tests and benches that use each other, or a kit that uses either; what both need lies in testkit/."""
    return [
        f"{name} -> {other}"
        for name, module in graph.items()
        for other in module.imports
        if (within(name, ("bench",)) and within(other, ("tests",)))
        or (within(name, ("testkit",)) and within(other, ("tests", "bench")))
        or (within(name, ("tests",)) and within(other, ("bench",)) and not within(name, ("tests.bench",)))
    ]


def module_circle(graph: Graph) -> list[str]:
    """A circle of modules that load each other."""
    return circle({name: module.eager for name, module in graph.items()}) or []


def room_circle(graph: Graph) -> list[str]:
    """A circle of rooms: folders inside one stage."""
    edges: dict[str, set[str]] = {}
    for name in graph:
        for other in graph[name].imports:
            here, there = room(graph, name), room(graph, other)
            if here and there and here != there:
                edges.setdefault(here, set()).add(there)
                edges.setdefault(there, set())
    return circle(edges) or []


def room(graph: Graph, name: str) -> str:
    """The folder of a module inside a package; nothing for what lies at the package's own root."""
    folder = graph[name].path.parent.parts if name in graph else ()
    return ".".join(folder) if len(folder) > 1 else ""


def looks_up_to_the_assembly(graph: Graph) -> list[str]:
    """Rooms that import the module that puts their stage together."""
    roofs = {f"{stage}.{part}" for stage in (*STAGES, "cli") for part in ASSEMBLY}
    return [
        f"{name} -> {other}"
        for name, module in graph.items()
        for other in module.imports & roofs
        if room(graph, name) and name.split(".")[0] == other.split(".")[0]
    ]


#: Each wall, and an import that would break it: who, whom.
WALLS: dict[Callable[[Graph], list[str]], tuple[str, str]] = {
    upward_or_sideways: ("runtime.http", "ingest.app"),
    stage_to_stage: ("ingest.app", "sinks.batch"),
    looks_out: ("sori.times", "runtime.backoff"),
    impure: ("sori.topics", "runtime.kafka.clients"),
    bench_and_tests: ("tests.sinks.test_batch", "bench.sinks.corpus"),
    module_circle: ("sori.errors", "sori.events"),
    room_circle: ("sinks.builders.events", "sinks.insert.writer"),
    looks_up_to_the_assembly: ("api.query.pool", "api.service"),
}
walls = pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.__name__)


@walls
def test_the_wall_stands(graph, wall):
    """Nothing in the repository goes through it."""
    assert not wall(graph)


@walls
def test_the_wall_would_be_seen_to_fall(graph, wall):
    """One import too many is found, also when it stands inside a function, unless loading is what counts."""
    who, whom = WALLS[wall]
    module = graph[who]
    eager = replace(module, eager=module.eager | {whom})
    lazy = replace(module, lazy=module.lazy | {whom})
    assert wall({**graph, who: eager})
    assert bool(wall({**graph, who: lazy})) is (wall is not module_circle)


@pytest.mark.parametrize("name", [*PURE, *NOT_PURE])
def test_what_is_declared_pure_exists(graph, name):
    """A list of names that are gone would hold nothing."""
    assert name in graph


def test_every_package_stands_on_a_floor():
    """A new one says where it belongs."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found <= FLOOR.keys()


def test_what_is_pure_loads_nothing_from_outside(graph):
    """The same once more in a real interpreter, which also sees what no source shows."""
    names = sorted(name for name in graph if is_pure(name))
    code = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not OUTSIDE & set(done.stdout.split())


def test_the_tests_mirror_the_packages():
    """Every folder of tests is the folder of the package it tests; others have one purpose each."""
    own = {"bench", "docs", "e2e", "samples", "deploy"}
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    mirrored = [folder for folder in folders if folder.parts and folder.parts[0] not in own]
    assert not [str(folder) for folder in mirrored if not (ROOT / folder / "__init__.py").exists()]


def test_every_room_says_what_it_is():
    """A folder without a sign is a folder nobody finds."""
    silent = [
        path for package in FLOOR for path in (ROOT / package).rglob("__init__.py") if not path.read_text().strip()
    ]
    assert not silent
