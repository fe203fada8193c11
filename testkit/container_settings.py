"""What a container of ours would load: its variables, its image's, and its secret files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from sori.settings import Settings, load_settings
from testkit.paths import ROOT

_SECRETS = "/run/secrets/"


def image_variables() -> dict[str, str]:
    """The SORI_ variables that the Dockerfile sets."""
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    return dict(re.findall(r"\b(SORI_[A-Z_]+)=(\S+)", text))


def container_settings(variables: Mapping[str, object], mounted: Mapping[str, Path]) -> Settings:
    """Loaded as in the container, where `mounted` are the files at their paths. Raises ConfigError."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SORI_")]:
            patch.delenv(name)
        for name, value in {**image_variables(), **variables}.items():
            text = re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: match[1] or "", str(value))
            if text.startswith(_SECRETS):
                text = str(mounted.get(text, Path("/not-mounted") / text.removeprefix(_SECRETS)))
            patch.setenv(name, text)
        return load_settings()
