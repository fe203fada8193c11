"""`sori simulate`: the other half of the contract, a SORI server with labelled traffic."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.sign import SignDataDirOption
from cli.shared.query_options import ConfigOption, settings_of
from cli.shared.say import say
from cli.shared.signing import signing_secret
from sori.errors import ConfigError
from sori.events import parse_time_ms

if TYPE_CHECKING:
    from simulator.server import Run

_HEAD_START_S = 1.0  # the first deliveries are made while the run waits to begin


UrlOption = Annotated[str, typer.Option(help="Global webhook URL: where every event goes by default.")]
SecretOption = Annotated[
    str | None,
    typer.Option(
        help="Secret key that signs each attempt; default: the first of SORI_INGEST__SECRET_KEYS, else the one that "
        "`sori up` made. Empty: unsigned.",
        show_default=False,
    ),
]
RateOption = Annotated[float, typer.Option(min=0.1, help="Events per second on average, attacks included.")]
DurationOption = Annotated[float, typer.Option(min=1.0, help="Seconds of traffic.")]
ScenarioOption = Annotated[
    str,
    typer.Option(
        help="Legitimate: calm, flash-crowd, regional-spot, national-spot, campaign-launch, shared-device, dense-city, "
        "retry-storm. Fraud: demo (aired spot, device-flood and city-flood), device-flood, city-flood, quiet-flood, "
        "click-injection, ghost-clicks, duplicate-clicks, device-farm, geo-hopping, auth-stuffing, impression-flood, "
        "slow-ramp."
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(help="The same seed plans the same traffic; default: a new one, printed.", show_default=False),
]
StartOption = Annotated[
    str | None,
    typer.Option(
        help="Event time of the beginning, ISO 8601; default: now. With --seed, bodies repeat exactly.",
        show_default=False,
    ),
]
TruthOption = Annotated[
    Path | None, typer.Option(help="Write what was sent and what is fraud here (NDJSON).", show_default=False)
]
ReportOption = Annotated[Path | None, typer.Option(help="Write the totals here (JSON).", show_default=False)]
CampaignUrlOption = Annotated[
    list[str] | None,
    typer.Option(
        help="CMP=URL: this campaign's own webhook URL, which overrides --url. Repeatable.", show_default=False
    ),
]
SubscribeOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Event categories: campaign,authentication,admin for all accounts, or ACC=campaign for one. "
        "Repeatable; default: campaign,authentication.",
        show_default=False,
    ),
]
BackoffOption = Annotated[float, typer.Option(min=0.0, help="Seconds before the first retry; doubles each time.")]
ConcurrencyOption = Annotated[int, typer.Option(min=1, help="Most requests under way at once.")]
InsecureOption = Annotated[bool, typer.Option("--insecure", help="Accept any TLS certificate.")]


def simulate(
    *,
    url: UrlOption,
    secret: SecretOption = None,
    rate: RateOption = 100.0,
    duration: DurationOption = 60.0,
    scenario: ScenarioOption = "demo",
    seed: SeedOption = None,
    start: StartOption = None,
    truth: TruthOption = None,
    report: ReportOption = None,
    campaign_url: CampaignUrlOption = None,
    subscribe: SubscribeOption = None,
    backoff: BackoffOption = 1.0,
    concurrency: ConcurrencyOption = 256,
    insecure: InsecureOption = False,
    data_dir: SignDataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Act as SORI's server: signed webhooks with realistic traffic, and known fraud in it.

    Every attempt gets a fresh timestamp and signature. A 2xx answer within 5 s is success; else up to 3 retries with
    exponential backoff, then the event is dropped and reported. Ctrl-C stops sending and still writes the files.

    Exit code: 0 when everything was delivered, 1 when anything was dropped or interrupted, 2 for wrong options.
    """
    from simulator.retries import RetryPolicy
    from simulator.routing import Routes, parse_subscriptions
    from simulator.scenarios import SCENARIOS
    from simulator.server import Run, Sender
    from simulator.traffic import plan
    from simulator.truth import TruthFile

    if scenario not in SCENARIOS:
        raise ConfigError(f"no scenario {scenario!r}; there are {', '.join(SCENARIOS)}")
    key = signing_secret(settings_of(config, data_dir)) if secret is None else secret
    sender = Sender(
        routes=Routes(url, _campaign_urls(campaign_url or [])),
        subscriptions=parse_subscriptions(subscribe or []),
        secret=key.encode() or None,
        policy=RetryPolicy(first_s=backoff),
        open_requests=concurrency,
        verify_tls=not insecure,
    )
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    start_ms = parse_time_ms(start, "--start") if start else int((time.time() + _HEAD_START_S) * 1000)
    run = Run(plan(SCENARIOS[scenario], seed, start_ms, duration, rate), sender)
    if truth is None:
        _drive(run)
    else:
        with truth.open("wb") as out:
            run.truth = TruthFile(out, run.plan)
            try:
                _drive(run)
            finally:
                run.truth.close()
    totals = {"scenario": scenario, "seed": seed, "rate": rate, "duration_s": duration} | run.tally.report()
    if report is not None:
        report.write_text(json.dumps(totals, indent=2) + "\n", encoding="utf-8")
    _print(totals)
    for attack in run.plan.attacks:
        say(f"fraud in it: {attack.kind} by {attack.subject_kind} {attack.subject} of {attack.account_id}")
    if run.tally.dropped or run.tally.interrupted:
        raise typer.Exit(1)


def _campaign_urls(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, (campaign, _, url) in zip(texts, pairs, strict=True) if not (campaign and url)]:
        raise ConfigError(f"--campaign-url wants CMP=URL, not {wrong[0]!r}")
    return {campaign: url for campaign, _, url in pairs}


def _drive(run: Run) -> None:
    """Run to the end or to Ctrl-C, with a progress line on a terminal."""
    import gc

    import uvloop

    gc.freeze()  # imported code is not garbage; what a delivery leaves behind is mostly freed without the collector
    gc.set_threshold(50_000, 20, 50)

    async def main() -> None:
        from runtime.process.signals import stop_event

        with stop_event() as stop:
            going = asyncio.create_task(run.go(stop, starts_in_s=_HEAD_START_S))
            await _show(run, going)
            await going

    uvloop.run(main())


async def _show(run: Run, going: asyncio.Task[None]) -> None:
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from cli.shared.terminal import Terminal, progress_text

    columns = (progress_text(), BarColumn(), TimeRemainingColumn(), progress_text("{task.fields[counts]}"))
    span_s = run.plan.span.seconds
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as progress:
        if not progress.console.is_terminal:
            progress.stop()
        bar = progress.add_task(run.plan.scenario.name, total=span_s, counts="")
        begun = time.monotonic()
        while not going.done():
            t = run.tally
            counts = f"{t.delivered} delivered, {t.retries} retries, {t.dropped} dropped, {t.in_flight} open"
            progress.update(bar, completed=min(span_s, time.monotonic() - begun), counts=counts)
            await asyncio.wait({going}, timeout=0.2)


def _print(totals: dict[str, object]) -> None:
    from rich.table import Table

    from cli.shared.terminal import Terminal

    table = Table(show_header=False, title="SORI server, simulated", title_justify="left")
    for name, value in totals.items():
        shown = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), shown or "-")
    Terminal().print(table)
