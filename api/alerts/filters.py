"""The filters of /v1/alerts and its stream, from the address, under the ceiling of the grant."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from multidict import MultiMapping

from api.auth.grants import Grant
from sori.alerting.filter import AlertFilter, narrowed
from sori.errors import ConfigError

#: Query parameter to field; a parameter may be repeated.
PARAMETERS = {
    "account": "accounts",
    "rule": "rules",
    "severity": "severities",
    "place": "places",
    "campaign": "campaigns",
    "state": "states",
}


def filter_of(query: MultiMapping[str], grant: Grant) -> AlertFilter | None:
    """The filter in force; None lets nothing pass. Raises HTTPBadRequest."""
    given: dict[str, Any] = {field: tuple(query.getall(name, [])) for name, field in PARAMETERS.items()}
    try:
        wanted = AlertFilter(**given).check()
    except ConfigError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    accounts = narrowed(wanted.accounts, grant.accounts)
    return None if accounts is None else msgspec.structs.replace(wanted, accounts=accounts)
