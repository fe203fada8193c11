"""/v1/subscriptions: who is told of fraud alerts, and how. Reading needs `read`, everything else `manage`.

GET  /v1/subscriptions                    POST /v1/subscriptions                 shows the secret, once
GET  /v1/subscriptions/{id}               PATCH, DELETE /v1/subscriptions/{id}
POST /v1/subscriptions/{id}/rotate        shows the new secret, once             …/test  …/resume  …/redeliver
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from api.auth.access import GRANT, require
from api.auth.grants import Grant
from api.subscriptions.store import SubscriptionStore
from sori.alerting.filter import AlertFilter
from sori.alerting.standard_webhooks import new_secret
from sori.alerting.subscriptions import MOST_DIGEST_S, Format, Per, Subscription, new_id, usual_per
from sori.errors import ConfigError
from sori.events import parse_time_ms

BodyT = TypeVar("BodyT")
_MOST_BODY = 64 * 1024
_MOST_PER_OWNER = 1000

_Url = Annotated[str, msgspec.Meta(pattern="^(https?://|mailto:)", max_length=2048)]
_Name = Annotated[str, msgspec.Meta(max_length=200)]
_B = "[A-Za-z0-9+/]"
#: 24 to 64 bytes in base64.
_SECRET = f"^whsec_(({_B}{{4}}){{8,20}}({_B}{{2}}==|{_B}{{3}}=)?|({_B}{{4}}){{21}}({_B}{{2}}==)?)$"
_RoutingKey = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9]*$", max_length=128)]
_Digest = Annotated[float, msgspec.Meta(ge=0, le=MOST_DIGEST_S)]
_Secret = Annotated[str, msgspec.Meta(pattern=_SECRET)]
_Grace = Annotated[float, msgspec.Meta(ge=0, le=30 * 86_400)]


class Create(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /v1/subscriptions."""

    url: _Url
    name: _Name = ""
    format: Format = "standard"
    filter: AlertFilter = AlertFilter()
    secret: _Secret | None = None
    routing_key: _RoutingKey = ""
    digest_s: _Digest = 0.0
    per: Per | None = None  # unless it is said: incidents for people, alerts for machines


