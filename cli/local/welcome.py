"""What `sori up` prints once everything answers."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.shared.signing import signing_secret

if TYPE_CHECKING:
    from cli.local.pipeline import LocalPipeline

_BODY = (
    '{"event":"campaign.impression","account_id":"ACC_1","activity_id":"ACT_1","device_id":"device-1",'
    '"platform":"android","created_at":"\'$(date -u +%FT%TZ)\'",'
    '"geolocation":{"viewer_country":"TR","viewer_region":"Istanbul","viewer_city":"Istanbul"},'
    '"campaign":{"id":"CMP_1","name":"My first campaign"}}'
)
_MADE = """signed events only; no secret was set, so this one was made for you:

               {secret}

             It is kept in {file}; give it to the SORI console,
             or set SORI_INGEST__SECRET_KEYS to the console's own."""
_QUERY = "SELECT event, campaign_name, city, received_at FROM events_current"


def welcome(pipeline: LocalPipeline) -> str:
    """URLs, and the commands that send a first webhook and show it; they can be pasted into a shell."""
    signature, data_dir = "", shlex.quote(str(pipeline.settings.data_dir))
    if not pipeline.settings.ingest.unsigned:
        sign = f"{command()} sign - --data-dir {data_dir}"
        signature = f' \\\n       -H "X-SORI-Signature: $(printf %s "$body" | {sign})"'
    # the certificate has the public name, not this machine's address
    curl, insecure = ("curl -k", " --insecure") if pipeline.settings.ingest.scheme == "https" else ("curl", "")
    metrics = "\n             ".join(f"{name:7} {url}" for name, url in pipeline.metrics_urls.items())
    return f"""
SORI event pipeline is up. Ctrl-C stops it.

  webhook    {pipeline.webhook_url}
             {_who_may_post(pipeline)}
  live page  {pipeline.api_url}/
  query api  {pipeline.api_url}
  metrics    {metrics}
  kafka      {pipeline.settings.kafka.bootstrap}
  data       {pipeline.settings.data_dir}

In another terminal, send a first webhook:

  body='{_BODY}'
  {curl} -w '\\n' {pipeline.webhook_url} -H "Content-Type: application/json" --data-binary "$body"{signature}

Look at it, a second later:

  {command()} query "{_QUERY}" --api-port {pipeline.settings.api.port}

Send traffic with attacks in it, for a minute; then see who was caught, and why:

  {command()} simulate --url {pipeline.webhook_url} --rate 100 --duration 60 --data-dir {data_dir}{insecure}
  {command()} alerts --api-port {pipeline.settings.api.port}
  {command()} explain --api-port {pipeline.settings.api.port}

These commands work in any terminal on this machine. Words: {command()} words
"""


def command() -> str:
    """How to call `sori` from a new terminal: by name where that finds this installation, else by its whole path."""
    ours = Path(sys.executable).with_name("sori")
    found = shutil.which("sori")
    if found is not None and Path(found).resolve() == ours.resolve() and sys.prefix == sys.base_prefix:
        return "sori"
    return shlex.quote(str(ours)) if ours.exists() else f"{shlex.quote(sys.executable)} -m cli.main"


def _who_may_post(pipeline: LocalPipeline) -> str:
    ours, kept = pipeline.settings.ingest, pipeline.secret_file
    if kept is not None:
        secret = signing_secret(pipeline.settings)
        return _MADE.format(secret=secret, file=kept)
    if ours.unsigned:
        return "UNSIGNED: anyone who knows the URL may post (ingest.unsigned = true); stored with verified=0"
    if not ours.secret_keys:
        return f"only at the endpoints of {ours.endpoints_file}; this one is closed"
    return "signed events only (ingest.secret_keys is set)"
