"""The live page in a real browser: what it shows is what a query says, for every reader, under a strict CSP."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from testkit.live_page_data import add_alert
from testkit.paths import ROOT
from testkit.wait import wait_until

PICTURES = ROOT / "docs/pictures"
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
    pictures = PICTURES if os.environ.get("SORI_TEST_PICTURES") else tmp_path
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
    kept = await values(page, "#impressions, #clicks")
    await page.unroute("**/v1/live?*")
    await becomes(page, "document.getElementById('trouble').hidden")
    assert await page.inner_text("#trouble") == ""
    assert all(int(number) > 0 for number in kept)  # the last figures stay while nothing new comes


async def test_health_is_told_in_words(served, browser) -> None:
    """Freshness and every stage have a word for how they are, whatever one sees of colours."""
    page, _ = await looked_at(browser, served.url)
    stages = [
        {"name": "ingest", "state": "ready", "detail": ""},
        {"name": "notify", "state": "not ready", "detail": "kafka: away"},
        {"name": "streams", "state": "unreachable", "detail": "no answer on its probe port"},
    ]

    async def answered(route) -> None:
        body = await (await route.fetch()).json()
        await route.fulfill(json={**body, "stages": stages})

    await page.route("**/v1/live?*", answered)
    await becomes(page, "document.getElementById('stages-summary').textContent === 'Not ready: notify, streams.'")
    told = await page.inner_text("#stages")
    assert [told.count(word) for word in ("ingest ready", "notify not ready", "streams unreachable", "away")] == [1] * 4
    assert (await page.inner_text("#freshness")).startswith("fresh: last event ")
    await page.unroute("**/v1/live?*")


async def test_a_phone_reaches_every_column_by_keyboard(served, browser) -> None:
    """On a narrow screen the page does not scroll sideways; a table does, with the arrow keys, to its interval."""
    page, _ = await looked_at(browser, served.url)
    await page.set_viewport_size({"width": 320, "height": 700})
    await becomes(page, "document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".scroll:has(#campaigns)")
    await box.focus()
    inside = """box => {
        const at = box.querySelector("tbody .gauge").getBoundingClientRect(), around = box.getBoundingClientRect();
        return at.width > 20 && at.right <= around.right + 1;
    }"""

    async def in_view() -> bool:
        await page.keyboard.press("ArrowRight")
        return bool(await box.evaluate(inside))

    await wait_until(in_view, what="the interval in view")
    assert await page.evaluate("document.activeElement.getAttribute('role')") == "group"
    assert await page.evaluate("document.documentElement.scrollLeft") == 0


async def test_outline_motion_and_time(served, browser, record_property) -> None:
    """Named landmarks, headings that skip no level, nothing that moves; how long a load takes is told, not judged."""
    page, _ = await looked_at(browser, served.url, reduced_motion="reduce")
    assert await page.evaluate("document.getAnimations().length") == 0
    moving = "[...document.querySelectorAll('main *')].filter(n => getComputedStyle(n).animationName !== 'none').length"
    assert await page.evaluate(moving) == 0
    assert await page.get_by_role("main").count() == 1
    assert await page.get_by_role("banner").count() == 1
    names = ["Totals", "Click-through rate over time", "Fraud alerts", "Top campaigns", "Top places", "Platforms"]
    for name in (*names, "Pipeline health"):
        assert await page.get_by_role("region", name=name, exact=True).count() == 1, name
    levels = await page.eval_on_selector_all("h1, h2, h3", "nodes => nodes.map(n => Number(n.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    await page.reload()
    await page.wait_for_selector("#time-chart .main-svg .scatterlayer path", state="attached", timeout=60_000)
    drawn_ms = await page.evaluate("performance.now()")
    record_property("load_ms", round(drawn_ms))
    print(f"live page drawn {drawn_ms:.0f} ms after the load began")  # noqa: T201 - pytest -rP shows it
