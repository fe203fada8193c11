"""In observe mode: counts what is stored unproven, and what its signature would have been the proof of."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import structlog

from ingest.process.metrics import IngestMetrics
from runtime.rate_limit import TokenBuckets
from sori.signature import Secret
from sori.signature_guess import UNEXPLAINED, Guess, guess

#: A guess costs milliseconds, and anybody can ask for one.
_GUESSES_PER_S, _BURST = 5.0, 10

_log = structlog.get_logger(__name__)


class SignatureWatch:
    """Never holds up an event for longer than its few guesses a second cost; each new match is logged once."""

    def __init__(self, meters: IngestMetrics) -> None:
        self._meters = meters
        self._buckets = TokenBuckets(_GUESSES_PER_S, _BURST)
        self._told: set[Guess] = set()

    def note(self, endpoint: str, secrets: Sequence[Secret], body: bytes, signature: str | None, reason: str) -> None:
        """One unproven event; `reason`: missing, malformed or wrong."""
        self._meters.unproven(reason)
        if signature is None or not self._buckets.take("", monotonic()):
            return
        found = guess(secrets, body, signature)
        self._meters.signature_guess(found)
        if found not in self._told:
            self._told.add(found)
            level = _log.info if found == UNEXPLAINED else _log.warning
            level("signature_guessed", endpoint=endpoint, **found._asdict())
