"""Writes docs/api/*.md, a page per subject, from the OpenAPI document: `python docs/api_pages.py`.

Samples are made from the document too: `curl`, and Python with httpx. tests/docs/test_api_pages.py keeps the pages
current and runs every sample of a GET against a real API.
"""
# ruff: noqa: INP001 - a script beside the pages it writes, not a package

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from api.openapi import openapi

FOLDER = Path(__file__).with_name("api")
BASE = "http://127.0.0.1:8081"
#: Page -> its heading and the beginnings of its paths; the first that fits counts.
SUBJECTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "rates": ("Click-through rates", ("/v1/ctr",)),
    "alerts": ("Alerts and incidents", ("/v1/alerts", "/v1/incidents", "/v1/verdicts")),
    "subscriptions": ("Who is told of alerts", ("/v1/subscriptions",)),
    "sql": ("Questions in SQL", ("/v1/query",)),
    "console": ("What the console asks", ("/v1/live", "/v1/health", "/v1/events", "/v1/funnel")),
    "quarantine": ("Quarantine and audit", ("/v1/quarantine", "/v1/audit")),
    "care": ("Maintenance", ("/v1/maintenance", "/v1/maintain", "/v1/tasks")),
    "pages": ("The live page, health and this description", ("/",)),
}
#: Values for samples; a parameter that is not here is left out unless it must be given.
_SAMPLES = {
    "id": "ID",
    "country": "Germany",
    "region": "Berlin",
    "city": "Berlin",
    "name": "live.css",
    "since": "1h",
    "by": "campaign",
    "limit": "10",
    "range": "1h",
}
_BODIES: dict[str, dict[str, Any]] = {
    "Ask": {"sql": "SELECT count() FROM events_current"},
    "Create": {"url": "https://example.com/hook", "filter": {"severities": ["critical"]}},
    "Change": {"paused": True},
    "Rotate": {"grace_s": 86400},
    "Redeliver": {"since": "2026-11-24T00:00:00Z"},
    "ReplayThese": {"ids": ["0a1b2c3d"]},
    "Judge": {"target": "6f2c91d0", "verdict": "false_positive", "note": "our test rack", "allow": True},
}
HEAD = "Written by `python docs/api_pages.py` from the document that the API serves at `/v1/openapi.json`."


def pages() -> dict[str, str]:
    """File name to text, the overview included."""
    document = openapi()
    found: dict[str, list[str]] = {name: [] for name in SUBJECTS}
    index: dict[str, list[str]] = {name: [] for name in SUBJECTS}
    for path, methods in document["paths"].items():
        name = subject_of(path)
        for method, operation in methods.items():
            index[name].append(f"`{method.upper()} {path}` {_inline(operation['summary'])}")
            found[name] += _operation(method.upper(), path, operation, document)
    made = {}
    for name, (title, _) in SUBJECTS.items():
        if found[name]:
            made[f"{name}.md"] = "\n".join(
                [f"# {title}", "", f"{HEAD} All pages: [README.md](README.md).", "", *found[name]]
            )
    made["README.md"] = "\n".join(_overview(index))
    return {file: text.rstrip("\n") + "\n" for file, text in made.items()}


def subject_of(path: str) -> str:
    """The page that a path is on."""
    return next(name for name, (_, heads) in SUBJECTS.items() if any(path.startswith(head) for head in heads))


def _overview(index: Mapping[str, list[str]]) -> Iterator[str]:
    yield from ("# HTTP API", "", HEAD, "")
    yield "The API listens where `api.host` and `api.port` say; `sori up` prints it. On this machine it answers"
    yield "without a token ([who may ask what](../alerts.md#tokens)); elsewhere send one with every request:"
    yield from ("", "```sh", f"curl {BASE}/v1/alerts -H 'Authorization: Bearer sori_…'", "```", "")
    yield "With Python, `pip install httpx`; every sample of these pages begins like this:"
    yield from ("", "```python", "import httpx", "", f'api = httpx.Client(base_url="{BASE}")', "```", "")
    yield "An error is a problem of RFC 9457: `type`, `title`, `status`, `detail`. 429 and 503 may carry `Retry-After`."
    for name, lines in index.items():
        if lines:
            yield from ("", f"## [{SUBJECTS[name][0]}]({name}.md)", "")
            yield from (f"- {line}" for line in lines)


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    lines = [f"## {method} {path}", "", f"{_inline(operation['summary'])}.", ""]
    lines += [f"Token: {_token(operation['security'])}.", ""]
    if parameters := operation.get("parameters"):
        lines += ["| parameter | in | values | meaning |", "|---|---|---|---|"]
        lines += [_parameter(one) for one in parameters]
        lines.append("")
    if "requestBody" in operation:
        kinds = operation["requestBody"]["content"]
        lines += ["Body:", "", *_fields(kinds["application/json"]["schema"], document), ""]
    lines += _answers(operation, document)
    lines += [
        "```sh",
        curl(method, path, operation),
        "```",
        "",
        "```python",
        python(method, path, operation),
        "```",
        "",
    ]
    return lines


