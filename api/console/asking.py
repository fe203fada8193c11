"""The slice of a request, under the ceiling of its token."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from api.auth.access import require
from api.query.ctr_question import FILTERS
from api.query.slice import Slice, asked_slice
from sori.alerting.filter import narrowed

_NAMES = (*FILTERS, "range", "since", "until")
#: No account has this name.
NOBODY = ("\0",)


def slice_of(request: web.Request, now: datetime | None = None) -> Slice:
    """What was asked for, of the token's accounts; of nobody, if none of those asked for is the token's."""
    grant = require(request, "read")
    asked = asked_slice({name: request.query.getall(name, []) for name in _NAMES}, now or datetime.now(UTC))
    accounts = narrowed(asked.accounts, grant.accounts)
    return asked.narrowed_to(NOBODY if accounts is None else accounts)
