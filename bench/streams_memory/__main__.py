"""`python -m bench.streams_memory`: memory of both hops, each in a process of its own and without Kafka.

Hop 1: `--events` events of one partition over all the event time that is held (allowed lateness and one window), from
calm to hostile; bytes per event held. Hop 2: roll-ups of `--places` places by six source partitions; bytes per place,
pane and source. Measured is the growth of the resident set, after a flush, so that nothing waits to be emitted.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from bench.common.command_line import command_line, write_figures
from bench.streams_memory.measure import hop1
from bench.streams_memory.traffic import EVENTS


def main() -> None:
    """Parse, measure, print."""
    parser = command_line("python -m bench.streams_memory", __doc__)
    parser.add_argument("kinds", nargs="*", default=list(EVENTS), help=f"of hop 1's traffic: {', '.join(EVENTS)}")
    parser.add_argument("--events", type=int, default=300_000, help="events of one partition")
    options = parser.parse_args()
    figures = []
    for kind in options.kinds:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            found = alone.submit(hop1, kind, options.events).result()
        print("{name:22} {held:>10,} held  {bytes_each:>7,.0f} bytes each  {cpu_us_each:6.1f} us each".format(**found))
        figures.append(found)
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
