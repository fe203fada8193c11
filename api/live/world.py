"""A map of the world's countries, out of the installed wheel of countryinfo (MIT).

Drawn once, as SVG paths in an equirectangular projection of 360 by 145 units: no tiles, nothing from outside.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sori.errors import PrerequisiteError

_NORTH, _SOUTH = 84.0, -58.0
WIDTH, HEIGHT = 360, round(_NORTH - _SOUTH)


def world() -> dict[str, Any]:
    """`{"width", "height", "countries": [{"code", "name", "also", "path", "at"}]}`; `also`: spellings, lower case.

    `path` is empty where no outline is known: there `at` is drawn as a dot. Raises PrerequisiteError.
    """
    spec = importlib.util.find_spec("countryinfo")
    folder = Path(spec.origin or "").parent / "data" if spec is not None else None
    if folder is None or not folder.is_dir():
        raise PrerequisiteError("The map of the live page is missing.", "Run pip install countryinfo.")
    files = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    return {"width": WIDTH, "height": HEIGHT, "countries": [_country(one) for one in files if one.get("ISO")]}


def _country(one: dict[str, Any]) -> dict[str, Any]:
    code = str(one["ISO"].get("alpha2", "")).upper()
    also = {one["name"], one.get("nativeName", ""), one["ISO"].get("alpha3", ""), *one.get("altSpellings", ())}
    features = (one.get("geoJSON") or {}).get("features", ())
    path = "".join(_ring(ring) for feature in features for ring in _rings(feature.get("geometry") or {}))
    latlng = one.get("latlng")
    at = [_x(latlng[1]), _y(latlng[0])] if latlng else None
    return {
        "code": code,
        "name": one["name"],
        "also": sorted({text.lower() for text in also if text}),
        "path": path,
        "at": at,
    }


def _rings(geometry: dict[str, Any]) -> Iterator[list[list[float]]]:
    shapes = geometry.get("coordinates", [])
    for polygon in shapes if geometry.get("type") == "MultiPolygon" else [shapes]:
        yield from polygon


def _ring(points: Iterable[list[float]]) -> str:
    drawn = [f"{_x(longitude)} {_y(latitude)}" for longitude, latitude, *_ in points]
    return f"M{'L'.join(dict.fromkeys(drawn))}Z" if len(drawn) > 2 else ""


def _x(longitude: float) -> float:
    return round(longitude + 180, 1)


def _y(latitude: float) -> float:
    return round(_NORTH - max(_SOUTH, min(_NORTH, latitude)), 1)
