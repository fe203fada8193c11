"""The embedded broker starts, stops, survives kill -9, and says what is missing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from broker.probe import answers
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.process.ports import free_port
from sori.errors import PrerequisiteError, StorageUnavailable
from sori.settings.kafka import KafkaSettings
from testkit.paths import ROOT
from testkit.wait import wait_until

TOPIC = "sori.events"


async def produce(bootstrap: str, values: list[bytes]) -> None:
    """Write records to partition 0, acknowledged by the broker."""
    async with asyncio.timeout(30), AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(TOPIC, value, partition=0)


async def consume(bootstrap: str, count: int) -> list[bytes]:
    """Read the first records of partition 0."""
    async with asyncio.timeout(30), AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]


async def test_records_survive_kill_9_and_a_clean_stop(tmp_path: Path) -> None:
    """Acknowledged records are there after a crash and after a stop; port and folder stay the same."""
    broker = EmbeddedBroker(tmp_path / "kafka")
    async with broker:
        bootstrap = broker.bootstrap
        await apply_topics(KafkaSettings(bootstrap=bootstrap))
        await produce(bootstrap, [b"one", b"two"])
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        assert await broker.wait() == -signal.SIGKILL
        await broker.start()
        assert broker.bootstrap == bootstrap
        assert await consume(bootstrap, 2) == [b"one", b"two"]
        await produce(bootstrap, [b"three"])
    assert broker.pid is None
    assert not await answers(bootstrap)
    async with broker:
        assert await consume(bootstrap, 3) == [b"one", b"two", b"three"]


async def test_a_folder_belongs_to_one_broker(tmp_path: Path) -> None:
    """A second broker in the same folder is refused before it touches anything."""
    async with EmbeddedBroker(tmp_path) as first:
        with pytest.raises(PrerequisiteError, match="Another broker runs in"):
            await EmbeddedBroker(tmp_path).start()
        assert await answers(first.bootstrap)


async def test_a_taken_port_is_named(broker: str, tmp_path: Path) -> None:
    """The message names the port and the option that changes it."""
    port = int(broker.rpartition(":")[2])
    with pytest.raises(PrerequisiteError, match=rf"(?s){port}.*--broker-port"):
        await EmbeddedBroker(tmp_path, port=port).start()


async def test_missing_java_is_a_prerequisite_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Java the user learns what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(PrerequisiteError, match=r"(?s)Java is not installed.*Install a JDK 17"):
        await EmbeddedBroker(tmp_path / "kafka").start()


async def test_a_broker_that_cannot_start_gives_its_reason(tmp_path: Path) -> None:
    """Kafka's own last errors are in the message: here, storage of another node."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\nnode.id=99\ncluster.id=PdPf21u5R9W_SchPFDF3AA\n")
    with pytest.raises(StorageUnavailable, match=r"(?s)exit code.*(node\.id|node id|nodeId)"):
        await EmbeddedBroker(tmp_path).start()


async def test_a_broker_too_slow_to_start_is_killed(tmp_path: Path) -> None:
    """When the start takes too long there is an error, and no process stays behind."""
    broker = EmbeddedBroker(tmp_path, start_timeout_s=0.001)
    with pytest.raises(StorageUnavailable, match="did not answer"):
        await broker.start()
    assert broker.pid is None


async def test_the_probe_answers_for_nobody_quickly() -> None:
    """A closed port and a mute server are both no broker."""
    assert not await answers(f"127.0.0.1:{free_port()}")
    writers: list[asyncio.StreamWriter] = []
    mute = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    async with mute:
        began = time.monotonic()
        assert not await answers(f"127.0.0.1:{mute.sockets[0].getsockname()[1]}", timeout_s=0.3)
        assert time.monotonic() - began < 10
        for writer in writers:
            writer.close()
            await writer.wait_closed()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux only")
async def test_the_broker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """kill -9 of the process that runs the broker leaves no Java behind, and the folder can be used again."""
    script = (
        "import asyncio, pathlib, sys\nfrom broker.process import EmbeddedBroker\n"
        "async def main():\n"
        "    async with EmbeddedBroker(pathlib.Path(sys.argv[1])) as broker:\n"
        "        print(broker.bootstrap, flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "import structlog; structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    bootstrap = (await parent.stdout.readline()).decode().strip()
    assert await answers(bootstrap)
    parent.kill()
    await parent.wait()

    async def gone() -> bool:
        return not await answers(bootstrap)

    await wait_until(gone)
    async with EmbeddedBroker(tmp_path) as broker:
        assert await answers(broker.bootstrap)
