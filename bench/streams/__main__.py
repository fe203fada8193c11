"""`make bench-streams`: events a second and CPU of our hop 1 and its peers, on the same topic, machine and run.

The broker has one core and the process under test the other, so "per core" is what it says. Every peer reads its topic
from the start until caught up, publishes to topics, and commits or snapshots once a second; its windows are compared
with the truth. What each one does, and does not do, is in the table; docs/performance.md says how it is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.ingest import cpu
from bench.streams.arena import FIRST_PART, PARTITIONS, WHOLE, Arena, arena
from bench.streams.environment import Unavailable
from bench.streams.measure import run
from bench.streams.page import save_peers
from bench.streams.peers import OUTPUT, PEERS, Peer
from bench.streams.summary import Outcome, figures, machine, table
from bench.streams.truth import differences

console = Console(width=None if sys.stdout.isatty() else 120)
_BUSY = 0.1


async def bench(options: argparse.Namespace, folder: Path) -> list[Outcome]:
    """Rounds of all peers one after the other, so that a noisy minute hits them alike."""
    commands = {}
    outcomes: list[Outcome] = []
    for peer in (PEERS[name] for name in options.peers):
        try:
            commands[peer.name] = await asyncio.to_thread(peer.command, folder / peer.name)
        except Unavailable as error:
            console.print(f"[yellow]{peer.name} is left out: {error}[/]")
            outcomes.append(Outcome(peer, None, f"not run: {error}"))
    with console.status(f"producing {options.events:,} events"):
        hostile = [PEERS[name].corpus for name in commands if PEERS[name].corpus]
        share, seed = options.slow_share, options.seed
        stage = arena(folder / "kafka", options.events, options.per_second, share, seed, hostile=hostile)
        loaded = await stage.__aenter__()
    try:
        for number in range(options.rounds):
            for name, command in commands.items():
                if PEERS[name].slow and number >= options.slow_rounds:
                    continue
                with console.status(f"round {number + 1} of {options.rounds}: {name}"):
                    log = folder / f"bench-{name}-{number}.log"
                    outcomes.append(await one_run(PEERS[name], [*command], loaded, options.warmup, log))
                _say(outcomes[-1])
    finally:
        await stage.__aexit__(None, None, None)
    return outcomes


async def one_run(peer: Peer, command: list[str], loaded: Arena, warmup: float, log: Path) -> Outcome:
    """One peer once, on new topics and in a new group, named after `log`; its windows checked."""
    await loaded.reset()
    truth = loaded.truth(peer)
    group = log.stem
    env = {
        "SORI_KAFKA__BOOTSTRAP": loaded.kafka.bootstrap,
        "SORI_KAFKA__TOPIC_PREFIX": peer.prefix,
        "SORI_STREAMS__GROUP": group,
        "SORI_STREAMS__ADMIN_PORT": "0",
        "SORI_LOG__LEVEL": "warning",
        "BENCH_BOOTSTRAP": loaded.kafka.bootstrap,
        "BENCH_TOPIC": FIRST_PART if peer.slow else WHOLE,
        "BENCH_GROUP": group,
        "BENCH_OUTPUT": OUTPUT,
        "BENCH_PARTITIONS": str(PARTITIONS),
        "BENCH_EVENTS": str(truth.distinct),
        "BENCH_CAMPAIGN_EVENTS": str(truth.distinct_campaign),
    }
    arguments = [*command, str(truth.records), str(int(truth.records * warmup) if peer.warms_up else 0)]
    try:
        sample = await asyncio.to_thread(run, peer.name, arguments, env, loaded.core, log)
    except RuntimeError as error:
        console.print(str(error), markup=False)
        return Outcome(peer, None, "failed")
    wrong = []
    for published in peer.published:
        off, total = await differences(loaded.kafka, published, truth)
        wrong += [f"{off} of {total} {published.kind} windows"] if off else []
    if not peer.published and sample.end["counted"] != truth.campaign_records:
        wrong = [f"counted {sample.end['counted']} of {truth.campaign_records}"]
    return Outcome(peer, sample, f"wrong: {', '.join(wrong)}" if wrong else "exact")


def _say(outcome: Outcome) -> None:
    if outcome.sample is None:
        console.print(f"  {outcome.peer.name:<14} {outcome.verdict}", markup=False)
        return
    rate, used = outcome.sample.events_per_s, outcome.sample.cpu_us_per_event
    console.print(
        f"  {outcome.peer.name:<14} {rate:>9,.0f} ev/s  {used:7.1f} us/event  {outcome.verdict}", markup=False
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.streams", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=600_000, help="size of the corpus")
    parser.add_argument("--per-second", type=int, default=5_000, help="events per second of event time")
    parser.add_argument("--seed", type=int, default=11, help="seed of the corpus: the same seed, the same bytes")
    parser.add_argument("--peers", type=_names, default=[*PEERS], help=f"comma-separated, of {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all peers; figures are medians")
    parser.add_argument("--warmup", type=float, default=0.25, help="share of the records that is not measured")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds that slow peers take part in")
    parser.add_argument("--slow-share", type=float, default=0.05, help="share of the corpus that slow peers read")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--save", action="store_true", help="write the table into docs/performance.md")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(unknown)}")
    return names


def main() -> None:
    """Measure, print, write."""
    options = parse()
    if (busy := cpu.busy_elsewhere()) > _BUSY:
        console.print(f"[yellow]other work takes {busy:.0%} of this machine: read ratios and CPU, not events/s[/]")
    with tempfile.TemporaryDirectory(prefix="sori-bench-", ignore_cleanup_errors=True) as folder:
        outcomes = asyncio.run(bench(options, Path(folder)))
    rows = figures(outcomes)
    console.print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if options.save:
        save_peers(rows, machine(), options)
    if any(outcome.sample is not None and outcome.verdict != "exact" for outcome in outcomes):
        raise SystemExit("a peer's windows differ from the truth")


if __name__ == "__main__":
    main()
