"""What routes answer, as types that `/v1/openapi.json` is made from. Nothing is decoded with them.

A field that is `Maybe` is there or not; one that may be None is always there.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from api.contract.shapes.alerts import AlertPage, Story, VerdictPage
from api.contract.shapes.common import Alive, Problem, Ready
from api.contract.shapes.console import Audit, EventPage, Funnel, HeldPage, Replayed, TaskStep
from api.contract.shapes.document import Document
from api.contract.shapes.incidents import IncidentPage, IncidentStory
from api.contract.shapes.live import Health, Live, World
from api.contract.shapes.rates import CtrAnswer, QueryAnswer
from api.contract.shapes.subscriptions import Accepted, AttemptPage, Subscriptions, SubscriptionWithSecret
from sori.alerting.verdict import Verdict
from sori.package_files import shipped

#: Those that routes name; what these are made of is described with them.
ANSWERS: tuple[type[msgspec.Struct], ...] = (
    Problem,
    Alive,
    Ready,
    QueryAnswer,
    CtrAnswer,
    AlertPage,
    Story,
    Verdict,
    VerdictPage,
    IncidentPage,
    IncidentStory,
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
