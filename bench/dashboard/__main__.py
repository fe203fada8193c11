"""Draws the Grafana dashboards from their own SQL: python -m bench.dashboard [--folder docs/pictures].

Traffic of the simulator goes through the streams' own operators and the sinks' own inserts into the real ClickHouse
engine, in this process. Each panel of the committed dashboards asks it what Grafana would ask; the answers are drawn
in Grafana's grid by Plotly, in Debian's chromium. It is not a screenshot of Grafana: no Grafana runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from playwright.sync_api import sync_playwright

from bench.dashboard.page import WIDTH, Answer, page
from bench.dashboard.panels import layout, panels
from bench.dashboard.traffic import eventful, fill
from deploy.grafana.macros import expanded
from runtime.clickhouse.client import open_client

_BOARDS = Path(__file__).parents[2] / "deploy/grafana/provisioning/dashboards/json"
#: Dashboard, its picture, and how many rows of the grid the picture shows.
_PICTURES = (("campaigns", "dashboard.png", 28), ("fraud", "dashboard-fraud.png", 24))
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
_SHARPNESS = 1.4  # pixels of the picture per pixel of the page


def main(argv: Sequence[str] | None = None) -> None:
    """Fill, ask, draw."""
    options = _options(argv)
    end_s = int(time.time()) // 60 * 60
    span = (end_s - 60 * options.minutes, end_s)
    with tempfile.TemporaryDirectory(prefix="sori-dashboard-") as scratch:
        folder = options.database or Path(scratch)
        with open_client(f"chdb://{folder / 'clickhouse'}") as client:
            fill(client, eventful(options.seed, end_s, options.minutes, options.rate))
            pages = [_page(client, name, rows, span, options) for name, _, rows in _PICTURES]
    for (_, file, _), html in zip(_PICTURES, pages, strict=True):
        _photograph(html, options.folder / file)
        print(options.folder / file)


def _chart_library() -> Path:
    """plotly.min.js of the installed wheel, found without importing plotly."""
    spec = importlib.util.find_spec("plotly")
    if spec is None:
        sys.exit("the chart library is missing: pip install plotly")
    return Path(spec.origin or "").parent / "package_data" / "plotly.min.js"


def _page(client: Client, name: str, rows: int, span: tuple[int, int], options: argparse.Namespace) -> str:
    board: dict[str, Any] = json.loads((_BOARDS / f"{name}.json").read_text(encoding="utf-8"))
    places = layout(board, WIDTH, rows=rows)
    answers = []
    for panel in panels(board):
        if panel.title in places:
            found = client.query(expanded(panel.sql, *span))
            answers.append(Answer(panel, found.column_names, found.result_rows))
    caption = (
        f"{len(answers)} of the dashboard's {len(panels(board))} panels, drawn by `python -m bench.dashboard`; not a "
        "screenshot of Grafana. Each asked the real ClickHouse engine its own SQL from deploy/grafana. The data: the "
        f"simulator's labelled traffic at about {options.rate:g} events/s (seed {options.seed}) through the pipeline's "
        "own operators and inserts."
    )
    return page(board, places, answers, (_moment(span[0]), _moment(span[1])), caption)


def _moment(seconds: int) -> datetime:
    """Without a zone, as ClickHouse's answers are: in UTC."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _photograph(html: str, path: Path) -> None:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        sys.exit("no chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        shot = browser.new_page(viewport={"width": WIDTH + 24, "height": 400}, device_scale_factor=_SHARPNESS)
        library = _chart_library().read_text(encoding="utf-8")
        shot.set_content(f"<!DOCTYPE html><meta charset=utf-8><script>{library}</script>{html}")
        shot.screenshot(path=path, full_page=True)
        browser.close()


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"), help="where the pictures go")
    parser.add_argument("--minutes", type=int, default=60, help="time range of the dashboards; as much goes before it")
    parser.add_argument("--rate", type=float, default=30, help="events/s of the simulator")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another world")
    parser.add_argument("--database", type=Path, help="keep the ClickHouse data in this new folder")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
