"""Every route of the API: who may ask it, what it takes, what it answers. Declared here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from api.alerts.filters import PARAMETERS as FILTERS
from api.alerts.filters import STATES
from api.alerts.incident_sql import PARAMETERS as OF_INCIDENTS
from api.alerts.incident_sql import STATES as INCIDENT_STATES
from api.alerts.story import DEFAULT_EVENTS, MOST_EVENTS
from api.auth.access import Scope
from api.console.audit import DEFAULT_TOLERANCE_S, MOST_TOLERANCE_S
from api.contract.parameters import Parameter
from api.live.data import DEFAULT_ROWS
from api.live.page import PAGES
from api.query.ctr_question import DEFAULT_LIMIT, MOST_LIMIT, By, Format, Sort
from api.query.ctr_question import FILTERS as CTR_FILTERS
from api.query.paging import DEFAULT, MOST, MOST_CURSOR
from api.query.slice import RANGES
from api.subscriptions.attempts import Outcome
from sori.alerting.alert import Severity
from sori.alerting.verdict import MOST_BY, Judgement
from sori.quarantine import Reason
from sori.rule_names import RULES


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `answers`: content types of a success; `shape`: its schema as JSON; `lines`: of one line.

    `body` names the schema of a JSON body; `resumes`: it takes Last-Event-ID.
    """

    method: str
    path: str
    summary: str
    scope: Scope = "accounts"
    manages: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    status: int = 200
    answers: tuple[str, ...] = ("application/json",)
    shape: str = ""
    lines: str = ""
    resumes: bool = False


