"""The live page in a real browser: what it shows is what a query says, for every reader, under a strict CSP."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.page.data import add_alert
from tests.support.wait import wait_until

PICTURES = Path(__file__).parents[2] / "docs/pictures"
pytestmark = pytest.mark.timeout(300)


async def looked_at(browser, url: str, **context: Any):
    """A page that has drawn its chart, and the list of what its console complained about."""
    page = await (await browser.new_context(viewport={"width": 1360, "height": 900}, **context)).new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    await page.wait_for_selector("#time-chart .main-svg .scatterlayer path", state="attached", timeout=60_000)
    return page, complaints


def asked(served, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query as `sori query` would run it."""
    return [tuple(row) for row in served.client.query(sql).result_rows]


async def values(page, selector: str) -> list[str]:
    """The exact value behind each figure."""
    return await page.eval_on_selector_all(selector, "nodes => nodes.map(n => n.dataset.value)")


async def becomes(page, condition: str) -> None:
    """Waits for a JavaScript condition; playwright's own wait needs eval, which the page forbids."""
    await wait_until(lambda: page.evaluate(condition), what=condition)


async def test_every_figure_equals_a_query(served, browser) -> None:
    """Totals and each row of each table are what the views say for the hour that the page names."""
    page, complaints = await looked_at(browser, served.url)
    since = "minute >= now() - INTERVAL 1 DAY AND minute >= toStartOfMinute(now() - INTERVAL 1 HOUR)"
    (totals,) = asked(served, f"SELECT sum(impressions), sum(clicks) FROM ctr_by_minute WHERE {since}")
    assert await values(page, "#impressions, #clicks") == [str(number) for number in totals]
    for table, dimensions in {
        "campaigns": "account_id, campaign_id",
        "places": "account_id, country, region, city",
        "platforms": "platform",
    }.items():
        rows = asked(
            served,
            f"SELECT sum(m.impressions) AS i, sum(m.clicks) AS c, c / i FROM ctr_by_minute AS m WHERE {since}"
            f" GROUP BY {dimensions} ORDER BY i DESC, c DESC, {dimensions}",
        )
        shown = await values(page, f"#{table} td[data-value]")
        assert [float(value) for value in shown] == pytest.approx([float(value) for row in rows for value in row])
    names = await page.eval_on_selector_all("#campaigns tbody th", "nodes => nodes.map(n => n.firstChild.textContent)")
    assert set(names) == {"Spring sale", "Radio spot", "Launch"}
    assert await page.inner_text("#open-alerts") == "0"
    assert complaints == []


async def test_an_attack_appears_while_one_looks(served, browser) -> None:
    """A new alert is in the feed, announced, and counted as open, without a reload; hostile text stays text."""
    page, complaints = await looked_at(browser, served.url)
    await page.wait_for_selector('#alerts li[data-alert="closed-1"]')
    add_alert(served.client, "fresh", subject="<img src=x onerror=alert(1)>")
    await page.wait_for_selector('#alerts li[data-alert="fresh"]', timeout=15_000)
    assert "<img src=x" in await page.inner_text('#alerts li[data-alert="fresh"]')
    await becomes(page, "document.getElementById('announcer').textContent.includes('device click burst')")
    await becomes(page, "document.getElementById('open-alerts').textContent === '1'")
    assert await page.locator("#alerts img").count() == 0
    assert complaints == []


async def test_it_is_accessible(served, browser, tmp_path: Path) -> None:
    """axe finds nothing, in light and dark, on a desk and on a phone; nothing sticks out sideways."""
    add_alert(served.client, "fresh")
    page, _ = await looked_at(browser, served.url, bypass_csp=True)
    await page.wait_for_selector("#alerts li")
    await page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    pictures = PICTURES if os.environ.get("SORI_WRITE_PICTURES") else tmp_path
    for scheme, width in (("light", 1360), ("dark", 1360), ("light", 390), ("dark", 390)):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 900})
        await becomes(page, "document.querySelector('#time-chart .main-svg').clientWidth <= innerWidth")
        found = await page.evaluate("axe.run()")
        assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in found["violations"]] == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        picture = pictures / f"live-page-{scheme}-{width}.png"
        await page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 20_000


async def test_the_keyboard_reaches_everything(served, browser) -> None:
    """Tab goes to the skip link, both selects, and every region that scrolls; each has a visible focus."""
    page, _ = await looked_at(browser, served.url)
    await page.wait_for_selector("#alerts li")
    reached = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        reached.append(
            await page.evaluate(
                "[document.activeElement.id || document.activeElement.className || document.activeElement.tagName,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert [name for name, _ in reached[:3]] == ["skip", "account", "range"]
    assert {"alerts", "SUMMARY", "scroll"} <= {name for name, _ in reached}
    assert all(style != "none" for _, style in reached[:8])


async def test_it_asks_nobody_else(served, browser) -> None:
    """Every request goes to the api itself: the page works without the internet."""
    page = await (await browser.new_context()).new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.goto(served.url)
    await page.wait_for_selector("#campaigns tbody td")
    assert any(url.endswith("plotly.min.js") for url in requests)
    assert [url for url in requests if not url.startswith((served.url, "data:"))] == []


async def test_a_range_and_an_account_can_be_chosen(served, browser) -> None:
    """Choosing an account leaves its rows only; a longer range takes the 5-minute view and the same totals."""
    page, complaints = await looked_at(browser, served.url)
    await page.select_option("#account", "acc_2")
    await becomes(page, "document.querySelectorAll('#campaigns tbody tr').length === 1")
    (mine,) = asked(served, "SELECT sum(impressions) FROM ctr_by_campaign WHERE account_id = 'acc_2'")
    await page.select_option("#range", "24h")
    await becomes(page, f"document.getElementById('impressions').dataset.value === '{mine[0]}'")
    assert complaints == []


async def test_trouble_is_told(served, browser) -> None:
    """When the api fails the page says so, and takes it back when the answers come again."""
    page, _ = await looked_at(browser, served.url)
    problem = {"detail": "ClickHouse rests"}
    await page.route("**/v1/live?*", lambda route: route.fulfill(status=503, body=json.dumps(problem)))
    await becomes(page, "document.getElementById('trouble').textContent.includes('ClickHouse rests')")
    await page.unroute("**/v1/live?*")
    await becomes(page, "document.getElementById('trouble').hidden")
