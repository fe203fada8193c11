"""One rehearsal of docker-compose.yml or of deploy/k8s: up in order, closed, traffic, the truth, down in time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.demo.verdict import Verdict
from sori.settings import Settings, load_settings
from testkit.paths import ROOT
from testkit.rehearsal import compose, kubernetes
from testkit.rehearsal.container import Container, Mount
from testkit.rehearsal.fleet import Fleet
from testkit.rehearsal.image import Image, install_script, read_image
from testkit.rehearsal.stand_ins import kafka_properties, start_clickhouse, start_kafka
from testkit.rehearsal.traffic import send_and_judge

#: Every name that a deployment file calls a neighbour by; all of it is this machine, in a network of its own.
HOSTS = ("kafka", "kafka-bootstrap", "clickhouse", "ingest", "streams", "sinks", "notify", "api")
_KAFKA_PORT, _CLICKHOUSE_PORT = 9092, 8123
_RATE = 100.0
#: What an installation sets in deploy/k8s/stages.env, here: a Kafka of one broker.
_K8S_OVERRIDES = {"SORI_KAFKA__REPLICATION": "1"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rehearsal showed."""

    verdict: Verdict
    notes: tuple[str, ...]


async def rehearse_compose(folder: Path, layers: Mapping[str, Path], seconds: float) -> Outcome:
    """`make compose-secrets && docker compose up`, then the demo. Raises RehearsalFailed."""
    image = await _build(folder, layers)
    secrets = folder / "secrets"
    script = [sys.executable, "-I", str(ROOT / "deploy/docker/make_secrets.py"), "--folder", str(secrets)]
    await asyncio.to_thread(_checked, [*script, "--env", str(folder / ".env")])
    file = compose.read_compose(compose.read_variables(folder / ".env"))
    containers = compose.our_containers(file, image, folder / "volumes")
    services = file["services"]
    users = {
        services["clickhouse"]["environment"]["CLICKHOUSE_USER"]: _secret(secrets, "clickhouse-password"),
        "sori_api": services["clickhouse"]["environment"]["CLICKHOUSE_READER_PASSWORD"],
    }
    database = services["clickhouse"]["environment"]["CLICKHOUSE_DB"]
    async with _outside(folder, services["kafka"]["environment"], users, database):
        return await _run(folder, image, containers, secret=_secret(secrets, "secret-keys"), seconds=seconds)


async def rehearse_kubernetes(folder: Path, layers: Mapping[str, Path], seconds: float) -> Outcome:
    """`kubectl apply -k deploy/k8s` with one pod of each, then the demo. Raises RehearsalFailed."""
    image = await _build(folder, layers)
    password = "rehearsed"
    dsn = "clickhouse://{}:" + password + f"@clickhouse:{_CLICKHOUSE_PORT}/sori"
    values = {
        "secret-keys": "key-of-the-console",
        "clickhouse-dsn": dsn.format("sori"),
        "reader-dsn": dsn.format("sori_api"),
    }
    assert kubernetes.secret_names() == set(values)
    kubernetes.write_secret(folder / "secret", values, group=image.user)
    containers = kubernetes.our_containers(image, folder / "secret", folder / "volumes", _K8S_OVERRIDES)
    file = compose.read_compose({"CLICKHOUSE_READER_PASSWORD": password})
    broker = {
        name: str(value).replace("//kafka:", "//kafka-bootstrap:")
        for name, value in file["services"]["kafka"]["environment"].items()
    }
    async with _outside(folder, broker, {"sori": password, "sori_api": password}, "sori"):
        return await _run(folder, image, containers, secret=values["secret-keys"], seconds=seconds)


async def _build(folder: Path, layers: Mapping[str, Path]) -> Image:
    """The image's own environment, made inside it by the Dockerfile's steps."""
    image = read_image(layers)
    builder = Container(
        name="build",
        command=("sh", "-c", install_script()),
        environment={"PATH": "/usr/bin:/bin", "HOME": "/build", "TMPDIR": "/build"},
        mounts=(Mount("/build"),),
        user=0,
        group=0,
        workdir="/",
        read_only=False,
        one_shot=True,
    )
    if not (layers["/opt/venv"] / "bin").exists():
        await Fleet(image, folder).run(builder)
    return image


@asynccontextmanager
async def _outside(
    folder: Path, broker: Mapping[str, str], users: Mapping[str, str], database: str
) -> AsyncIterator[None]:
    """Kafka and ClickHouse."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        properties = kafka_properties(broker, folder / "kafka" / "data")
        running.append(await start_kafka(properties, folder / "kafka", f"kafka:{_KAFKA_PORT}"))
        running.append(await start_clickhouse(folder / "clickhouse", users, database, _CLICKHOUSE_PORT))
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


async def _run(folder: Path, image: Image, containers: list[Container], *, secret: str, seconds: float) -> Outcome:
    fleet = Fleet(image, folder)
    try:
        await fleet.start(containers, there=("kafka", "clickhouse"))
        await fleet.check_walls()
        [api] = [container for container in containers if container.name == "api"]
        token = (await fleet.run(api.running("tokens", "create"))).strip().splitlines()[-1]
        verdict = await send_and_judge(
            _settings(),
            folder,
            webhook="http://ingest:8080/webhooks/sori",
            api="http://api:8081",
            secret=secret,
            token=token,
            seconds=seconds,
            rate=_RATE,
        )
        await fleet.stop()
    finally:
        fleet.kill()
    return Outcome(verdict, tuple(fleet.notes))


def _settings() -> Settings:
    return load_settings(None, kafka={"bootstrap": f"kafka:{_KAFKA_PORT}"})


def _checked(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _secret(folder: Path, name: str) -> str:
    return (folder / name).read_text().strip()
