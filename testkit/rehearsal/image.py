"""The image of our stages: what the Dockerfile's last stage says, and its files, made by the same steps here."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testkit.paths import ROOT

_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Image:
    """The last stage of the Dockerfile; `layers` are host folders by their place in the image."""

    environment: Mapping[str, str]
    user: int
    workdir: str
    entrypoint: tuple[str, ...]
    volumes: tuple[str, ...]
    layers: Mapping[str, Path]


def read_image(layers: Mapping[str, Path], dockerfile: Path = ROOT / "deploy/docker/Dockerfile") -> Image:
    """What a container of it starts with."""
    last = dockerfile.read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")
    words = {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in last.splitlines()[1:] if " " in line}
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", words["ENV"]))
    environment["PATH"] = environment["PATH"].replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
    entrypoint = tuple(re.findall(r'"([^"]+)"', words["ENTRYPOINT"]))
    return Image(environment, int(words["USER"]), words["WORKDIR"], entrypoint, (words["VOLUME"],), layers)


def build_layers(folder: Path) -> dict[str, Path]:
    """Build the wheel and make the folders of the image, before there is no network.

    The base image's Python is this machine's, and the dependencies are those of this environment; ours is the wheel.
    """
    # by way of a source distribution, so that nothing left over in the checkout gets in
    _run("-m", "build", "--outdir", str(folder / "dist"), str(ROOT))
    (folder / "venv").mkdir()
    return layers_of(folder)


def layers_of(folder: Path) -> dict[str, Path]:
    """The folders that `build_layers` made there."""
    python, packages = Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))
    layers = {"/opt/venv": folder / "venv", "/opt/packages": packages, "/dist": folder / "dist"}
    # at its own place: its libraries are looked for there
    return layers if python.is_relative_to("/usr") else {**layers, str(python): python}


def install_script() -> str:
    """Run inside the image: a new environment at its place, as the Dockerfile makes it."""
    site = f"/opt/venv/lib/{_PYTHON}/site-packages"
    return (
        f"set -e; {sys.base_prefix}/bin/{_PYTHON} -m venv /opt/venv; "
        "/opt/venv/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps /dist/*.whl; "
        # a plain folder on the path: the checkout's own .pth file in there is not read
        f"echo /opt/packages > {site}/packages.pth"
    )


def _run(*arguments: str) -> None:
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"cannot build the wheel: {result.stderr[-2000:]}")
