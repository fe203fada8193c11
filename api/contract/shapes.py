"""What routes answer, as types that `/v1/openapi.json` is made from. Nothing is decoded with them.

A field that is `Maybe` is there or not; one that may be None is always there.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
import orjson

from api.query.ctr_question import By
from sori.alerting.filter import AlertFilter
from sori.alerting.subscriptions import Format
from sori.package_files import shipped

_T = TypeVar("_T")
Maybe: TypeAlias = _T | msgspec.UnsetType
_FREE = msgspec.Meta(extra_json_schema={"additionalProperties": True})
#: What may be in one is JSON Schema's to say.
JsonSchema = Annotated[dict[str, Any], _FREE]
#: A row of what somebody asked for in SQL.
AsSelected = Annotated[dict[str, Any], _FREE]
Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class Problem(msgspec.Struct):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Alive(msgspec.Struct):
    """The process runs."""

    status: Literal["ok"]


class Ready(msgspec.Struct):
    """Whether it can answer; what is missing, by name, with the reason."""

    status: Literal["ready", "not ready"]
    not_ready: Maybe[dict[str, str]] = msgspec.UNSET


class Column(msgspec.Struct):
    """A column of a query's answer, with ClickHouse's type."""

    name: str
    type: str


class Statistics(msgspec.Struct):
    """What a query cost."""

    elapsed: float
    rows_read: int
    bytes_read: int


class QueryAnswer(msgspec.Struct):
    """What ClickHouse answers in its format JSON; rows have the columns of `meta`."""

    meta: list[Column]
    data: list[AsSelected]
    rows: int
    statistics: Maybe[Statistics] = msgspec.UNSET
    rows_before_limit_at_least: Maybe[int] = msgspec.UNSET
    totals: Maybe[AsSelected] = msgspec.UNSET
    extremes: Maybe[dict[str, AsSelected]] = msgspec.UNSET


class _Rates(msgspec.Struct, kw_only=True):
    impressions: int
    clicks: int
    ctr: float
    ctr_low: float
    ctr_high: float


class Rates(msgspec.Struct, kw_only=True):
    """Counts, and rates with their 95 % interval (Wilson); `clean`: without suspect clicks.

    Of devices no suspect clicks are counted: those are null.
    """

    impressions: int
    clicks: int
    suspect_clicks: int | None
    ctr: float
    ctr_low: float
    ctr_high: float
    clean_ctr: float | None
    clean_ctr_low: float | None
    clean_ctr_high: float | None


class CtrRow(_Rates, kw_only=True):
    """Rates of a group: the columns that were asked for by `by`. Of devices no suspect clicks are counted: null."""

    account_id: str
    suspect_clicks: int | None
    clean_ctr: float | None
    clean_ctr_low: float | None
    clean_ctr_high: float | None
    campaign_id: Maybe[str] = msgspec.UNSET
    campaign_name: Maybe[str] = msgspec.UNSET
    material_id: Maybe[str] = msgspec.UNSET
    material_name: Maybe[str] = msgspec.UNSET
    device_id: Maybe[str] = msgspec.UNSET
    platform: Maybe[str] = msgspec.UNSET
    country: Maybe[str] = msgspec.UNSET
    region: Maybe[str] = msgspec.UNSET
    city: Maybe[str] = msgspec.UNSET


class CtrAnswer(msgspec.Struct):
    """Rates by group."""

    by: list[By]
    rows: list[CtrRow]


class FraudAlert(msgspec.Struct):
    """Its schema is the one of the topic, see `components`."""


class Evidence(msgspec.Struct):
    """As in FraudAlert."""


class AlertPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end. `stories`: what each alert means, by its id."""

    rows: list[FraudAlert]
    next: str | None
    stories: dict[str, str]


class AlertState(msgspec.Struct):
    """An alert as it once was."""

    version: int
    state: Literal["opened", "updated", "closed", "withdrawn"]
    severity: Literal["low", "medium", "high", "critical"]
    observed: float
    expected: float
    window_start: Time
    window_end: Time
    updated_at: Time
    closed_at: Time | None
    stored_at: Time


class Pane(msgspec.Struct):
    """What the subject did in one pane, which begins at this epoch second."""

    pane: int
    impressions: int
    clicks: int
    authentications: int
    events: int
    clicking_devices: int


