"""docker-compose.yml and deploy/k8s run here as they say, as closed as they say, and give the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from testkit.paths import ROOT
from testkit.rehearsal import compose, isolation, kubernetes
from testkit.rehearsal.image import read_image
from testkit.rehearsal.stand_ins import kafka_properties

_SECONDS = os.environ.get("SORI_TEST_REHEARSAL_SECONDS", "12")


@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(isolation.why_not()), reason=isolation.why_not())
def test_what_the_deployment_files_start_takes_webhooks_and_keeps_the_truth(tmp_path: Path) -> None:
    """Every service by its own command, variables, secrets and mounts; then the demo, with nothing missed."""
    command = [sys.executable, "-m", "testkit.rehearsal", "compose", "k8s", "--seconds", _SECONDS]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    for name in ("compose", "k8s"):
        stages = ["ingest", "streams", "sinks", "notify", "api"]
        assert all(f"{name}: {stage}: drained and ended" in result.stdout for stage in stages)


def test_every_service_of_ours_is_rehearsed(tmp_path: Path) -> None:
    """A new service cannot be forgotten: whatever uses our image is read, and what is not known is an error."""
    file = compose.read_compose({"CLICKHOUSE_READER_PASSWORD": "x", "SORI_SECRETS": str(tmp_path)})
    names = {c.name for c in compose.our_containers(file, read_image({}), tmp_path)}
    assert names == set(file["services"]) - {"kafka", "clickhouse", "prometheus", "grafana"}
    listed = {c.name for c in kubernetes.our_containers(read_image({}), tmp_path, tmp_path, {})}
    assert listed == names


def test_what_the_rehearsal_does_not_know_is_an_error(tmp_path: Path) -> None:
    """Rather than a container that is started in another way than the file says."""
    text = (
        (ROOT / "docker-compose.yml")
        .read_text()
        .replace("    command: [streams]\n", "    command: [streams]\n    pid: host\n")
    )
    changed = tmp_path / "docker-compose.yml"
    changed.write_text(text)
    file = compose.read_compose({"CLICKHOUSE_READER_PASSWORD": "x"}, changed)
    with pytest.raises(ValueError, match="does not know pid"):
        compose.our_containers(file, read_image({}), tmp_path)


def test_a_variable_that_must_be_set_is_asked_for() -> None:
    """As `docker compose` does."""
    with pytest.raises(ValueError, match="run make compose-secrets"):
        compose.read_compose({})


def test_kafka_gets_the_properties_that_its_image_would_make(tmp_path: Path) -> None:
    """KAFKA_NODE_ID is node.id, and the data lies in the volume."""
    spec = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]["environment"]
    properties = kafka_properties(spec, tmp_path)
    assert properties["node.id"] == "1"
    assert properties["advertised.listeners"] == "PLAINTEXT://kafka:9092"
    assert properties["log.dirs"] == str(tmp_path)
