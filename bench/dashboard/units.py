"""Numbers in Grafana's units. Pure."""

from __future__ import annotations

import math

_STEPS = ((1e12, " Tri"), (1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """A number as Grafana shows it: three figures that count, unless `decimals` says otherwise."""
    if unit == "percentunit":
        return _number(value * 100, decimals) + "%"
    if unit == "s":
        for size, name in ((3600.0, " hours"), (60.0, " mins")):
            if abs(value) >= size:
                return _number(value / size, decimals) + name
        return _number(value, decimals) + " s"
    for size, name in _STEPS:
        if unit == "short" and abs(value) >= size:
            return _number(value / size, decimals) + name
    return _number(value, decimals)


def _number(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    figures = 2 - math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:.{max(0, min(figures, 4))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