class RuleParameter(msgspec.Struct):
    """A threshold in force."""

    name: str
    value: float | bool | str | list[str] | None
    meaning: str


class Rule(msgspec.Struct):
    """A rule as a reader needs it. It reads `before_s` seconds before the end of its window."""

    name: str
    statement: str
    judges: list[str]
    parameters: list[RuleParameter]
    before_s: int


class StoryEvent(msgspec.Struct):
    """An event behind an alert; `named` is 1 where the alert names it."""

    created_at: Time
    received_at: Time
    event: str
    identity: str
    device_id: str
    campaign_id: str
    material_id: str
    platform: str
    country: str
    region: str
    city: str
    kafka_partition: int
    kafka_offset: int
    named: int


class Story(msgspec.Struct):
    """All that is known of an alert; panes of `pane_s` seconds."""

    alert: FraudAlert
    story: str
    evidence: Evidence
    states: list[AlertState]
    pane_s: int
    panes: list[Pane]
    rule: Rule | None
    events: list[StoryEvent]


class Subscription(msgspec.Struct, kw_only=True):
    """`url` is whole for who may manage, else scheme and host; `accounts` null: those of every account."""

    id: str
    name: str
    url: str
    format: Format | Literal["email"]
    digest_s: float
    filter: AlertFilter
    accounts: list[str] | None
    paused: bool
    status: str
    failing_since: Time | None
    waiting: int
    created_at: Time
    old_secrets_sign_until: list[Time]


class SubscriptionWithSecret(Subscription, kw_only=True):
    """The secret is shown this once."""

    secret: str


class Subscriptions(msgspec.Struct):
    """Oldest first."""

    subscriptions: list[Subscription]


class Accepted(msgspec.Struct):
    """It will be done; of a test delivery, the webhook-id that it will have."""

    accepted: bool
    webhook_id: Maybe[str] = msgspec.UNSET


class Attempt(msgspec.Struct):
    """An attempt to deliver; times ISO 8601 with Z. `status` 0: there was no answer."""

    subscription_id: str
    account_id: str
    webhook_id: str
    alert_id: str
    alert_version: int
    attempt: int
    attempted_at: str
    host: str
    status: int
    error: str
    outcome: Literal["delivered", "retry", "held", "exhausted"]
    duration_ms: float
    next_attempt_at: str | None


class AttemptPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[Attempt]
    next: str | None


class LiveSeries(Rates, kw_only=True):
    """A bucket, which begins at this epoch second."""

    time: int


class LiveCampaign(Rates, kw_only=True):
    """One of those with most impressions."""

    account_id: str
    campaign_id: str
    campaign_name: str


class LivePlace(Rates, kw_only=True):
    """One of those with most impressions."""

    account_id: str
    country: str
    region: str
    city: str


class LivePlatform(Rates, kw_only=True):
    """One of those with most impressions."""

    platform: str


class LiveMaterial(Rates, kw_only=True):
    """One of those with most impressions."""

    account_id: str
    material_id: str
    material_name: str


class LiveCountry(Rates, kw_only=True):
    """One of those with most impressions."""

    country: str


class LivePulse(msgspec.Struct):
    """How it goes."""

    last_received_ms: int
    events_last_minute: int
    last_seen_ms: int
    late: int
    quarantined: int
    open_alerts: int


class Stage(msgspec.Struct):
    """Another stage, as its /readyz says; the last state that it told, and when, while it does not answer."""

    name: str
    state: Literal["ready", "not ready", "unreachable"]
    detail: str
    last_state: str | None
    seen_ms: int | None
    figures: Maybe[dict[str, float]] = msgspec.UNSET


class Health(msgspec.Struct):
    """Figures by the names of their metrics: of several samples the sum or the largest."""

    stages: list[Stage]


