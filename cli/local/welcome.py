"""What `sori up` prints once everything answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.local.pipeline import LocalPipeline

_BODY = (
    '{"event":"campaign.impression","account_id":"ACC_1","activity_id":"ACT_1","device_id":"device-1",'
    '"platform":"android","created_at":"\'$(date -u +%FT%TZ)\'",'
    '"geolocation":{"viewer_country":"TR","viewer_region":"Istanbul","viewer_city":"Istanbul"},'
    '"campaign":{"id":"CMP_1","name":"My first campaign"}}'
)
_QUERY = "SELECT event, campaign_name, city, received_at FROM events_current"
_SIGNATURE = ' \\\n       -H "X-SORI-Signature: $(printf %s "$body" | sori sign -)"'


def welcome(pipeline: LocalPipeline) -> str:
    """URLs, and the commands that send a first webhook and show it; they can be pasted into a shell."""
    signed = bool(pipeline.settings.ingest.secret_keys.strip(", "))
    note = (
        "signed events only (SORI_INGEST__SECRET_KEYS is set)"
        if signed
        else "no secret configured: unsigned events are accepted and stored with verified=0"
    )
    metrics = "\n             ".join(f"{name:7} {url}" for name, url in pipeline.metrics_urls.items())
    return f"""
SORI event pipeline is up. Ctrl-C stops it.

  webhook    {pipeline.webhook_url}
             {note}
  live page  {pipeline.api_url}/
  query api  {pipeline.api_url}
  metrics    {metrics}
  kafka      {pipeline.settings.kafka.bootstrap}
  data       {pipeline.settings.data_dir}

Send a first webhook:

  body='{_BODY}'
  curl {pipeline.webhook_url} -H "Content-Type: application/json" --data-binary "$body"{_SIGNATURE if signed else ""}

Look at it:

  sori query "{_QUERY}" --api-port {pipeline.settings.api.port}
"""
