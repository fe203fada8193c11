"""Where the files that ship with the packages are: in a checkout and in an installed wheel alike."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def shipped(package: str, *parts: str) -> Path:
    """The path of a file or folder inside an installed package, whether or not it is there.

    A wheel is unpacked into site-packages and a checkout is a folder, so that what ships is always a file on disk.
    Raises ModuleNotFoundError when the package itself is missing.
    """
    return Path(str(resources.files(package))).joinpath(*parts)
