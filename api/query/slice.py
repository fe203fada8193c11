"""What a page of the console looks at: a time, some accounts, and chips. Pure: texts in, source and conditions out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from api.query.ctr_question import FILTERS
from api.query.ctr_sql import parse_since, quote
from api.query.ctr_sums import DAY_S, events_of, sums
from sori.errors import QueryError
from sori.places import respelled

#: Name to length, seconds.
RANGES = {"15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
#: Up to this length, seconds, buckets are so long, seconds.
_BUCKETS = ((7200, 60), (172_800, 300), (2_678_400, 3600), (34_560_000, 86_400))
_MINUTE_S = 60
_PLACES = frozenset({"country", "region", "city"})


@dataclass(frozen=True, slots=True)
class Source:
    """A view, its column of time, and the sums of it."""

    view: str
    time: str
    sums: str


@dataclass(frozen=True, slots=True)
class Slice:
    """[since, until) in whole buckets of `bucket_s`, `now` when it was asked; `only`: column to values."""

    since: datetime
    until: datetime
    now: datetime
    bucket_s: int
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def whole_until(self) -> datetime:
        """The end of the last bucket that is over: what may be compared with the time before."""
        return min(self.until, _floor(self.now, self.bucket_s))

    @property
    def accounts(self) -> tuple[str, ...]:
        """Of these accounts only; empty: of each."""
        return dict(self.only).get("account_id", ())

    @property
    def devices(self) -> tuple[str, ...]:
        """Of these devices only; empty: of each."""
        return dict(self.only).get("device_id", ())

    def narrowed_to(self, accounts: tuple[str, ...]) -> Slice:
        """The same of these accounts; empty: of those that it was of."""
        others = tuple((column, values) for column, values in self.only if column != "account_id")
        return replace(self, only=(*others, ("account_id", accounts))) if accounts else self

    def source(self, *columns: str, since: datetime | None = None, step: int = DAY_S) -> Source:
        """Where rows with these columns and those of the chips are, from `since` on, of at most `step` seconds each."""
        used = {*columns, *(column for column, _ in self.only)}
        if "device_id" in used:
            return Source(events_of(self.devices), "created_at", _OF_EVENTS)
        if self.bucket_s == _MINUTE_S:  # the sums look at seven sources each: of two hours, minutes are read sooner
            return Source("ctr_by_minute", "minute", _OF_ROWS)
        named = {column for column, _ in self.only}
        return Source(sums(used, since or self.since, self.until, step, named), "time", _OF_ROWS)

    def where(self, time: str, since: datetime | None = None, until: datetime | None = None) -> str:
        """The condition: in this time, what the chips let through. Columns are those of `c`."""
        between = f"c.{time} >= {second(since or self.since)} AND c.{time} < {second(until or self.until)}"
        if time == "created_at":
            between += " AND c.event IN ('campaign.impression', 'campaign.click')"
        return " AND ".join([between, *self.chips()])

    def chips(self, columns: Iterable[str] | None = None) -> list[str]:
        """One condition for each chip, or for those of these columns."""
        return [
            f"c.{column} IN ({', '.join(map(quote, values))})"
            for column, values in self.only
            if columns is None or column in columns
        ]


_OF_ROWS = "sum(c.impressions) AS impressions, sum(c.clicks) AS clicks, sum(c.suspect_clicks) AS suspect_clicks"
#: Of devices no suspect clicks are counted.
_OF_EVENTS = (
    "countIf(c.event = 'campaign.impression') AS impressions, countIf(c.event = 'campaign.click') AS clicks,"
    " CAST(NULL, 'Nullable(UInt64)') AS suspect_clicks"
)


def asked_slice(asked: Mapping[str, Sequence[str]], now: datetime) -> Slice:
    """From texts by parameter: `range`, or `since` and `until`, and chips. Raises QueryError for what cannot be."""
    since, until = (parse_since(asked[name][0], now) if asked.get(name) else None for name in ("since", "until"))
    if since is None:
        name = asked["range"][0] if asked.get("range") else "1h"
        if name not in RANGES:
            raise QueryError(f"not a range: {name[:20]!r}; choose one of {', '.join(RANGES)}")
        since = (until or now) - timedelta(seconds=RANGES[name])
    until = until or now
    length = (until - since).total_seconds()
    if not 0 < length <= _BUCKETS[-1][0]:
        raise QueryError(f"since must lie before until, by at most {_BUCKETS[-1][0] // 86_400} days")
    bucket_s = next(bucket for most, bucket in _BUCKETS if length <= most)
    only = tuple((column, _spelled(column, asked[name])) for name, column in FILTERS.items() if asked.get(name))
    last = _floor(until - timedelta(microseconds=1), bucket_s) + timedelta(seconds=bucket_s)
    return Slice(_floor(since, bucket_s), last, now, bucket_s, only)


def second(moment: datetime) -> str:
    """A literal of ClickHouse for a whole second."""
    return f"toDateTime({int(moment.timestamp())}, 'UTC')"


def _floor(moment: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _spelled(column: str, values: Sequence[str]) -> tuple[str, ...]:
    """A place also as the pipeline spells it."""
    return tuple(dict.fromkeys((*values, *map(respelled, values)))) if column in _PLACES else tuple(values)
