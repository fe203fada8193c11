"""Writes docs/settings.md from the settings models: `python docs/settings_page.py`."""
# ruff: noqa: INP001 - a script beside the page it writes, not a package

from __future__ import annotations

from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sori.settings import Settings
from sori.settings.catalogue import Setting, group_of, settings_of
from sori.settings.variables import OTHERS

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Written by `python docs/settings_page.py` from the models in `sori/settings/`; a test keeps it current, and another one
tries every setting in every form.

Every setting can be given in three ways; the first one found counts:

1. environment: the variable in the table, such as `SORI_INGEST__PORT=8443`;
2. a file that holds the value, meant for secrets: any of these variables with `_FILE`, such as
   `SORI_INGEST__SECRET_KEYS_FILE=/run/secrets/sori`. A newline at its end is left out. A file that is missing, empty or
   unreadable is an error. `SORI_INGEST__ENDPOINTS_FILE` is a setting of its own;
3. `--config sori.toml`: the group is a table, the setting a key.

A command's own options win over all of them.

A list is `a, b` in a variable; in a file also one entry a line; in TOML an array, or a string with commas. Where an
entry holds a comma itself, a variable takes a JSON array. `rules.accounts` is a JSON object in a variable, tables in
TOML.

Wrong values and unknown names are errors that tell variable, or file and line, and what was probably meant; nothing
starts. That goes for every variable that begins with `SORI_`, except:

{others}
- `SORI_TEST_…`: switches of the test suite;
- what Kubernetes adds for services named `sori-…` (`SORI_…_SERVICE_HOST`, `SORI_…_PORT=tcp://…`).

`sori demo` ignores them all, except `SORI_LOG__…`.

A secret that is a placeholder of an example file (it holds `CHANGE-ME`) is refused.
"""


def render() -> str:
    """The whole page."""
    others = [f"- `{name}`: {about};" for name, about in OTHERS.items()]
    parts = [HEAD.format(others="\n".join(others))]
    for name, field in Settings.model_fields.items():
        if group_of(field) is None:
            parts.append(_table([Setting((name,), field)], "General", "Outside any group."))
    for name, field in Settings.model_fields.items():
        if (model := group_of(field)) is not None:
            about = (model.__doc__ or "").strip().splitlines()[0]
            parts.append(_table(list(settings_of(model, (name,))), f"`[{name}]`", about))
    return "\n".join(parts)


def _table(rows: list[Setting], title: str, about: str) -> str:
    lines = [f"## {title}", "", about, "", "| setting | variable | default | what it is |", "|---|---|---|---|"]
    for setting in rows:
        within = ".".join(setting.path[1:]) or setting.name
        about_it = (setting.field.description or "").replace("|", "\\|")
        lines.append(f"| `{within}` | `{setting.variable}` | {_default(setting.field)} | {about_it} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=False)
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ("", {}, ()):
        return "-"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
