"""The OpenAPI document itself."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.contract.shapes.common import JsonSchema, Maybe


class Info(msgspec.Struct):
    """What is described."""

    title: str
    version: str


class MediaType(msgspec.Struct):
    """What a body of some type is."""

    schema: JsonSchema


class Body(msgspec.Struct):
    """A body, by its type."""

    required: bool
    content: dict[str, MediaType]


class Response(msgspec.Struct):
    """An answer, by its type."""

    description: str
    content: Maybe[dict[str, MediaType]] = msgspec.UNSET


class QueryParameter(msgspec.Struct):
    """Something in the address or a header."""

    name: str
    where: Literal["path", "query", "header"] = msgspec.field(name="in")
    schema: JsonSchema
    required: Maybe[bool] = msgspec.UNSET
    description: Maybe[str] = msgspec.UNSET


class Operation(msgspec.Struct, rename="camel"):
    """One method of one path."""

    summary: str
    security: list[dict[str, list[str]]]
    responses: dict[str, Response]
    parameters: Maybe[list[QueryParameter]] = msgspec.UNSET
    request_body: Maybe[Body] = msgspec.UNSET


class Components(msgspec.Struct, rename="camel"):
    """Schemas by name, and ways to be known."""

    schemas: dict[str, JsonSchema]
    security_schemes: dict[str, dict[str, str]]


class Document(msgspec.Struct):
    """This very document, of OpenAPI 3.1."""

    openapi: str
    info: Info
    components: Components
    paths: dict[str, dict[str, Operation]]
