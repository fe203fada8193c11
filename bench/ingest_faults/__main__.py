"""`python -m bench.ingest_faults`: the fault suite with outages of a minute, and its table."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.common.command_line import command_line, scratch_folder, write_figures
from testkit.ingest_faults.rig import Verdict, rig
from testkit.ingest_faults.scenarios import SCENARIOS
from testkit.ingest_faults.table import table

console = Console(width=120)


async def suite(names: list[str], outage_s: float, rate: float, folder: Path) -> list[Verdict]:
    """Every named scenario on one Kafka and one sink."""
    verdicts = []
    async with rig(folder, rate=rate) as it:
        for name in names:
            console.print(f"{name} ...")
            verdicts.append(await SCENARIOS[name](it, outage_s))
    return verdicts


def main() -> None:
    """Parse, run, print, write; exit code 1 when something is lost or stored twice."""
    parser = command_line("python -m bench.ingest_faults", __doc__)
    parser.add_argument("scenarios", nargs="*", help=f"of {', '.join(SCENARIOS)}; default all")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds that each fault lasts")
    parser.add_argument("--rate", type=float, default=500.0, help="events per second meanwhile")
    options = parser.parse_args()
    names = options.scenarios or list(SCENARIOS)
    with scratch_folder("faults") as folder:
        verdicts = asyncio.run(suite(names, options.outage, options.rate, Path(folder)))
    console.print(table(verdicts))
    write_figures(options.json, [asdict(verdict) for verdict in verdicts])
    raise SystemExit(any(verdict.lost or verdict.duplicates for verdict in verdicts))


if __name__ == "__main__":
    main()