def _token(security: list[dict[str, Any]]) -> str:
    if not security:
        return "none needed"
    if "note" in security[0]:
        return "the one in the data directory"
    return f"`{security[0]['token'][0]}`, where the API asks for one"


def _parameter(one: Mapping[str, Any]) -> str:
    schema = one["schema"]
    inner = schema.get("items", schema)
    values = ", ".join(f"`{value}`" for value in inner.get("enum", ())) or inner.get("type", "string")
    if "minimum" in inner or "maximum" in inner:
        values += f", {inner.get('minimum', '')} to {inner.get('maximum', '')}"
    if "default" in schema:
        values += f"; default `{schema['default']}`"
    many = "; repeatable" if schema.get("type") == "array" else ""
    must = "; required" if one.get("required") else ""
    return f"| `{one['name']}` | {one['in']} | {values}{many}{must} | {_inline(one.get('description', ''))} |"


def _answers(operation: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    status = next(code for code in operation["responses"] if code.startswith("2"))
    content = operation["responses"][status].get("content", {})
    kinds = ", ".join(f"`{kind}`" for kind in content) or "without a body"
    lines = [f"Answers {status}, {kinds}.", ""]
    if "application/json" in content and (fields := _fields(content["application/json"]["schema"], document)):
        lines += [*fields, ""]
    return lines


def _fields(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    found = _resolved(schema, document)
    lines = ["| field | type | meaning |", "|---|---|---|"]
    needed = found.get("required", ())
    for name, field in found.get("properties", {}).items():
        must = "" if name in needed else ", optional"
        meaning = field.get("description") or _resolved(field, document).get("description", "")
        lines.append(f"| `{name}` | {_kind(field)}{must} | {_inline(meaning)} |")
    return lines if len(lines) > 2 else []


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def _kind(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if "anyOf" in field:
        return " or ".join(sorted(set(map(_kind, field["anyOf"]))))
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in sorted(filter(None, field["enum"])))
    kind = field.get("type", "any")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    return (
        f"{kind} of {_kind(field['items'])}" if kind == "array" and isinstance(field.get("items"), dict) else str(kind)
    )


def question(path: str, operation: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The path with its blanks filled, and the query of the sample."""
    query = {}
    for one in operation.get("parameters", ()):
        name = one["name"]
        if one["in"] == "path":
            path = path.replace("{" + name + "}", _SAMPLES.get(name, name.upper()))
        elif one["in"] == "query" and (name in _SAMPLES or one.get("required")):
            query[name] = _SAMPLES.get(name, "…")
    return path, query


def body_of(operation: Mapping[str, Any]) -> dict[str, Any] | None:
    """The sample's body, if there is one."""
    if "requestBody" not in operation:
        return None
    name = operation["requestBody"]["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
    return _BODIES.get(name, {})


def curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A command that can be pasted."""
    filled, query = question(path, operation)
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    flags = "" if method == "GET" else f" -X {method}"
    if "text/event-stream" in json.dumps(operation["responses"]):
        flags += " -N"
    line = f"curl{flags} '{BASE}{filled}{'?' + asked if asked else ''}'"
    body = body_of(operation)
    return line if body is None else f"{line} \\\n     -H 'Content-Type: application/json' -d '{json.dumps(body)}'"


def python(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """The same with httpx."""
    filled, query = question(path, operation)
    given = f", params={json.dumps(query)}" if query else ""
    body = body_of(operation)
    given += f", json={_literal(body)}" if body is not None else ""
    if "text/event-stream" in json.dumps(operation["responses"]):
        lines = [
            f'with api.stream("{method}", "{filled}"{given}, timeout=None) as answer:',
            "    for line in answer.iter_lines():",
        ]
        return "\n".join([*lines, "        print(line)"])
    return f'answer = api.{method.lower()}("{filled}"{given})\nprint(answer.raise_for_status().text)'


def _literal(value: dict[str, Any]) -> str:
    return repr(value).replace("'", '"')


def _inline(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages().items():
        (FOLDER / file).write_text(text)
