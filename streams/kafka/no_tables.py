"""Faust's tables, of which there are none: state lives in operators. What is left hands over after a rebalance."""

from __future__ import annotations

from typing import Any

from faust.tables import TableManager
from faust.tables.recovery import Recovery


class PatientRecovery(Recovery):
    """Waits for state to be loaded, as long as that takes and no other rebalance begins.

    Faust stops waiting after `broker_request_timeout` and goes on as if all were done: a worker whose snapshots took
    longer was in its group and never counted anything. Kafka's answers within have their own bounds.
    """

    async def _wait(self, coro: Any, timeout: object = None) -> None:  # noqa: ARG002, ASYNC109 - as Faust's
        await super()._wait(coro)


class NoTables(TableManager):
    """Starts at once, where Faust waits a second for tables that might still be declared."""

    async def on_start(self) -> None:
        """As Faust's own does it after that second."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        """The service that goes on after a rebalance."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
