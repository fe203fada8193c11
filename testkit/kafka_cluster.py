"""Three real brokers on one machine, each also a controller (KRaft): every topic on all, two must have a write."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from broker.process import EmbeddedBroker
from runtime.process.ports import LOOPBACK, free_ports

_NODES = 3
#: Any 16 bytes in Kafka's form; all nodes have the same.
_CLUSTER_ID = "c29yaS10ZXN0LWNsdXN0Zg"


class KafkaCluster:
    """Use as `async with KafkaCluster(folder) as cluster`; `brokers` may be killed, stopped and started."""

    def __init__(self, folder: Path, heap_mb: int = 256) -> None:
        ports = free_ports(2 * _NODES)
        self._ports, controllers = ports[:_NODES], ports[_NODES:]
        voters = ",".join(f"{number}@{LOOPBACK}:{port}" for number, port in enumerate(controllers, 1))
        self.brokers = [
            EmbeddedBroker(
                folder / f"node-{number}",
                port=self._ports[number - 1],
                controller_port=controllers[number - 1],
                heap_mb=heap_mb,
                start_timeout_s=180.0,
                properties=_properties(number, voters),
                format_options=("--cluster-id", _CLUSTER_ID),
            )
            for number in range(1, _NODES + 1)
        ]

    @property
    def bootstrap(self) -> str:
        """All nodes."""
        return ",".join(f"{LOOPBACK}:{port}" for port in self._ports)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(broker.start() for broker in self.brokers))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        # at once: a node that stops in good order waits for a leader that may be gone already
        for broker in self.brokers:
            await broker.kill()


def _properties(number: int, voters: str) -> dict[str, str]:
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    return {
        "node.id": str(number),
        "controller.quorum.voters": voters,
        "default.replication.factor": str(_NODES),
        "min.insync.replicas": "2",
        **{f"{topic}.replication.factor": str(_NODES) for topic in internal},
        "transaction.state.log.min.isr": "2",
        "share.coordinator.state.topic.min.isr": "2",
        "controlled.shutdown.max.retries": "3",
    }
