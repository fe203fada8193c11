"""A subscription to fraud alerts: one record of the compacted topic sori.subscriptions, keyed by its id.

Only the API and the CLI write this topic, and only `sori notify` acts on it. The record holds the signing secrets in
clear, since they sign: whoever may read the topic may sign. Restrict it with Kafka ACLs.
"""

from __future__ import annotations

import uuid
from typing import Literal

import msgspec

from sori.alerting.filter import AlertFilter
from sori.alerting.mail import is_mail
from sori.alerting.standard_webhooks import new_secret, secret_bytes
from sori.errors import ConfigError

Format = Literal["standard", "slack", "teams", "pagerduty", "alertmanager"]
#: Read by people: of an alert's updates they get those that made it graver, unless the filter names states.
FOR_PEOPLE: frozenset[Format] = frozenset({"slack", "teams", "pagerduty"})
#: What one message is about.
Per = Literal["alert", "incident"]
#: Formats with a message per incident, unless something else is asked for; e-mail, too.
PER_INCIDENT: frozenset[Format] = FOR_PEOPLE | {"alertmanager"}
RequestKind = Literal["test", "resume", "redeliver"]

#: A digest is of a week at most.
MOST_DIGEST_S = 7 * 86_400
_MOST_REQUESTS = 16
_MOST_NAME, _MOST_KEY = 200, 128


class OldSecret(msgspec.Struct, frozen=True):
    """A secret that still signs beside the new one until `until_ms`, epoch milliseconds."""

    value: str
    until_ms: int


class Request(msgspec.Struct, frozen=True):
    """Something to be done once. `seq` grows; `sori notify` remembers the last one it did.

    Redeliver covers alerts that Kafka took in [since_ms, until_ms), epoch milliseconds.
    """

    seq: int
    kind: RequestKind
    at_ms: int
    since_ms: int = 0
    until_ms: int = 0


class Subscription(msgspec.Struct, frozen=True):
    """Where alerts go, which ones, and with which secret they are signed."""

    id: str
    url: str
    secret: str
    created_ms: int
    name: str = ""
    owner: str = ""
    format: Format = "standard"
    filter: AlertFilter = AlertFilter()
    #: The accounts of the token that made it, or None for every account: a ceiling that no filter can lift.
    scope: tuple[str, ...] | None = None
    paused: bool = False
    old_secrets: tuple[OldSecret, ...] = ()
    requests: tuple[Request, ...] = ()
    #: PagerDuty's integration key: it stands in the body, and is never shown.
    routing_key: str = ""
    #: Of e-mail: what comes within so many seconds is one message; 0: each alert by itself.
    digest_s: float = 0.0
    #: Subscriptions of before there were incidents do not say it, and stay with alerts.
    per: Per = "alert"
    revision: int = 1

    @property
    def wants(self) -> AlertFilter:
        """The filter in force: narrowed to the scope."""
        if self.scope is None:
            return self.filter
        asked = self.filter.accounts
        accounts = tuple(a for a in self.scope if not asked or a in asked)
        return msgspec.structs.replace(self.filter, accounts=accounts or ("",))  # no account has an empty name

    @property
    def skips_updates(self) -> bool:
        """Whether updates are left out that make nothing graver."""
        people = is_mail(self.url) or self.format in FOR_PEOPLE
        return (people or (self.per == "incident" and self.format in PER_INCIDENT)) and not self.filter.states

    def signing_secrets(self, now_ms: int) -> list[str]:
        """The secrets that sign now, the current one first."""
        return [self.secret, *(old.value for old in self.old_secrets if old.until_ms > now_ms)]

    def rotated(self, now_ms: int, grace_ms: int, secret: str | None = None) -> Subscription:
        """With a new secret; the former one signs too for `grace_ms`. Raises ConfigError for a malformed secret."""
        fresh = secret or new_secret()
        secret_bytes(fresh)
        kept = [old for old in self.old_secrets if old.until_ms > now_ms][-1:]
        former = OldSecret(self.secret, now_ms + grace_ms)
        return self.changed(secret=fresh, old_secrets=(*kept, former))

    def asked(self, kind: RequestKind, now_ms: int, since_ms: int = 0, until_ms: int = 0) -> Subscription:
        """With one more request."""
        seq = self.requests[-1].seq + 1 if self.requests else 1
        request = Request(seq, kind, now_ms, since_ms, until_ms)
        return self.changed(requests=(*self.requests, request)[-_MOST_REQUESTS:])

    def changed(self, **changes: object) -> Subscription:
        """With some fields replaced, as the next revision."""
        return msgspec.structs.replace(self, **changes, revision=self.revision + 1)

    def check(self) -> Subscription:
        """Itself. Raises ConfigError for a malformed secret, filter or name."""
        secret_bytes(self.secret)
        self.filter.check()
        if len(self.name) > _MOST_NAME or not self.name.isprintable():
            raise ConfigError(f"name: at most {_MOST_NAME} printable characters")
        key = self.routing_key
        if len(key) > _MOST_KEY or not ((key.isascii() and key.isalnum()) or not key):
            raise ConfigError(f"routing_key: at most {_MOST_KEY} letters and digits")
        if not 0 <= self.digest_s <= MOST_DIGEST_S:
            raise ConfigError(f"digest_s: 0 to {MOST_DIGEST_S} seconds")
        return self


def usual_per(url: str, style: Format) -> Per:
    """What a new subscription is per, where nobody says: people hear of incidents, machines get every alert."""
    return "incident" if is_mail(url) or style in PER_INCIDENT else "alert"


def new_id() -> str:
    """A fresh subscription id."""
    return f"sub_{uuid.uuid4().hex}"


def encode(subscription: Subscription) -> bytes:
    """The record's value."""
    return msgspec.json.encode(subscription)


_decoder = msgspec.json.Decoder(Subscription)


def decode(value: bytes) -> Subscription:
    """Decode a record's value. Raises ConfigError."""
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not a subscription: {error}") from error
