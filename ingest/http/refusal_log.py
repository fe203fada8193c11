"""Says in the log why deliveries are refused, without letting a flood of refusals become a flood of lines."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from time import monotonic

import structlog
from aiohttp import web

from ingest.admission.outcomes import Outcome, RequestError
from ingest.http.client_address import request_client

_EVERY_S = 10.0

_log = structlog.get_logger(__name__)


class RefusalLog:
    """One line per kind of refusal and endpoint every ten seconds, with how many it stands for; never a body."""

    def __init__(
        self, trusted: tuple[IPv4Network | IPv6Network, ...] = (), clock: Callable[[], float] = monotonic
    ) -> None:
        self._trusted = trusted
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._skipped: dict[tuple[str, str], int] = {}

    def note(
        self,
        outcome: Outcome | RequestError,
        endpoint: str,
        request: web.BaseRequest,
        *,
        account: str = "",
        detail: str = "",
    ) -> None:
        """Log one refusal, or count it into the next line."""
        kind, now = (outcome.value, endpoint), self._clock()
        if now - self._last.get(kind, float("-inf")) < _EVERY_S:
            self._skipped[kind] = self._skipped.get(kind, 0) + 1
            return
        self._last[kind] = now
        _log.warning(
            "delivery_refused",
            outcome=outcome.value,
            endpoint=endpoint,
            account=account[:100],
            detail=detail[:300],
            client=request_client(request, self._trusted),
            unlogged_before=self._skipped.pop(kind, 0),
        )
