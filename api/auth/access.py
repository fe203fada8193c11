"""The gate in front of /v1: a token, or an anonymous request where those are allowed. Closed unless opened here.

What a token cannot be narrowed to its accounts for (SQL, the live page) needs a token for every account.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from api.auth.cors import is_foreign
from api.auth.grants import ANONYMOUS, LOCAL, Grant, authenticate, find, grant_of
from api.auth.refusals import refusal
from api.kafka.views import KafkaSide
from runtime.rate_limit import TokenBuckets
from sori.alerting.tokens import Right
from sori.settings import Settings

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

GRANT = web.RequestKey("grant", Grant)
_GUESSES_PER_S, _GUESSES_AT_ONCE = 1.0, 20
#: How the names of the headers begin that proxies add.
_OF_PROXIES = ("forwarded", "x-forwarded", "x-real-ip", "x-client-ip", "x-original-", "true-client-ip", "cf-", "via")
#: Who may ask for what this request is for: everybody, whoever has an account, an account of each, the note's reader.
Scope = Literal["open", "accounts", "all", "note"]


def add_access(
    app: web.Application,
    settings: Settings,
    side: KafkaSide,
    local_token: str = "",
    *,
    scope_of: Callable[[web.Request], Scope],
) -> None:
    """Guard everything under /v1 of this application. `local_token`, unless empty, is that of the data directory."""
    access = settings.access
    limit = TokenBuckets(access.rate_per_s, access.rate_burst)
    guesses = TokenBuckets(_GUESSES_PER_S, _GUESSES_AT_ONCE)
    anonymous = access.anonymous == "always" or (access.anonymous == "loopback" and is_loopback(settings.api.host))
    local_only = access.anonymous == "loopback"

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        scope = scope_of(request)
        if request.path.startswith("/v1/") and scope not in ("open", "note"):
            grant = (
                LOCAL
                if _is_local(request, local_token)
                else _identify(request, side, guesses, anonymous=anonymous, local_only=local_only)
            )
            if grant.token_id:
                _take(limit, grant.token_id)
            if grant.accounts is not None and scope != "accounts":
                raise refusal(web.HTTPForbidden, "scope", "this needs a token for every account")
            request[GRANT] = grant
        return await handler(request)

    app.middlewares.append(guard)


def require(request: web.Request, right: Right) -> Grant:
    """The request's grant. Raises HTTPForbidden when it lacks this right."""
    grant = request[GRANT]
    if not grant.may(right):
        raise refusal(web.HTTPForbidden, "right", "this needs a token that may manage")
    return grant


def still_valid(grant: Grant, side: KafkaSide) -> bool:
    """Whether a long request may go on: its token is neither revoked, nor expired, nor changed."""
    if not grant.token_id:
        return True
    token = find(grant.token_id, side.tokens.values)
    return (
        token is not None
        and grant_of(token) == grant
        and (token.expires_ms is None or time.time() * 1000 < token.expires_ms)
    )


def is_loopback(host: str) -> bool:
    """Whether this is an address or name of the machine itself, and of nobody else."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _identify(
    request: web.Request, side: KafkaSide, guesses: TokenBuckets, *, anonymous: bool, local_only: bool
) -> Grant:
    header = request.headers.get("Authorization")
    if header is None:
        if not anonymous:
            raise _unauthorized("a token is needed: Authorization: Bearer sori_…")
        if local_only and not is_loopback(_host_of(request)):  # a web page that had its name point to this machine
            raise refusal(web.HTTPForbidden, "host", "without a token this API answers on a loopback name only")
        if local_only and (header_of_proxy := _proxied(request)):  # to us every client of a proxy is on loopback
            raise refusal(
                web.HTTPForbidden,
                "proxy",
                f"this came through a proxy ({header_of_proxy}), so it needs a token: Authorization: Bearer sori_…",
            )
        if is_foreign(request):
            raise refusal(
                web.HTTPForbidden,
                "origin",
                "a web page of another origin needs a token (Authorization: Bearer sori_…, from `sori tokens create`), "
                "and its origin in api.cors_origins",
            )
        return ANONYMOUS
    scheme, _, text = header.partition(" ")
    side.require()
    grant = authenticate(text.strip(), side.tokens.values, int(time.time() * 1000))
    if scheme.lower() != "bearer" or grant is None:
        _take(guesses, request.remote or "")
        raise _unauthorized("this token is not valid")
    return grant


def _is_local(request: web.Request, local_token: str) -> bool:
    return local_token != "" and carries(request, local_token)


def carries(request: web.Request, token: str) -> bool:
    """Whether this token came along; whatever bytes came in its place, it is only a no."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())


def _take(limit: TokenBuckets, key: str) -> None:
    now_s = time.monotonic()
    if not limit.take(key, now_s):
        error = refusal(web.HTTPTooManyRequests, "rate", "too many requests")
        error.headers["Retry-After"] = str(math.ceil(limit.wait_s(key, now_s)))
        raise error


def _unauthorized(text: str) -> web.HTTPError:
    error = refusal(web.HTTPUnauthorized, "unauthorized", text)
    error.headers["WWW-Authenticate"] = 'Bearer realm="sori"'
    return error


def _host_of(request: web.Request) -> str:
    host = request.host
    return host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host


def _proxied(request: web.Request) -> str:
    """The header by which a proxy shows, or nothing."""
    return next((name for name in request.headers if name.lower().startswith(_OF_PROXIES)), "")
