"""`python -m bench.streams_memory`: memory of both hops, each in a process of its own and without Kafka.

Hop 1: `--events` events of one partition over all the event time that is held (allowed lateness and one window), from
calm to hostile; bytes per event held. Hop 2: roll-ups of `--places` places by six source partitions, in `--panes`
panes; bytes per place, pane and source. Measured is the growth of the resident set right after a flush.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from bench.common.command_line import command_line, write_figures
from bench.streams_memory.measure import hop1, hop2
from bench.streams_memory.traffic import EVENTS, ROLL_UPS


def main() -> None:
    """Parse, measure, print."""
    parser = command_line("python -m bench.streams_memory", __doc__)
    kinds = [*EVENTS, *ROLL_UPS]
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of traffic, else all: {', '.join(kinds)}")
    parser.add_argument("--events", type=int, default=300_000, help="events of one partition")
    parser.add_argument("--places", type=int, default=300, help="places")
    parser.add_argument("--panes", type=int, default=100, help="panes of ten seconds")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(kinds):
        parser.error(f"no such kind of traffic: {', '.join(sorted(unknown))}; there are {', '.join(kinds)}")
    figures = []
    for kind in options.kinds or kinds:
        # a process of its own: what another kind left free would be taken for nothing
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            if kind in EVENTS:
                found = alone.submit(hop1, kind, options.events).result()
            else:
                found = alone.submit(hop2, kind, options.places, options.panes).result()
        print("{name:22} {held:>10,} held  {bytes_each:>7,.0f} bytes each  {cpu_us_each:6.1f} us each".format(**found))
        figures.append(found)
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
