"""Types of settings: a list is written alike in a variable, in a file and in TOML; a path is never empty."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

#: In any spelling; every value that our own files give only as an example holds it.
PLACEHOLDER = re.compile(r"change[-_ ]?me", re.IGNORECASE)


def split_list(value: Any) -> Any:
    """`a, b` or one entry a line; a JSON array where an entry itself holds a comma. Empty entries are left out."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"not a JSON array: {error}") from error
    return tuple(part.strip() for part in re.split(r"[,\n]", value) if part.strip())


def join_list(value: Any) -> Any:
    """A TOML array where text with commas is wanted; one entry a line becomes commas too."""
    parts = value if isinstance(value, list | tuple) else split_list(value) if _lines(value) else None
    return value if parts is None else ",".join(str(part) for part in parts)


def split_secrets(value: Any) -> Any:
    """Like a list, but never JSON, and never empty: whoever names no secret has lost one. Raises ValueError."""
    parts = re.split(r"[,\n]", value) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    kept = tuple(part.strip() if isinstance(part, str) else part for part in parts)
    kept = tuple(part for part in kept if part != "")
    if not kept:
        raise ValueError("holds no secret; leave it out to have none")
    for part in kept:
        no_placeholder(part)
    return kept


def no_placeholder(value: Any) -> Any:
    """Refuse a secret that is an example of ours. Raises ValueError."""
    if isinstance(value, str) and PLACEHOLDER.search(value):
        raise ValueError("is the placeholder of an example file; put the real secret there")
    return value


def _lines(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value.strip()


def _not_empty(value: Any) -> Any:
    if value == "":
        raise ValueError("is empty; leave it out for the default")
    return value


TextList = Annotated[tuple[str, ...], BeforeValidator(split_list)]
SecondsList = Annotated[tuple[float, ...], BeforeValidator(split_list)]
SecretList = Annotated[tuple[str, ...], BeforeValidator(split_secrets)]
#: A list that its users parse themselves.
CommaText = Annotated[str, BeforeValidator(join_list)]
#: An address with a password in it.
SecretText = Annotated[str, BeforeValidator(no_placeholder)]
NamedPath = Annotated[Path, BeforeValidator(_not_empty)]
