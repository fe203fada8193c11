"""The wheel that a user installs: built from the source distribution, in an environment without our checkout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import aiohttp
import pytest

from testkit.paths import ROOT, SAMPLES
from testkit.wait import wait_until

SECRET = "kept-secret"
#: What is shipped in the wheel besides code, and is read at run time.
DATA = {
    *(f"deploy/clickhouse/migrations/{p.name}" for p in (ROOT / "deploy/clickhouse/migrations").iterdir()),
    "deploy/clickhouse/users.d/reader.xml",
    "deploy/kafka/pom.xml",
    "sori/alerting/fraud-alert.json",
    *(f"api/live/static/{p.name}" for p in (ROOT / "api/live/static").iterdir()),
    *(f"{p.parent.name}/py.typed" for p in ROOT.glob("*/py.typed")),
}

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a publisher does: source distribution first, the wheel out of that."""
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "checkout"
    files = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    _run([sys.executable, "-m", "build", "--outdir", str(folder), str(source)], cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `sori` of a new environment. Its dependencies are those of this one, or with
    SORI_TEST_PACKAGING=full (minutes, a gigabyte) fetched from the registry into it.
    """
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=True)
    constraints = ["-c", str(ROOT / "constraints.txt")]
    if os.environ.get("SORI_TEST_PACKAGING") == "full":
        _run([str(home / "bin/pip"), "install", "--quiet", *constraints, str(wheel)], cwd=home)
    else:
        _run([str(home / "bin/pip"), "install", "--quiet", "--no-deps", "--no-index", str(wheel)], cwd=home)
        site = sysconfig.get_path("purelib", vars={"base": str(home)})
        # a plain folder on the path: the checkout's own .pth file in there is not read
        Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin" / "sori"


def test_the_wheel_holds_every_file_that_is_read_at_run_time(wheel: Path) -> None:
    """And nothing of tests, benches or left-over folders."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= DATA
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top == {
        "api",
        "broker",
        "cli",
        "deploy",
        "ingest",
        "notify",
        "runtime",
        "simulator",
        "sinks",
        "sori",
        "streams",
    }


def test_every_package_says_that_it_is_typed(wheel: Path) -> None:
    """A user's mypy reads our annotations."""
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = {name.split("/")[0] for name in names if name.endswith("/__init__.py")} - {"deploy"}
    assert {f"{package}/py.typed" for package in packages} <= names


def test_the_installed_command_knows_its_version(installed: Path, wheel: Path, tmp_path: Path) -> None:
    """`sori --version` says what was installed, from any folder."""
    assert wheel.name.split("-")[1] in _run([str(installed), "--version"], cwd=tmp_path)


async def test_a_webhook_goes_through_an_installed_pipeline(installed: Path, tmp_path: Path) -> None:
    """`sori up`, one signed webhook, `sori query`: in an empty folder, without the repository."""
    pipeline = _start(installed, tmp_path)
    try:
        printed = tmp_path / "out"
        await wait_until(lambda: pipeline.poll() is not None or "is up" in printed.read_text(), 180, what="sori up")
        text = printed.read_text()
        assert pipeline.poll() is None, text[-4000:]
        body = (SAMPLES / "impression.json").read_bytes()
        sign = [str(installed), "sign", str(SAMPLES / "impression.json"), "--secret", SECRET]
        signature = _run(sign, cwd=tmp_path).strip()
        headers = {"X-SORI-Signature": signature, "Content-Type": "application/json"}
        async with aiohttp.ClientSession() as http:
            async with http.post(_after(text, "webhook"), data=body, headers=headers) as answer:
                assert answer.status == 200
            async with http.get(_after(text, "query api") + "/") as answer:
                assert "<html" in await answer.text()
        api_port = _after(text, "query api").rsplit(":", 1)[1]
        sql = "SELECT activity_id FROM events_current"
        query = [str(installed), "query", sql, "--format", "TSV", "--api-port", api_port]
        await wait_until(lambda: _asked(query, tmp_path) == [json.loads(body)["activity_id"]], 60, what="the event")
    finally:
        pipeline.send_signal(signal.SIGINT)
        try:
            pipeline.wait(60)
        finally:
            pipeline.kill()
            pipeline.wait()


def _start(installed: Path, folder: Path) -> subprocess.Popen[bytes]:
    ports = ("--port", "0", "--api-port", "0", "--broker-port", "0")
    command = [str(installed), "up", "--data-dir", str(folder / "data"), *ports]
    with (folder / "out").open("wb") as out:
        return subprocess.Popen(command, cwd=folder, env=_environment(), stdout=out, stderr=out)


def _asked(command: list[str], folder: Path) -> list[str]:
    result = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    return result.stdout.splitlines()[1:] if result.returncode == 0 else []


def _after(text: str, label: str) -> str:
    """The address that the banner prints behind this label."""
    [line] = [line for line in text.splitlines() if line.strip().startswith(label)]
    return line.split(label, 1)[1].split()[0]


def _environment() -> dict[str, str]:
    """Nothing of the checkout: no PYTHONPATH, no settings but those of this test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SORI_", "PYTHON"))}
    off = {f"SORI_{stage}__ADMIN_PORT": "0" for stage in ("INGEST", "STREAMS", "SINKS", "NOTIFY")}
    return {**kept, **off, "SORI_INGEST__SECRET_KEYS": SECRET}


def _run(command: list[str], cwd: Path) -> str:
    result = subprocess.run(command, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout
