"""Writes docs/settings.md from the settings models: `python docs/settings_page.py`."""
# ruff: noqa: INP001 - a script beside the page it writes, not a package

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sori.settings import Settings

Row = tuple[list[str], FieldInfo]

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Written by `python docs/settings_page.py` from the models in `sori/settings/`; a test keeps it current.

Every setting can be given in three ways; the first one found counts:

1. environment: the variable in the table, such as `SORI_INGEST__PORT=8443`;
2. a file that holds the value, for secrets: the variable with `_FILE`, such as
   `SORI_INGEST__SECRET_KEYS_FILE=/run/secrets/sori` (settings directly in a group only);
3. `--config sori.toml`: the group is a table, the setting a key.

A command's own options win over all of them. A wrong value, or an unknown name inside a group, is an error that names
it, and nothing starts.
"""


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        if _model(field) is None:
            parts.append(_table([([name], field)], "General", "Outside any group."))
    for name, field in Settings.model_fields.items():
        if (model := _model(field)) is not None:
            about = (model.__doc__ or "").strip().splitlines()[0]
            parts.append(_table(list(_rows(model, [name])), f"`[{name}]`", about))
    return "\n".join(parts)


def _rows(model: type[BaseModel], path: list[str]) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        nested = _model(field)
        if nested is None:
            yield [*path, name], field
        else:
            yield from _rows(nested, [*path, name])


def _table(rows: list[Row], title: str, about: str) -> str:
    lines = [f"## {title}", "", about, "", "| setting | variable | default | what it is |", "|---|---|---|---|"]
    for path, field in rows:
        variable = "SORI_" + "__".join(part.upper() for part in path)
        within = ".".join(path[1:]) or path[0]
        about_it = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{within}` | `{variable}` | {_default(field)} | {about_it} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=False)
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ("", {}):
        return "-"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _model(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
