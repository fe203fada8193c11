"""What faults do to deliveries: python -m bench.delivery_faults [--alerts N] [--endpoints N] [--json FILE].

First, six days of outage in simulated time. Then a real Kafka and a real `sori notify` with one subscriber per fault,
while `sori notify` is killed -9 at random. Last, N endpoints: the latency of the healthy nine tenths while the other
tenth is paused, and while it is dead (half refuse connections, half never answer). Exits 1 if an alert was lost or out
of order.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, write_figures
from bench.delivery_faults import endpoints as faults
from bench.delivery_faults.endpoints import Endpoints
from bench.delivery_faults.pipeline import SUBJECTS, Delivery, delivering
from bench.sse.__main__ import raise_file_limit
from sori.alerting.standard_webhooks import new_secret
from sori.alerting.subscriptions import Subscription, new_id
from testkit.receivers import DOWN, OK, Simulation

_DAY_S = 86_400.0
_PATIENCE_S = 180.0


def main() -> None:
    """Measure, print, judge."""
    parser = command_line("python -m bench.delivery_faults", __doc__)
    parser.add_argument("--alerts", type=int, default=300, help="alerts to each faulty subscriber")
    parser.add_argument("--kills", type=int, default=5, help="kill -9 of sori notify meanwhile")
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument("--waves", type=int, default=12, help="alerts to all endpoints, with and without the dead ones")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two of them")
    asked = parser.parse_args()
    raise_file_limit(2 * asked.endpoints + 500)
    table = [simulated_outage(), *asyncio.run(with_faults(asked.alerts, asked.kills))]
    crowd = asyncio.run(with_dead(asked.endpoints, asked.waves, asked.every))
    show("Faults (repeated: the same webhook-id again, after a kill or a lost answer)", table)
    show("Healthy endpoints, from publication to receipt, seconds", crowd)
    write_figures(asked.json, table + crowd)
    sys.exit(any(row["lost"] or row.get("disorder") for row in table + crowd))


def simulated_outage() -> dict[str, Any]:
    """Down for the whole schedule and longer: disabled, kept, resumed."""
    back_s = 6 * _DAY_S
    simulation = Simulation(lambda now, _: OK if now > back_s else DOWN)
    simulation.alerts(*[(n * 600.0, f"dev_{n % SUBJECTS}") for n in range(900)]).run(back_s)
    disabled, tried = simulation.subscriber.disabled, len(simulation.tried)
    simulation.subscriber.resume(simulation.now_s)
    simulation.run(7 * _DAY_S)
    per_subject = [[n for n in dict.fromkeys(simulation.order) if n % SUBJECTS == s] for s in range(SUBJECTS)]
    disorder = sum(numbers != sorted(numbers) for numbers in per_subject)
    lost = 900 - len(simulation.delivered)
    name = f"down for 6 days (simulated; disabled: {disabled})"
    repeated = len(simulation.order) - len(simulation.delivered)
    return _row(name, 900, lost=lost, disorder=disorder, repeated=repeated, requests=tried)


async def with_faults(alerts: int, kills: int) -> list[dict[str, Any]]:
    """One row per fault."""
    behaviours = {
        "healthy": None,
        "down, then back": None,
        "flapping": faults.flapping(),
        "slow": faults.slow,
        "429 with Retry-After": faults.throttling,
        "410, then resumed": faults.gone_once,
        "TLS error, then mended": None,
    }
    served = Endpoints({_path(name): how for name, how in behaviours.items() if how is not None})
    with tempfile.TemporaryDirectory() as folder:
        async with served.running(), delivering(Path(folder)) as delivery:
            subscriptions = {name: _subscription(served.url(_path(name))) for name in behaviours}
            names = {name[:3]: name for name in behaviours}
            down_one, tls_one = subscriptions[names["dow"]], subscriptions[names["TLS"]]
            subscriptions[names["dow"]] = down_one.changed(url="http://127.0.0.1:9/down")
            subscriptions[names["TLS"]] = tls_one.changed(url=served.url("TLS error", "https"))
            await delivery.subscribe(*subscriptions.values())
            killing = asyncio.create_task(delivery.kill_at_random(kills))
            numbers = await delivery.publish(alerts, 0.02)
            await killing
            mended = (
                subscriptions[names["dow"]].changed(url=down_one.url),
                subscriptions[names["TLS"]].changed(url=tls_one.url),
                subscriptions[names["410"]].asked("resume", 1),
            )
            await delivery.subscribe(*mended)
            await _until(lambda: all(len(served.numbers(_path(name))) == alerts for name in behaviours))
            rows = []
            for name in behaviours:
                path = _path(name)
                lost = len(set(numbers) - set(served.numbers(path)))
                repeated = len(served.took[path]) - len(served.numbers(path))
                disorder = served.disorder(path, SUBJECTS)
                requests = served.requests[path]
                rows.append(_row(name, alerts, lost=lost, disorder=disorder, repeated=repeated, requests=requests))
                rows[-1]["kills"] = delivery.kills
            return rows


async def with_dead(count: int, waves: int, every_s: float) -> list[dict[str, Any]]:
    """Latencies of the healthy ones with the dead ones paused, and with them in force; the same process throughout."""
    served = Endpoints({})
    with tempfile.TemporaryDirectory() as folder:
        async with served.running(), faults.black_hole() as hole, delivering(Path(folder), 15.0) as delivery:
            dead = [
                _subscription(f"http://127.0.0.1:{hole if n % 2 else 9}/dead", paused=True) for n in range(count // 10)
            ]
            healthy = [f"e{n}" for n in range(count - len(dead))]
            await delivery.subscribe(*dead, *[_subscription(served.url(name)) for name in healthy])
            rows = []
            await _wave(delivery, served, healthy, (1, every_s))  # connections
            for name, paused in (("dead ones paused", True), ("a tenth dead", False)):
                await delivery.subscribe(*[one.changed(paused=paused) for one in dead])
                rows.append(await _wave(delivery, served, healthy, (waves, every_s), name))
            return rows


async def _wave(
    delivery: Delivery, served: Endpoints, healthy: list[str], timing: tuple[int, float], name: str = ""
) -> dict[str, Any]:
    numbers = set(await delivery.publish(*timing))
    await _until(lambda: all(numbers <= set(served.numbers(one)) for one in healthy))
    ages = sorted(
        at - delivery.published[number] for one in healthy for number, at in served.took[one] if number in numbers
    )
    cuts = statistics.quantiles(ages, n=100, method="inclusive")
    lost = sum(len(numbers - set(served.numbers(one))) for one in healthy)
    figures = {"p50_s": cuts[49], "p95_s": cuts[94], "p99_s": cuts[98], "max_s": ages[-1]}
    return {
        "name": name,
        "endpoints": len(healthy),
        "deliveries": len(ages),
        "lost": lost,
        **{key: round(value, 3) for key, value in figures.items()},
    }


def _path(name: str) -> str:
    return name.partition(",")[0]


def _subscription(url: str, *, paused: bool = False) -> Subscription:
    return Subscription(new_id(), url.replace(" ", "%20"), new_secret(), int(time.time() * 1000) - 1000, paused=paused)


def _row(name: str, alerts: int, *, lost: int, disorder: int, repeated: int, requests: int) -> dict[str, Any]:
    return {
        "name": name,
        "alerts": alerts,
        "lost": lost,
        "disorder": disorder,
        "repeated": repeated,
        "requests": requests,
        "kills": 0,
    }


async def _until(condition: Any) -> None:
    """True, or out of patience: the table then shows what is missing."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - endpoints count, nobody tells
        await asyncio.sleep(0.2)


def show(title: str, rows: Iterable[dict[str, Any]]) -> None:
    """A table."""
    rows = list(rows)
    table = Table(title=title, title_justify="left")
    for key in rows[0]:
        table.add_column(key, justify="left" if key == "name" else "right")
    for row in rows:
        table.add_row(*[str(row[key]) for key in rows[0]])
    Console().print(table)


if __name__ == "__main__":
    main()
