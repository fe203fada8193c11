"""A secret never turns off by accident: whatever happens to its file, it stays in force, and the ingress says so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sori.errors import SoriError
from testkit.running_ingress import Running, running
from testkit.wait import wait_until

KEYS, ENDPOINTS = "SORI_INGEST__SECRET_KEYS_FILE", "SORI_INGEST__ENDPOINTS_FILE"
FILE = '[[endpoint]]\nname = "acme"\npath = "/webhooks/sori"\nsecret_files = ["acme.key"]\n'
ACCIDENTS: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: file.write_text(""),
    "only a newline": lambda file: file.write_text("\n"),
    "only commas": lambda file: file.write_text(" , ,\n"),
    "no text": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "an example": lambda file: file.write_text("CHANGE-ME"),
    "gone": lambda file: file.unlink(),
    "its folder gone": lambda file: shutil.rmtree(file.parent),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at more often than once a second, so that the tests take less long."""
    monkeypatch.setattr("ingest.process.housekeeping._EVERY_S", 0.05)


async def not_ready(it: Running) -> str:
    """Why the ingress is not ready, once it is not."""

    async def fails() -> bool:
        return (await it.get("/readyz"))[0] == 503

    await wait_until(fails, what="readiness to fail")
    return json.loads((await it.get("/readyz"))[1])["not_ready"]["endpoints"]


async def still_guarded(it: Running, secret: str) -> None:
    """The sender of before gets in, and nobody else."""
    assert (await it.post(secret=secret))[0] == 200
    assert (await it.post(secret=None))[0] == 401
    assert (await it.post(secret="other"))[0] == 401


async def ready_again(it: Running, secret: str) -> None:
    """The mended file is in force, without a restart."""

    async def accepted() -> bool:
        return (await it.post(secret=secret))[0] == 200

    await wait_until(accepted, what="the mended secret")
    assert (await it.get("/readyz"))[0] == 200
    assert "\nsori_ingest_refused_reloads 0.0" in (await it.get("/metrics"))[1]


@pytest.mark.parametrize("accident", ACCIDENTS)
async def test_a_secret_file(accident: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by the settings: what happened to it is told by path, and mending it is enough."""
    file = tmp_path / "mount" / "keys"
    file.parent.mkdir()
    file.write_text("first\n")
    monkeypatch.setenv(KEYS, str(file))
    async with running(tmp_path) as it:
        await still_guarded(it, "first")
        ACCIDENTS[accident](file)
        assert str(file) in await not_ready(it)
        assert "\nsori_ingest_refused_reloads 1.0" in (await it.get("/metrics"))[1]
        await still_guarded(it, "first")
        if file.is_dir():
            file.rmdir()
        file.parent.mkdir(exist_ok=True)
        file.write_text("second")
        await ready_again(it, "second")


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("hit", ["endpoints.toml", "acme.key"])
async def test_the_endpoints_file_and_its_secrets(
    hit: str, accident: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Likewise for the endpoints of the file, and for the file itself."""
    folder = tmp_path / "mount"
    folder.mkdir()
    (folder / "endpoints.toml").write_text(FILE)
    (folder / "acme.key").write_text("first\n")
    monkeypatch.setenv(ENDPOINTS, str(folder / "endpoints.toml"))
    async with running(tmp_path, endpoints_file=str(folder / "endpoints.toml")) as it:
        ACCIDENTS[accident](folder / hit)
        assert str(folder) in await not_ready(it)
        await still_guarded(it, "first")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "acme.key").write_text("second")
        (folder / "endpoints.toml").write_text(FILE)
        await ready_again(it, "second")


async def test_a_reload_cannot_close_the_default_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost variable would have its sender told 404 for good; what else changed is not taken either."""
    endpoints = tmp_path / "endpoints.toml"
    endpoints.write_text('[[endpoint]]\nname = "acme"\nsecrets = ["a"]\n')
    keys = tmp_path / "keys"
    keys.write_text("first")
    monkeypatch.setenv(KEYS, str(keys))
    async with running(tmp_path, endpoints_file=str(endpoints)) as it:
        await still_guarded(it, "first")
        monkeypatch.delenv(KEYS)
        it.ingress.housekeeper.reload_all()
        assert "would lose its secret" in await not_ready(it)
        await still_guarded(it, "first")


@pytest.mark.parametrize("accident", [name for name in ACCIDENTS if name != "its folder gone"])
async def test_at_the_start_it_is_an_error(accident: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in force yet that could be kept."""
    file = tmp_path / "keys"
    file.write_text("first")
    ACCIDENTS[accident](file)
    monkeypatch.setenv(KEYS, str(file))
    with pytest.raises(SoriError, match=os.fspath(file)):
        async with running(tmp_path):
            pass