class Change(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of PATCH /v1/subscriptions/{id}; what is absent stays."""

    url: _Url | msgspec.UnsetType = msgspec.UNSET
    name: _Name | msgspec.UnsetType = msgspec.UNSET
    format: Format | msgspec.UnsetType = msgspec.UNSET
    filter: AlertFilter | msgspec.UnsetType = msgspec.UNSET
    paused: bool | msgspec.UnsetType = msgspec.UNSET
    routing_key: _RoutingKey | msgspec.UnsetType = msgspec.UNSET
    digest_s: _Digest | msgspec.UnsetType = msgspec.UNSET
    per: Per | msgspec.UnsetType = msgspec.UNSET


class Rotate(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST …/rotate: a secret of one's own, and how long the former one signs too, seconds."""

    secret: _Secret | None = None
    grace_s: _Grace | None = None


class Redeliver(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST …/redeliver: alerts that Kafka took in [since, until), ISO 8601; until now, if absent."""

    since: str
    until: str | None = None


def add_subscriptions(app: web.Application, store: SubscriptionStore) -> None:
    """Add every route of the table above."""
    routes = _Routes(store)
    base = "/v1/subscriptions"
    app.router.add_get(base, routes.list)
    app.router.add_post(base, routes.create)
    app.router.add_get(base + "/{id}", routes.show)
    app.router.add_patch(base + "/{id}", routes.change)
    app.router.add_delete(base + "/{id}", routes.remove)
    app.router.add_post(base + "/{id}/rotate", routes.rotate)
    app.router.add_post(base + "/{id}/redeliver", routes.redeliver)
    app.router.add_post(base + "/{id}/test", routes.asker("test"))
    app.router.add_post(base + "/{id}/resume", routes.asker("resume"))


class _Routes:
    def __init__(self, store: SubscriptionStore) -> None:
        self._store = store

    async def list(self, request: web.Request) -> web.Response:
        grant = require(request, "read")
        return web.json_response(
            {"subscriptions": [self._store.shown(one, grant) for one in self._store.visible(grant)]}
        )

    async def create(self, request: web.Request) -> web.Response:
        grant = require(request, "manage")
        body = await body_of(request, Create)
        if len(self._store.visible(grant)) >= _MOST_PER_OWNER:
            raise web.HTTPConflict(text=f"at most {_MOST_PER_OWNER} subscriptions")
        _may_filter(body.filter, grant)
        subscription = Subscription(
            id=new_id(),
            url=body.url,
            secret=body.secret or new_secret(),
            created_ms=_now_ms(),
            name=body.name,
            owner=grant.token_id,
            format=body.format,
            routing_key=body.routing_key,
            digest_s=body.digest_s,
            per=body.per or usual_per(body.url, body.format),
            filter=body.filter,
            scope=None if grant.accounts is None else tuple(sorted(grant.accounts)),
        )
        await self._save(subscription)
        return self._answer(subscription, grant, 201, secret=subscription.secret)

    async def show(self, request: web.Request) -> web.Response:
        grant = require(request, "read")
        return self._answer(self._find(request), grant)

    async def change(self, request: web.Request) -> web.Response:
        grant = require(request, "manage")
        before = self._find(request)
        body = await body_of(request, Change)
        changes = {
            name: value for name in Change.__struct_fields__ if (value := getattr(body, name)) is not msgspec.UNSET
        }
        if isinstance(body.filter, AlertFilter):
            _may_filter(body.filter, grant)
        after = before.changed(**changes)
        await self._save(after)
        return self._answer(after, grant)

    async def remove(self, request: web.Request) -> web.Response:
        require(request, "manage")
        await self._store.remove(self._find(request))
        return web.Response(status=204)

    async def rotate(self, request: web.Request) -> web.Response:
        grant = require(request, "manage")
        before = self._find(request)
        body = await body_of(request, Rotate)
        grace_s = self._store.settings.rotation_grace_s if body.grace_s is None else body.grace_s
        try:
            after = before.rotated(_now_ms(), int(grace_s * 1000), body.secret)
        except ConfigError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error
        await self._save(after)
        return self._answer(after, grant, secret=after.secret)

    async def redeliver(self, request: web.Request) -> web.Response:
        require(request, "manage")
        before = self._find(request)
        body = await body_of(request, Redeliver)
        since_ms = _time_ms("since", body.since)
        until_ms = _now_ms() if body.until is None else _time_ms("until", body.until)
        if not 0 <= since_ms < until_ms:
            raise web.HTTPUnprocessableEntity(text="since must lie before until")
        await self._save(before.asked("redeliver", _now_ms(), since_ms, until_ms))
        return web.json_response({"accepted": True}, status=202)

    def asker(self, kind: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A route that asks `sori notify` to do something once."""

        async def ask(request: web.Request) -> web.Response:
            require(request, "manage")
            after = self._find(request).asked(kind, _now_ms())
            await self._save(after)
            answer: dict[str, Any] = {"accepted": True}
            if kind == "test":
                answer["webhook_id"] = f"msg_test_{after.id}_{after.requests[-1].seq}"
            return web.json_response(answer, status=202)

        return ask

    def _find(self, request: web.Request) -> Subscription:
        found = self._store.find(request.match_info["id"], request[GRANT])
        if found is None:
            raise web.HTTPNotFound(text="no such subscription")
        return found

    async def _save(self, subscription: Subscription) -> None:
        try:
            await self._store.save(subscription)
        except ConfigError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error

    def _answer(self, subscription: Subscription, grant: Grant, status: int = 200, **more: Any) -> web.Response:
        answer = web.json_response({**self._store.shown(subscription, grant), **more}, status=status)
        answer.headers["Cache-Control"] = "no-store"
        return answer


async def body_of(request: web.Request, kind: type[BodyT]) -> BodyT:
    """The body as `kind`. JSON by name only: a form of a foreign web page cannot send that unasked."""
    if request.content_type != "application/json" and request.can_read_body:
        raise web.HTTPUnsupportedMediaType(text="the body must be application/json")
    raw = await request.read()
    if len(raw) > _MOST_BODY:
        raise web.HTTPRequestEntityTooLarge(_MOST_BODY, len(raw))
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise web.HTTPBadRequest(text=f"not JSON: {error}") from error


def _may_filter(wanted: AlertFilter, grant: Grant) -> None:
    try:
        wanted.check_rules()
    except ConfigError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from error
    if grant.accounts is not None and not grant.accounts.issuperset(wanted.accounts):
        raise web.HTTPForbidden(text="filter.accounts: not all of them are this token's")


def _time_ms(name: str, text: str) -> int:
    try:
        return parse_time_ms(text)
    except Exception as error:
        raise web.HTTPUnprocessableEntity(text=f"{name}: not an ISO 8601 time") from error


def _now_ms() -> int:
    return int(time.time() * 1000)
