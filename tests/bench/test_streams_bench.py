"""The parts of bench-streams that decide what its table says."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from bench.streams.corpus import deliveries
from bench.streams.environment import pinned
from bench.streams.marks import Marks
from bench.streams.measure import Sample
from bench.streams.page import fill, markdown
from bench.streams.peers import PEERS
from bench.streams.summary import Outcome, figures
from bench.streams.truth import Published, Truth, _fold


def sample(name: str, rate: float, cpu_us: float) -> Sample:
    return Sample(name, 1000, rate, cpu_us, rate, 1.0, 1.0, 100.0, {})


def test_the_corpus_is_the_same_bytes_for_the_same_seed() -> None:
    """Two runs with one seed compare the same work; another seed is other work."""
    bodies = [one.body for one in deliveries(500, 5_000, seed=3)]
    assert bodies == [one.body for one in deliveries(500, 5_000, seed=3)]
    assert bodies != [one.body for one in deliveries(500, 5_000, seed=4)]


def test_the_truth_counts_a_repeated_delivery_once() -> None:
    """Every window kind counts each distinct event once, authentications in device windows only."""
    truth = Truth()
    corpus = list(deliveries(5_000, 5_000))
    for one in corpus:
        truth.add(one)
    distinct = {(one.fact.account, one.fact.event, orjson.loads(one.body)["activity_id"]) for one in corpus}
    assert truth.records == 5_000 > truth.distinct == len(distinct)
    totals = {kind: sum(map(sum, windows.values())) for kind, windows in truth.windows.items()}
    assert totals == {"ctr": truth.distinct_campaign, "place": truth.distinct_campaign, "device": truth.distinct}


def test_folding_keeps_the_newest_row_of_each_source_partition() -> None:
    """Cumulative upserts replace each other within a source partition; a late old version changes nothing."""
    published, newest = Published("device", "any"), {}

    def row(source: int, version: int, clicks: int) -> bytes:
        dims = {"window_start": 60, "account_id": "a", "device_id": "d", "source_partition": source}
        return orjson.dumps({**dims, "impressions": 1, "clicks": clicks, "version": version})

    _fold(row(0, 5, 2) + b"\n" + row(1, 9, 1), published, newest)
    _fold(row(0, 3, 1), published, newest)
    _fold(row(1, 10, 4), published, newest)
    assert sorted(counts for _, counts in newest.values()) == [(1, 2, 0), (1, 4, 0)]


def test_ratios_say_how_many_times_ours_is_better() -> None:
    """By rate ours over theirs, by CPU theirs over ours; medians of the rounds' own ratios; one wrong round shows."""
    ours, other = PEERS["ours"], PEERS["kafka-streams"]
    rounds = [
        Outcome(ours, sample("ours", 100.0, 10.0), "exact"),
        Outcome(other, sample("kafka-streams", 25.0, 30.0), "exact"),
        Outcome(ours, sample("ours", 50.0, 10.0), "exact"),
        Outcome(other, sample("kafka-streams", 25.0, 50.0), "wrong: 1 of 9 ctr windows"),
    ]
    row = figures(rounds)[1]
    assert (row["ours_times_by_rate"], row["ours_times_by_cpu"]) == (3.0, 4.0)
    assert row["windows"] == "wrong: 1 of 9 ctr windows"


def test_a_peer_that_cannot_run_is_a_row_with_its_reason() -> None:
    """Nothing is hidden: the row is there, without figures."""
    row = figures([Outcome(PEERS["bytewax"], None, "not run: no wheel")])[0]
    assert row["windows"] == "not run: no wheel"
    assert "events_per_s" not in row


def test_marks_tell_first_warm_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The warm-up ends once, at the first count that reaches it."""
    marks = Marks(total=10, warmup=4)
    assert [marks.count(3) for _ in range(4)] == [False, False, False, True]
    marks.end(counted=7)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(mark["mark"], mark["events"]) for mark in told] == [("first", 3), ("warm", 6), ("end", 12)]
    assert told[-1]["counted"] == 7


def test_saving_replaces_only_what_is_between_the_marks(tmp_path: Path) -> None:
    """Saving twice leaves one table; a page without the mark is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- t -->\nold\n<!-- /t -->\nafter\n")
    for value in ("1", "2"):
        fill("t", markdown(["", "n"], [["ours", value]]), page)
    assert page.read_text() == "before\n<!-- t -->\n|  | n |\n|---|--:|\n| ours | 2 |\n<!-- /t -->\nafter\n"
    with pytest.raises(ValueError, match="no 'other'"):
        fill("other", [], page)


def test_the_peers_versions_are_pinned() -> None:
    """A figure without a version says nothing."""
    assert pinned("quixstreams") != "?" != pinned("bytewax")
    assert PEERS["kafka-streams"].release() == "4.3.1"
