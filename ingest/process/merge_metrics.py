"""Metrics of several workers as one page. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (.*)$")


def merge(pages: Mapping[str, str]) -> str:
    """Prometheus text pages by worker name, merged: families once, every sample with a `worker` label."""
    families: dict[str, tuple[list[str], list[str]]] = {}
    for worker, page in sorted(pages.items()):
        family = ""
        for line in page.splitlines():
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                comments, _ = families.setdefault(family, ([], []))
                if line not in comments and len(comments) < 2:
                    comments.append(line)
            elif (match := _SAMPLE.match(line)) is not None:
                name, labels, rest = match.groups()
                label = f'worker="{worker}"'
                families[family][1].append(f"{name}{{{label}{',' + labels if labels else ''}}} {rest}")
    return "".join(f"{line}\n" for comments, samples in families.values() for line in (*comments, *samples))
