"""The filters of /v1/alerts and its stream, from the address, under the ceiling of the grant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec
from aiohttp import web
from multidict import MultiMapping

from api.auth.grants import Grant
from sori.alerting.alert import State
from sori.alerting.filter import OPEN, AlertFilter, narrowed, states_meant
from sori.errors import ConfigError
from sori.suggest import none_of

#: Query parameter to field; a parameter may be repeated.
PARAMETERS = {
    "account": "accounts",
    "rule": "rules",
    "severity": "severities",
    "place": "places",
    "campaign": "campaigns",
    "state": "states",
}
#: The values of `state`.
STATES = (*get_args(State), OPEN)


def filter_of(query: MultiMapping[str], grant: Grant) -> AlertFilter | None:
    """The filter in force; None lets nothing pass. Raises HTTPBadRequest."""
    try:
        wanted = asked_filter({name: query.getall(name, []) for name in PARAMETERS})
    except ConfigError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    accounts = narrowed(wanted.accounts, grant.accounts)
    return None if accounts is None else msgspec.structs.replace(wanted, accounts=accounts)


def asked_filter(asked: Mapping[str, Sequence[str] | None]) -> AlertFilter:
    """From values by parameter, as the API and `sori alerts` take them. Raises ConfigError for what is not known."""
    given: dict[str, Any] = {field: tuple(asked.get(name) or ()) for name, field in PARAMETERS.items()}
    unknown = [state for state in given["states"] if state not in STATES]
    if unknown:
        raise ConfigError(none_of("state", unknown[0], STATES))
    given["states"] = states_meant(given["states"])
    return AlertFilter(**given).check().check_rules()
