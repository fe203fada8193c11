"""`sori ctr`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.columns import Column, WideOption, show_columns
from cli.shared.query_options import (
    AccountsOption,
    ApiPortOption,
    CampaignsOption,
    ConfigOption,
    DataDirOption,
    DevicesOption,
    JsonOption,
    SinceOption,
    TokenOption,
    UntilOption,
    asking,
    many,
)
from cli.shared.say import say, say_json, say_json_lines
from sori.errors import QueryError
from sori.suggest import none_of

if TYPE_CHECKING:
    from rich.console import Console

#: What gives way on a narrow terminal, the highest first.
_RANKS = {"country": 5, "region": 4, "account_id": 3, "campaign_name": 6, "material_name": 7}
_FORMATS = ("table", "json", "csv", "ndjson", "parquet")


def ctr(
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Group by account, campaign, material, device, platform, place, country, region or city; several, "
            "repeated or joined by commas, are crossed. Default: campaign.",
            show_default=False,
        ),
    ] = None,
    campaign: CampaignsOption = None,
    material: Annotated[list[str] | None, many("material")] = None,
    device: DevicesOption = None,
    platform: Annotated[list[str] | None, many("platform, such as iOS")] = None,
    country: Annotated[list[str] | None, many("country")] = None,
    region: Annotated[list[str] | None, many("region")] = None,
    city: Annotated[list[str] | None, many("city")] = None,
    account: AccountsOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    sort: Annotated[
        str, typer.Option(help="Highest first: impressions, clicks, suspect_clicks, ctr, ctr_low, clean_ctr, …")
    ] = "impressions",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows shown.")] = 20,
    fmt: Annotated[str, typer.Option("--format", "-f", help="table, json, csv, ndjson or parquet.")] = "table",
    as_json: JsonOption = False,
    wide: WideOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show click-through rates with their 95 % interval, most impressions first.

    The interval is Wilson's: where it is wide, the rate says little yet. The clean rate leaves suspect clicks out.

    Example: `sori ctr --by campaign,platform --country "United States" --since 1h --sort ctr_low`
    """
    from api.query.ctr_question import asked_ctr
    from cli.shared.asked_routes import rates

    fmt = "ndjson" if as_json else fmt
    if fmt not in _FORMATS:
        raise QueryError(none_of("--format", fmt, _FORMATS))
    only = {"campaign": campaign, "material": material, "device": device, "platform": platform, "account": account}
    places = {"country": country, "region": region, "city": city}
    times = {"since": [since] if since else None, "until": [until] if until else None}
    asked = {**only, **places, **times, "by": by, "sort": [sort], "limit": [str(limit)]}
    groups = asked_ctr(asked).by  # refuses what is not known before anybody is asked
    with asking(config, data_dir, api_port, token) as engine:
        answer = rates(engine, asked, fmt if fmt in ("csv", "parquet") else "ndjson")
    if fmt in ("csv", "parquet"):
        _write(answer, as_text=fmt == "csv")
    else:
        _tell(answer, fmt, groups, wide=wide)


def _tell(answer: bytes, fmt: str, groups: Sequence[str], *, wide: bool) -> None:
    """Rows of an answer, as people or programs read them."""
    from cli.shared.terminal import Terminal

    found = [json.loads(line) for line in answer.splitlines() if line]
    if fmt == "json":
        say_json({"by": list(groups), "rows": found}, indent=2)
    elif fmt == "ndjson":
        say_json_lines(found)
    else:
        show(Terminal(), groups, found, wide=wide)


def show(console: Console, by: Sequence[str], found: list[dict[str, Any]], *, wide: bool = False) -> None:
    """Print rates as a table; names from outside are shown as they are, even where they look like markup."""
    if not found:
        console.print(f"no impressions or clicks per {' and '.join(by)}")
        return
    names = [name for name in found[0] if not name.startswith(_MEASURES)]
    columns = [
        Column(
            name.removesuffix("_id").replace("_", " "),
            [str(row[name]) or "-" for row in found],
            rank=_RANKS.get(name, 0) if len(names) > 1 else 0,
            folds=True,
        )
        for name in names
    ]
    intervals = [f"{float(row['ctr_low']):.2%} to {float(row['ctr_high']):.2%}" for row in found]
    columns += [
        Column("impressions", [f"{int(row['impressions']):,}" for row in found], rank=1, justify="right"),
        Column("clicks", [f"{int(row['clicks']):,}" for row in found], rank=2, justify="right"),
        Column("CTR", [f"{float(row['ctr']):.2%}" for row in found], justify="right"),
        Column("95 % interval", intervals, justify="right"),
    ]
    if any(row.get("suspect_clicks") for row in found):
        columns += [
            Column("suspect", [f"{int(row['suspect_clicks'] or 0):,}" for row in found], rank=8, justify="right"),
            Column("clean CTR", [f"{float(row['clean_ctr']):.2%}" for row in found], rank=9, justify="right"),
        ]
    show_columns(console, columns, f"Click-through rate by {', '.join(by)}", wide=wide)


_MEASURES = ("impressions", "clicks", "suspect_clicks", "ctr", "clean_ctr")


def _write(answer: bytes, *, as_text: bool) -> None:
    """To standard output as it is; on a terminal nothing in it may act."""
    if sys.stdout.isatty():
        if not as_text:
            raise QueryError("--format parquet is not for a terminal: send it to a file with >")
        say(answer.decode("utf-8", "backslashreplace").removesuffix("\n"), lines=True)
        return
    sys.stdout.buffer.write(answer)
    sys.stdout.flush()
