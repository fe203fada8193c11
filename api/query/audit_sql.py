"""The audit of logins within a time, as a source that reads no more than it must. Pure: numbers in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from api.query.ctr_sql import quote, time_literal

#: A login and its record may lie on both sides of a bound. Farther than an hour beyond it nothing is looked for.
_LEAST_REACH = timedelta(hours=1)
#: Columns that are times.
TIMES = ("login_at", "own_at")
_EVER = 4_294_967_295


def audit_source(
    tolerance: int, since: datetime | None = None, until: datetime | None = None, accounts: Sequence[str] = ()
) -> str:
    """`auth_audit_between` in brackets, with `at`: the lines whose login, or else own record, is in [since, until).

    `tolerance` in seconds. No account named means all of them.
    """
    reach = max(timedelta(seconds=tolerance), _LEAST_REACH)
    begin = 0 if since is None else max(0, int((since - reach).timestamp()))
    end = _EVER if until is None else min(_EVER, int((until + reach).timestamp()) + 1)
    given = ", ".join(map(quote, accounts))
    view = f"auth_audit_between(tolerance = {int(tolerance)}, since = {begin}, until = {end}, accounts = [{given}])"
    bounds = [f"at >= {time_literal(since)}"] if since is not None else []
    bounds += [f"at < {time_literal(until)}"] if until is not None else []
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"(SELECT *, coalesce(login_at, own_at) AS at FROM {view}{where})"  # noqa: S608 - quoted
