"""A question for click-through rates, as `/v1/ctr` and `sori ctr` ask it, as SQL over the public views. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from api.query.ctr_sql import in_order, parse_since, quote, time_literal, wilson
from api.query.ctr_sums import device_sums, events_of, minutes_of_devices, sums
from sori.errors import QueryError
from sori.places import respelled
from sori.spreadsheet_cell import FORMULA
from sori.suggest import none_of

By = Literal["account", "campaign", "material", "device", "platform", "place", "country", "region", "city"]
Sort = Literal["impressions", "clicks", "suspect_clicks", "ctr", "ctr_low", "ctr_high", "clean_ctr", "clean_ctr_low"]
Format = Literal["json", "csv", "ndjson", "parquet"]
#: The names that ClickHouse has for them; `json` wraps the rows of the second.
FORMATS: dict[str, str] = {"json": "JSONEachRow", "ndjson": "JSONEachRow", "csv": "CSVWithNames", "parquet": "Parquet"}
DEFAULT_LIMIT, MOST_LIMIT = 20, 100_000

_COLUMNS: dict[str, tuple[str, ...]] = {
    "account": ("account_id",),
    "campaign": ("campaign_id",),
    "material": ("material_id",),
    "device": ("device_id",),
    "platform": ("platform",),
    "place": ("country", "region", "city"),
    "country": ("country",),
    "region": ("country", "region"),
    "city": ("country", "region", "city"),
}
#: What may be asked for, beside the times: parameter to column.
FILTERS: dict[str, str] = {
    "campaign": "campaign_id",
    "material": "material_id",
    "device": "device_id",
    "platform": "platform",
    "country": "country",
    "region": "region",
    "city": "city",
    "account": "account_id",
}
_PLACES = {"country", "region", "city"}
#: A view with names, and what its name is called beside the id.
_NAMES = {"campaign_id": ("campaigns", "campaign_name"), "material_id": ("materials", "material_name")}
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class CtrQuestion:
    """Rates of what `only` (column to values) lets through, in the minutes of [since, until), per group of `by`."""

    by: tuple[str, ...] = ("campaign",)
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "impressions"
    limit: int = DEFAULT_LIMIT

    @property
    def columns(self) -> tuple[str, ...]:
        """What a row is about; ids belong to an account, so that comes first."""
        return tuple(dict.fromkeys(("account_id", *(column for one in self.by for column in _COLUMNS[one]))))


def asked_ctr(
    asked: Mapping[str, Sequence[str] | None], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> CtrQuestion:
    """From texts by parameter. Raises QueryError for what is not known, or cannot be."""
    given = {name: [*(values or ())] for name, values in asked.items()}
    sort, limit = _one(given, "sort", "impressions"), _one(given, "limit", str(DEFAULT_LIMIT))
    if sort not in get_args(Sort):
        raise QueryError(none_of("sort", sort, get_args(Sort)))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 8 and 0 < int(limit) <= MOST_LIMIT):
        raise QueryError(f"limit must be a number from 1 to {MOST_LIMIT}, not {limit[:20]!r}")
    since, until = (
        parse_since(text, now()) if (text := _one(given, name, "")) else None for name in ("since", "until")
    )
    in_order(since, until)
    only = tuple((column, _spelled(name, given[name])) for name, column in FILTERS.items() if given.get(name))
    return CtrQuestion(asked_by(given.get("by") or ["campaign"]), only, since, until, sort, int(limit))


def asked_by(values: Iterable[str]) -> tuple[str, ...]:
    """What to group by: each of them, or several joined by commas. Raises QueryError."""
    found = tuple(dict.fromkeys(one.strip() for value in values for one in value.split(",")))
    for one in found:
        if one not in get_args(By):
            raise QueryError(none_of("by", one, get_args(By)))
    return found


def ctr(question: CtrQuestion = CtrQuestion(), fmt: str = "json") -> str:
    """The answer has the columns of `by` with names beside ids, the counts, and rates with and without suspect clicks.

    Of devices no suspect clicks are counted: those columns are NULL there. In CSV a text that a spreadsheet would
    take for a formula has an apostrophe in front, as in the console's.
    """
    if fmt == "csv":
        named = [name for column, (_, name) in _NAMES.items() if column in question.columns]
        return f"SELECT * REPLACE ({', '.join(map(_cell, (*question.columns, *named)))}) FROM ({ctr(question)})"  # noqa: S608 - of our columns
    keys = ", ".join(question.columns)
    used = {*question.columns, *(column for column, _ in question.only)}
    clean = "p_clean AS clean_ctr, low_clean AS clean_ctr_low, high_clean AS clean_ctr_high"
    if "device_id" in used:
        missing = ("clean_ctr", "clean_ctr_low", "clean_ctr_high")
        clean = ", ".join(f"CAST(NULL, 'Nullable(Float64)') AS {name}" for name in missing)
    sort = f"{question.sort} DESC NULLS LAST, impressions DESC, clicks DESC, {keys}"
    rates = f"""
        WITH {wilson("clicks")}, {wilson("clicks - least(clicks, suspect_clicks)", "_clean")}
        SELECT {keys}, impressions, clicks, suspect_clicks, p AS ctr, low AS ctr_low, high AS ctr_high, {clean}
        FROM ({_counts(question, keys, used)})
        ORDER BY {sort} LIMIT {int(question.limit)}"""  # noqa: S608 - every value is quoted below
    if not _NAMES.keys() & set(question.columns):
        return rates
    shown = ", ".join(f"{column}, {_NAMES[column][1]}" if column in _NAMES else column for column in question.columns)
    joins = " ".join(_named(column) for column in question.columns if column in _NAMES)
    measures = "impressions, clicks, suspect_clicks, ctr, ctr_low, ctr_high, clean_ctr, clean_ctr_low, clean_ctr_high"
    return f"SELECT {shown}, {measures} FROM ({rates}) AS rates {joins} ORDER BY {sort}"  # noqa: S608 - as above


def _cell(column: str) -> str:
    return f"if(match({column}, {quote(FORMULA)}), concat('\\'', {column}), {column}) AS {column}"


def _counts(question: CtrQuestion, keys: str, used: set[str]) -> str:
    """Counts per group, from what has every column: sums of windows, minutes of devices, else the events."""
    conditions = [f"{column} IN ({', '.join(map(quote, values))})" for column, values in question.only]
    devices = dict(question.only).get("device_id", ())
    since, until = (_whole(moment) if moment else None for moment in (question.since, question.until))
    time, counts = "minute", "sum(m.impressions) AS impressions, sum(m.clicks) AS clicks"
    bounds = [f"{{time}} >= {time_literal(since)}"] if since else []
    bounds += [f"{{time}} < {time_literal(until)}"] if until else []
    if "device_id" not in used:
        counts, bounds = f"{counts}, sum(m.suspect_clicks) AS suspect_clicks", []
        source = sums(used, since, until, named={column for column, _ in question.only})
    elif used <= {"account_id", "device_id"}:
        source, bounds = (minutes_of_devices if devices else device_sums)(since, until), []
    else:
        source, time = events_of(devices), "created_at"
        counts = "countIf(event = 'campaign.impression') AS impressions, countIf(event = 'campaign.click') AS clicks"
        conditions.append("event IN ('campaign.impression', 'campaign.click')")
    if "device_id" in used:
        counts += ", CAST(NULL, 'Nullable(UInt64)') AS suspect_clicks"
    conditions += [bound.format(time=time) for bound in bounds]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {keys}, {counts} FROM {source} AS m {where} GROUP BY {keys} HAVING impressions > 0 OR clicks > 0"  # noqa: S608 - quoted


def _named(column: str) -> str:
    view, name = _NAMES[column]
    names = f"SELECT account_id, {column}, name AS {name} FROM {view}"  # noqa: S608 - ours
    return f"LEFT ANY JOIN ({names}) AS {view} USING (account_id, {column})"


def _whole(moment: datetime) -> datetime:
    """The next whole minute: a minute is in or out with all its events, whatever they are counted from."""
    down = moment.replace(second=0, microsecond=0)
    return down if down == moment else down + _MINUTE


def _spelled(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """A place also as the pipeline spells it."""
    return tuple(dict.fromkeys((*values, *map(respelled, values)))) if name in _PLACES else tuple(values)


def _one(given: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    return given[name][0] if given.get(name) else default