class Live(msgspec.Struct):
    """Figures of [since, until). `whole`: of its buckets that are over; `before`: of as many before them.

    `stream`: whether alerts can be followed; `webhook`: where a first event can be sent.
    """

    range: str
    bucket_s: int
    since: str
    until: str
    now_ms: int
    totals: Rates
    whole: Rates | None
    before: Rates | None
    series: list[LiveSeries]
    campaigns: list[LiveCampaign]
    places: list[LivePlace]
    platforms: list[LivePlatform]
    materials: list[LiveMaterial]
    countries: list[LiveCountry]
    accounts: list[str]
    pulse: LivePulse
    stages: list[Stage]
    stream: bool
    webhook: str


class Country(msgspec.Struct):
    """A country on the map: its outline as an SVG path, or a dot at `at`; `also`: other spellings of its name."""

    code: str
    name: str
    also: list[str]
    path: str
    at: list[float] | None


class World(msgspec.Struct):
    """The map that the console draws."""

    width: int
    height: int
    countries: list[Country]


class RawEvent(msgspec.Struct):
    """An event; times as ClickHouse writes them, UTC."""

    created_at: str
    received_at: str
    event: str
    account_id: str
    identity: str
    activity_id: str
    device_id: str
    platform: str
    country: str
    region: str
    city: str
    campaign_id: str
    campaign_name: str
    material_id: str
    material_name: str


class EventPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[RawEvent]
    next: str | None


class TimeToClick(msgspec.Struct):
    """Clicks so soon after their impression, and not sooner than the entry before; null: later than all."""

    below_ms: int | None
    clicks: int


class Funnel(msgspec.Struct):
    """Over one in `share` activities; `matched`: activities with an impression and a click."""

    share: int
    impressions: int
    devices: int
    clicks: int
    clicking_devices: int
    matched: int
    median_ms: int | None
    p90_ms: int | None
    times: list[TimeToClick]


class HeldDelivery(msgspec.Struct):
    """What is held; `body` is its beginning."""

    received_at: str
    id: str
    reason: str
    detail: str
    field: str
    endpoint: str
    account_id: str
    body: str


class HeldPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[HeldDelivery]
    next: str | None


class StillRefused(msgspec.Struct):
    """Stays in quarantine."""

    id: str
    detail: str


class Replayed(msgspec.Struct):
    """What became of a replay."""

    landed: list[str]
    refused: list[StillRefused]


class AuditedLogin(msgspec.Struct, rename={"kind": "class"}):
    """A login, a record, or a pair of both; times as ClickHouse writes them, UTC."""

    kind: Literal["matched", "mismatched", "only_in_sori", "only_in_own"]
    matched_by: str
    account_id: str
    own_account: str
    session: str
    device_id: str
    own_device: str
    login_at: str | None
    own_at: str | None
    differs: list[str]


class Audit(msgspec.Struct):
    """Logins by class; rows that do not match first."""

    counts: dict[str, int]
    rows: list[AuditedLogin]


class TaskStep(msgspec.Struct):
    """A line of a maintenance task: how far it is, or its result, or why it ended."""

    done: Maybe[int] = msgspec.UNSET
    total: Maybe[int] = msgspec.UNSET
    note: Maybe[str] = msgspec.UNSET
    result: Maybe[dict[str, int | str | dict[str, int] | list[dict[str, str]]]] = msgspec.UNSET
    error: Maybe[str] = msgspec.UNSET


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


#: Those that routes name; what these are made of is described with them.
ANSWERS: tuple[type[msgspec.Struct], ...] = (
    Problem,
    Alive,
    Ready,
    QueryAnswer,
    CtrAnswer,
    AlertPage,
    Story,
    SubscriptionWithSecret,
    Subscriptions,
    Accepted,
    AttemptPage,
    Live,
    Health,
    World,
    EventPage,
    Funnel,
    HeldPage,
    Replayed,
    Audit,
    TaskStep,
    Document,
)


def components(bodies: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    """Schemas by name: of what is answered, and of these bodies."""
    _, found = msgspec.json.schema_components([*ANSWERS, *bodies], ref_template="#/components/schemas/{name}")
    alert = orjson.loads(shipped("sori", "alerting", "fraud-alert.json").read_bytes())
    evidence = alert["properties"]["evidence"]
    alert = {name: value for name, value in alert.items() if name != "$schema"}
    alert["properties"] = {**alert["properties"], "evidence": {"$ref": "#/components/schemas/Evidence"}}
    return {**found, "FraudAlert": alert, "Evidence": evidence}
