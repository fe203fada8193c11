"""Who is compared: how each peer is started, what work it does, and where it publishes its windows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from bench.streams.corpus import HOSTILE
from bench.streams.environment import (
    flink_command,
    flink_version,
    kafka_streams_command,
    kafka_streams_version,
    pinned,
    python_for,
)
from bench.streams.truth import Published

PREFIX = "bench."
#: Topics of the peers' windows: this and the kind.
OUTPUT = "bench.out-"
ALL_WINDOWS = "dedupe, campaign, device and place windows"
#: As long as Flink's users wait between two checkpoints, and ten times as long as ours: each one writes all state.
_CHECKPOINT_S = 10
_OUT = tuple(Published(kind, f"{OUTPUT}{kind}") for kind in ("ctr", "device", "place"))


@dataclass(frozen=True)
class Peer:
    """One process under test. `slow` peers read the topic with the first part of the corpus only.

    One that counts whole batches ahead of its work has no warm-up: its whole run is measured.
    `command` gets a scratch folder; records and warm-up follow as arguments. It may raise Unavailable.
    """

    name: str
    work: str
    less: str
    slow: bool
    release: Callable[[], str]
    command: Callable[[Path], Sequence[str]]
    published: Sequence[Published] = _OUT
    warms_up: bool = True
    corpus: str = ""  # of corpus.HOSTILE; none: the common one

    @property
    def prefix(self) -> str:
        """Of the topics that it reads and writes."""
        return f"{PREFIX}{self.corpus}." if self.corpus else PREFIX


def _module(name: str, package: str = "") -> Callable[[Path], Sequence[str]]:
    return lambda _folder: [str(python_for(package)) if package else sys.executable, "-m", f"bench.streams.{name}"]


_OURS = (
    Published("ctr", "bench.ctr-windows"),
    Published("device", "bench.device-windows"),
    Published("place", "bench.geo-rollups", "pane_start"),
)


def _under_attack(corpus: str) -> Peer:
    bots, share = HOSTILE[corpus]
    return Peer(
        f"ours-{corpus}",
        f"as ours; {bots:,} devices that rules accuse make {share:.0%} of the events",
        "",
        slow=False,
        release=lambda: f"faust-streaming {version('faust-streaming')}",
        command=_module("ours"),
        published=[replace(one, topic=one.topic.replace(PREFIX, f"{PREFIX}{corpus}.")) for one in _OURS],
        corpus=corpus,
    )


_PEERS = (
    Peer(
        "ours",
        f"{ALL_WINDOWS}; eleven fraud rules, campaign roll-ups, hop 2; a row per changed window and second",
        "",
        slow=False,
        release=lambda: f"faust-streaming {version('faust-streaming')}",
        command=_module("ours"),
        published=_OURS,
    ),
    Peer(
        "ours-hop-1",
        f"{ALL_WINDOWS}; every rule per device, campaign roll-ups; a row per changed window and second",
        "no hop 2: roll-ups are not merged, rules per place and campaign do not run",
        slow=False,
        release=lambda: f"faust-streaming {version('faust-streaming')}",
        command=lambda folder: [*_module("ours")(folder), "--hop-1"],
        published=_OURS,
    ),
    Peer(
        "kafka-streams",
        f"{ALL_WINDOWS}; a row per changed window and second; RocksDB, changelogs",
        "no rules, no evidence per place, no hop 2",
        slow=False,
        release=kafka_streams_version,
        command=lambda folder: [*kafka_streams_command(), str(folder)],
    ),
    Peer(
        "flink-lean",
        f"{ALL_WINDOWS}; a row per changed window and second; one chained operator, heap maps, checkpoint each 10 s",
        "no rules, no campaign roll-ups, no evidence per place, no hop 2; its parallelism cannot change",
        slow=False,
        release=flink_version,
        command=lambda folder: [*flink_command("lean", _CHECKPOINT_S), str(folder)],
    ),
    Peer(
        "flink-windows",
        f"{ALL_WINDOWS}; one row per window, when it closes; keyed state on the heap, checkpoint each 10 s",
        "no rules, no hop 2, no row before a window closes",
        slow=False,
        release=flink_version,
        command=lambda folder: [*flink_command("windows", _CHECKPOINT_S), str(folder)],
    ),
    Peer(
        "pathway",
        f"{ALL_WINDOWS}; static mode: the topic up to its end, a row per window",
        "no rules, no hop 2, no watermark, no row before the end, no progress kept",
        slow=True,
        release=lambda: pinned("pathway"),
        command=_module("pathway_peer", "pathway"),
        warms_up=False,
    ),
    Peer(
        "quix",
        f"{ALL_WINDOWS}; a row per event and window; RocksDB, changelogs, two repartition topics",
        "no rules, no hop 2",
        slow=True,
        release=lambda: pinned("quixstreams"),
        command=_module("quix_peer", "quixstreams"),
    ),
    Peer(
        "bytewax",
        f"{ALL_WINDOWS}; one row per window, when it closes; recovery snapshots each second",
        "no rules, no hop 2, no row before a window closes",
        slow=True,
        release=lambda: pinned("bytewax"),
        command=_module("bytewax_peer", "bytewax"),
        warms_up=False,
    ),
    Peer(
        "faust-table",
        "one table: tumbling minutes per campaign and event; changelog",
        "no dedupe, two dimensions of seven, no device or place windows, no rules, no rows but the changelog",
        slow=True,
        release=lambda: version("faust-streaming"),
        command=_module("faust_table"),
        published=(),
    ),
)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in (*_PEERS, *map(_under_attack, HOSTILE))}