_KNOWN = {"rule": RULES, "severity": get_args(Severity), "state": STATES}
_FILTERS = tuple(Parameter(name, values=tuple(_KNOWN.get(name, ())), many=True, least_length=1) for name in FILTERS)
_OF_INCIDENTS = {**_KNOWN, "state": INCIDENT_STATES}
_INCIDENT_FILTERS = tuple(
    Parameter(name, values=tuple(_OF_INCIDENTS.get(name, ())), many=True, least_length=1) for name in OF_INCIDENTS
)
_SINCE = Parameter("since", "15m, 2h, 7d before now, or an ISO 8601 date or date-time.", moment=True)
_UNTIL = Parameter("until", "As since; what is exactly then is left out.", moment=True)
_CURSOR = Parameter("cursor", "`next` of the page before.", length=MOST_CURSOR)
_PAGING = (_SINCE, _UNTIL, _CURSOR, Parameter("limit", numbers=(1, MOST), default=DEFAULT))
_CHIPS = tuple(Parameter(name, "Only these; empty: those that have none.", many=True) for name in CTR_FILTERS)
_SLICE = (Parameter("range", "Unless since is given.", values=tuple(RANGES), default="1h"), _SINCE, _UNTIL, *_CHIPS)
#: Raw events are read for it: of at most eight days.
_DAYS = Parameter(
    "range", "Unless since is given.", values=tuple(n for n, s in RANGES.items() if s < 691_200), default="1h"
)
_FUNNEL = (_DAYS, *_SLICE[1:])
_PAGES = (_CURSOR, Parameter("limit", numbers=(1, MOST), default=DEFAULT))
_CTR = (
    Parameter("by", "Several are crossed; commas do as well.", values=get_args(By), many=True, commas=True),
    *(Parameter(name, "Only these; empty: those that have none.", many=True) for name in CTR_FILTERS),
    _SINCE,
    _UNTIL,
    Parameter("sort", "The highest first.", values=get_args(Sort), default="impressions"),
    Parameter("limit", numbers=(1, MOST_LIMIT), default=DEFAULT_LIMIT),
    Parameter("format", values=get_args(Format), default="json"),
)
_BASE = "/v1/subscriptions"
_ONE = _BASE + "/{id}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/healthz", "200 while the process runs", "open", shape="Alive"),
    Route("GET", "/readyz", "200 when it can answer; 503 names what is missing", "open", shape="Ready"),
    Route("GET", "/metrics", "Metrics, as Prometheus reads them", "open", answers=("text/plain",)),
    *(Route("GET", path, "A page of the console", "open", answers=("text/html",)) for path in PAGES),
    Route(
        "GET",
        "/page/{name}",
        "A file of the live page",
        "open",
        answers=("text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"),
        shape="World",
    ),
    Route("GET", "/v1/openapi.json", "This document", "open", shape="Document"),
    Route(
        "GET",
        "/v1/live",
        "Figures of a time and of what is chosen, with the time before; what the console's pages show",
        parameters=(*_SLICE, Parameter("rows", "Most rows of each table.", numbers=(1, 1000), default=DEFAULT_ROWS)),
        shape="Live",
    ),
    Route("GET", "/v1/health", "The other stages, and a few of their figures", shape="Health"),
    Route("GET", "/v1/events", "Raw events, latest first, in pages", parameters=(*_SLICE, *_PAGES), shape="EventPage"),
    Route("GET", "/v1/funnel", "From impressions to clicks, and how soon", parameters=_FUNNEL, shape="Funnel"),
    Route(
        "GET",
        "/v1/quarantine",
        "What is held in quarantine, latest first, in pages",
        parameters=(
            *(one for one in _SLICE if one.name in ("range", "since", "until", "account")),
            Parameter("reason", values=tuple(Reason), many=True),
            *_PAGES,
        ),
        shape="HeldPage",
    ),
    Route(
        "POST",
        "/v1/quarantine/replay",
        "Send what is held to Kafka, if it is acceptable now",
        manages=True,
        body="ReplayThese",
        shape="Replayed",
    ),
    Route(
        "GET",
        "/v1/audit",
        "Logins beside your own session records; what does not match first",
        parameters=(
            *(one for one in _SLICE if one.name in ("range", "since", "until", "account")),
            Parameter("tolerance", "Seconds.", numbers=(0, MOST_TOLERANCE_S), default=DEFAULT_TOLERANCE_S),
            Parameter("limit", numbers=(1, 10_000), default=200),
        ),
        shape="Audit",
    ),
    Route(
        "POST",
        "/v1/query",
        "Ask in SQL, one reading statement; as text, or as JSON with the format beside it",
        "all",
        parameters=(Parameter("format", "Any output format of ClickHouse.", default="JSONEachRow", length=64),),
        body="Ask",
        answers=("application/json", "application/x-ndjson", "text/csv", "application/octet-stream"),
        shape="QueryAnswer",
    ),
    Route(
        "GET",
        "/v1/ctr",
        "Click-through rates with their 95 % interval, with and without suspect clicks",
        parameters=_CTR,
        answers=("application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet"),
        shape="CtrAnswer",
        lines="CtrRow",
    ),
    Route(
        "GET",
        "/v1/alerts",
        "Stored alerts, latest change first, in pages",
        parameters=(*_FILTERS, Parameter("device", "Alerts about it.", many=True, least_length=1), *_PAGING),
        shape="AlertPage",
    ),
    Route(
        "GET",
        "/v1/alerts/stream",
        "Alerts as server-sent events, as they happen",
        parameters=_FILTERS,
        answers=("text/event-stream",),
        lines="FraudAlert",
        resumes=True,
    ),
    Route(
        "GET",
        "/v1/alerts/{id}",
        "One alert: its states, its panes, its rule and thresholds, the events behind it; the id or its beginning",
        parameters=(Parameter("events", "Most raw events told.", numbers=(0, MOST_EVENTS), default=DEFAULT_EVENTS),),
        shape="Story",
    ),
    Route(
        "GET",
        "/v1/verdicts",
        "What analysts say of alerts and incidents, latest first, in pages; withdrawn ones are left out",
        parameters=(
            Parameter("target", "Ids of alerts or incidents.", many=True, least_length=1),
            Parameter("account", "Only these.", many=True, least_length=1),
            Parameter("verdict", values=get_args(Judgement), many=True),
            *_PAGES,
        ),
        shape="VerdictPage",
    ),
    Route(
        "POST",
        "/v1/verdicts",
        "Judge an alert or an incident, and allow what it accuses; a later verdict on it replaces this one",
        manages=True,
        body="Judge",
        status=201,
        shape="Verdict",
    ),
    Route(
        "DELETE",
        "/v1/verdicts/{id}",
        "Withdraw a verdict, and with it what it allows; it stays in the log",
        manages=True,
        parameters=(Parameter("withdrawn_by", "Who does, as they say.", length=MOST_BY),),
        status=204,
        answers=(),
    ),
    Route(
        "GET",
        "/v1/incidents",
        "Stored incidents, latest change first, in pages",
        parameters=(*_INCIDENT_FILTERS, *_PAGING),
        shape="IncidentPage",
    ),
    Route(
        "GET",
        "/v1/incidents/{id}",
        "One incident and its alerts; the id or its beginning, also of one that went into another",
        shape="IncidentStory",
    ),
    Route("GET", _BASE, "Every subscription of this token's accounts", shape="Subscriptions"),
    Route(
        "POST",
        _BASE,
        "Subscribe; the answer shows the secret once",
        manages=True,
        body="Create",
        status=201,
        shape="SubscriptionWithSecret",
    ),
    Route("GET", _ONE, "One subscription, and where its deliveries stand", shape="Subscription"),
    Route("PATCH", _ONE, "Change it; what is absent stays", manages=True, body="Change", shape="Subscription"),
    Route("DELETE", _ONE, "Remove it", manages=True, status=204, answers=()),
    Route(
        "POST",
        _ONE + "/rotate",
        "A new secret, shown once; the former one signs too for a while",
        manages=True,
        body="Rotate",
        shape="SubscriptionWithSecret",
    ),
    Route(
        "POST",
        _ONE + "/redeliver",
        "Send the alerts of a time once more",
        manages=True,
        body="Redeliver",
        status=202,
        shape="Accepted",
    ),
    Route(
        "GET",
        _ONE + "/attempts",
        "What became of its webhooks, latest first, in pages",
        parameters=(Parameter("outcome", values=get_args(Outcome), many=True), *_PAGING),
        shape="AttemptPage",
    ),
    Route("POST", _ONE + "/test", "Send a test delivery", manages=True, status=202, shape="Accepted"),
    Route("POST", _ONE + "/resume", "Enable it and deliver what waits", manages=True, status=202, shape="Accepted"),
    Route(
        "POST",
        "/v1/maintenance/{task}",
        "Run a task on stored data; progress as lines of JSON. Takes the token in the data directory only",
        "note",
        answers=("application/x-ndjson",),
        lines="TaskStep",
    ),
)
_BY_KEY = {(one.method, one.path): one for one in ROUTES}


def route_for(method: str, path: str) -> Route | None:
    """The route with this path as it is declared; HEAD is asked like GET."""
    return _BY_KEY.get(("GET" if method == "HEAD" else method, path))
