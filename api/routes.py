"""Everything about alerts that the API serves, and the gate in front of all of it."""

from __future__ import annotations

from aiohttp import web

from api.alerts.incidents import add_incidents
from api.alerts.pages import add_alert_pages
from api.alerts.story import CardOf, add_alert_story, no_card
from api.alerts.stream import add_alert_stream
from api.auth.access import add_access
from api.auth.cors import add_cors
from api.console.audit import add_audit
from api.console.events import add_events
from api.console.quarantine import Replay, add_quarantine, no_replay
from api.contract.check import add_check, scope_of
from api.kafka.views import KafkaSide, add_kafka_side
from api.openapi import add_openapi
from api.query.pool import EnginePool
from api.rates.routes import add_rates
from api.subscriptions.attempts import add_attempts
from api.subscriptions.routes import add_subscriptions
from api.subscriptions.store import SubscriptionStore
from api.verdicts.routes import add_verdicts
from sori.settings import Settings


def add_alerting(
    app: web.Application,
    pool: EnginePool,
    settings: Settings,
    local_token: str = "",
    *,
    card_of: CardOf = no_card,
    replay: Replay = no_replay,
) -> KafkaSide:
    """Add the routes and the gate; the Kafka side runs as long as the application."""
    side = KafkaSide(settings)
    add_kafka_side(app, side)
    add_cors(app, settings.api)
    add_access(app, settings, side, local_token, scope_of=scope_of)
    add_check(app)
    add_rates(app, pool)
    add_alert_pages(app, pool)
    add_incidents(app, pool)
    add_alert_stream(app, side, settings.access)
    add_alert_story(app, pool, settings.streams.pane_s, card_of)
    store = SubscriptionStore(side, settings.notify)
    add_subscriptions(app, store)
    add_attempts(app, store, pool)
    add_verdicts(app, side, pool)
    add_events(app, pool)
    add_quarantine(app, pool, replay)
    add_audit(app, pool)
    add_openapi(app)
    return side
