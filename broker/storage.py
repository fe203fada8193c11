"""The broker's folder: its configuration, and its storage, formatted once."""

from __future__ import annotations

import base64
import re
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from broker.java import Java
from runtime.process.ports import LOOPBACK
from runtime.process.private_files import private_folder
from sori.errors import StorageUnavailable

_FORMAT_TIMEOUT_S = 60
#: Lists that further listeners are added to.
_ADDED = ("listeners", "advertised.listeners", "listener.security.protocol.map")

_LOG4J = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %m (%c)%n%throwable
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
"""


@dataclass(frozen=True, slots=True)
class BrokerDir:
    """The files of one embedded broker under one root."""

    root: Path

    @property
    def data(self) -> Path:
        """Kafka's log segments and metadata."""
        return self.root / "data"

    @property
    def properties(self) -> Path:
        """The server's configuration, written anew at every start."""
        return self.root / "server.properties"

    @property
    def log4j(self) -> Path:
        """The logging configuration, written anew at every start."""
        return self.root / "log4j2.properties"

    @property
    def log(self) -> Path:
        """What the server logged."""
        return self.root / "logs" / "broker.log"

    @property
    def lock(self) -> Path:
        """Locked while a broker runs here."""
        return self.root / ".lock"

    @property
    def console(self) -> Path:
        """What the JVM printed; nearly always empty."""
        return self.root / "logs" / "console.log"


def server_properties(data: Path, port: int, controller_port: int) -> dict[str, str]:
    """Kafka in KRaft combined mode on the loopback interface, lean enough for a laptop."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data.absolute()),
        # A misspelt topic name must fail, not become a topic.
        "auto.create.topics.enable": "false",
        # One node holds every replica there is.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        # A lone group on a laptop has nobody to wait for.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",  # a dead worker on a laptop is missed within seconds
        # The stream stage keeps its low offset in the commit's metadata string.
        "offset.metadata.max.bytes": "4096",
        # After kill -9 the restarted node is fenced until its former session ends: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "8388608",
    }


def prepare(
    directory: BrokerDir, port: int, controller_port: int, properties: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write the configuration for this start, `properties` on top of ours; never touches the data.

    `listeners` and the map of their protocols are added to ours, everything else replaces it.
    """
    private_folder(directory.log.parent)
    private_folder(directory.data)
    ours = server_properties(directory.data, port, controller_port)
    added = {key: f"{ours[key]},{properties[key]}" for key in _ADDED if key in properties}
    lines = [f"{key}={_escape(value)}" for key, value in {**ours, **properties, **added}.items()]
    directory.properties.write_text("\n".join(lines) + "\n", encoding="utf-8")
    directory.log4j.write_text(_LOG4J.format(log=_escape(str(directory.log.absolute()))), encoding="utf-8")


def is_formatted(directory: BrokerDir) -> bool:
    """Whether the storage carries a cluster id already."""
    return (directory.data / "meta.properties").is_file()


def format_once(directory: BrokerDir, java: Java, jars: Sequence[Path], more: Sequence[str] = ()) -> None:
    """Give the storage a random cluster id unless it has one; records already there stay. Blocking, about a second.

    `more` are further arguments of Kafka's storage tool.
    Raises StorageUnavailable with Kafka's own words when it refuses.
    """
    if is_formatted(directory):
        return
    options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={directory.log4j}"]
    cluster_id = () if "--cluster-id" in more else ("--cluster-id", _cluster_id())
    arguments = ["format", *cluster_id, "--config", str(directory.properties), "--ignore-formatted", *more]
    command = [str(java.path), *options, "-cp", class_path(jars), "kafka.tools.StorageTool", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S, check=False)
    if result.returncode != 0:
        raise StorageUnavailable(f"Kafka cannot format {directory.data}: {(result.stderr or result.stdout).strip()}")


def class_path(jars: Sequence[Path]) -> str:
    """The jars in the form that `java -cp` takes."""
    return ":".join(str(jar) for jar in jars)


def last_error(directory: BrokerDir) -> str:
    """The most telling lines of the logs, for an error message; empty when there are none."""
    for file in (directory.log, directory.console):
        if not file.is_file():
            continue
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines[-400:] if re.search(r"\b(ERROR|FATAL)\b|(Error|Exception): ", line)]
        if errors:
            return "\n".join(errors[-5:])
    return ""


def _cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes, URL-safe base64, no padding, no leading dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        if not text.startswith("-"):
            return text


def _escape(value: str) -> str:
    """Java's properties format treats a backslash as an escape."""
    return value.replace("\\", "\\\\")
