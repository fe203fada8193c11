"""The live page in a real browser: what it shows is what a query says, for every reader, under a strict CSP."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import time
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sori.alerting.incident import incident_id
from sori.times import iso
from testkit.alerts import alert, incident
from testkit.live_page_data import WINDOW, add_activity, add_alert, add_event, hold
from testkit.paths import ROOT
from testkit.wait import wait_until

PICTURES = ROOT / "docs/pictures"
TIMES = {"date_time_input_format": "best_effort"}
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
    await page.wait_for_selector("main:not([aria-busy]) > *", timeout=60_000)
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
        without = [float(value) for i, value in enumerate(shown) if i % 4 != 3]  # the last: without suspect clicks
        assert without == pytest.approx([float(value) for row in rows for value in row])
    names = await page.eval_on_selector_all(
        "#campaigns tbody th a:not(.filter)", "nodes => nodes.map(n => n.textContent)"
    )
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
    await becomes(page, "document.getElementById('announcer').textContent.includes('New alert. high: Device')")
    await becomes(page, "document.getElementById('open-alerts').textContent === '1'")
    assert await page.locator("#alerts img").count() == 0
    assert complaints == []


async def without_refresh(browser):
    """A page that asks once, and the paths that it asks for."""
    page = await (await browser.new_context()).new_page()
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(urlsplit(request.url).path))
    await page.add_init_script(
        "{ const later = setTimeout; window.setTimeout = (what, ms) => (ms === 5000 ? 0 : later(what, ms)); }"
    )
    return page, asked_for


async def test_figures_are_asked_for_while_scripts_are_on_their_way(served, browser) -> None:
    """The first chart waits for no script before it asks."""
    page, _ = await without_refresh(browser)
    begun = asyncio.Event()

    async def held(route) -> None:
        await begun.wait()
        await route.continue_()

    page.on("request", lambda request: begun.set() if urlsplit(request.url).path == "/v1/live" else None)
    await page.route("**/page/table.js", held)
    await page.route("**/page/first.js", held)
    await page.goto(served.url, wait_until="commit")
    await page.wait_for_selector("#time-chart path.line", state="attached", timeout=30_000)


async def test_what_is_asked_for_ahead_is_not_asked_for_again(served, browser) -> None:
    """Nothing is routed here: then Chromium does not always use what it has, and asks again."""
    page, asked_for = await without_refresh(browser)
    await page.goto(served.url, wait_until="commit")
    await page.wait_for_selector("#time-chart path.line", state="attached", timeout=30_000)
    assert [asked_for.count(path) for path in ("/v1/live", "/v1/alerts", "/page/table.js")] == [1, 1, 1]


EVERY_PAGE = {
    "overview": "/",
    "campaign": "/campaigns/cmp_1?account=acc_1",
    "place": "/places/TR/Istanbul/Istanbul",
    "device": "/devices/dev_1",
    "alerts": "/alerts",
    "alert": "/alerts/fresh",
    "incidents": "/incidents",
    "incident": f"/incidents/{incident_id('fresh')}",
    "health": "/health",
    "audit": "/audit",
}


@pytest.mark.parametrize("name", EVERY_PAGE)
async def test_it_is_accessible(served, browser, tmp_path: Path, name: str) -> None:
    """axe finds nothing on any page, in light and dark, on a desk and on a phone; nothing sticks out sideways."""
    evidence = '{"campaigns": {"cmp_1": 40}, "sample_event_ids": ["id-cmp_1"]}'
    add_alert(served.client, "fresh", evidence=evidence, window_s=90)
    now_ms = int(time.time() * 1000)
    times = dict.fromkeys(("window_end", "opened_at", "updated_at"), iso(now_ms)) | {
        "window_start": iso(now_ms - 90_000)
    }
    case = json.dumps(incident(alert(alert_id="fresh", observed=40, expected=1.5, **times))).encode()
    served.client.raw_insert("incidents", insert_block=case, fmt="JSONEachRow", settings=TIMES)
    hold(served.client, "aaaabbbb", "acc_1")
    for number in range(12):
        add_activity(served.client, number, click_after_ms=700 * number if number % 3 else None)
    page, _ = await looked_at(browser, served.url + EVERY_PAGE[name], bypass_csp=True)
    await page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    pictures = PICTURES if os.environ.get("SORI_TEST_PICTURES") else tmp_path
    for scheme, width in (("light", 1360), ("dark", 1360), ("light", 390), ("dark", 390)):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 900})
        await becomes(page, "(document.querySelector('#time-chart svg')?.clientWidth ?? 0) <= innerWidth")
        found = await page.evaluate("axe.run()")
        assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in found["violations"]] == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        picture = pictures / f"console-{name}-{scheme}-{width}.png"
        await page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 10_000


async def test_the_keyboard_reaches_everything(served, browser) -> None:
    """Tab goes to the skip link, the pages, both selects, and on; each has a visible focus."""
    page, _ = await looked_at(browser, served.url)
    await page.wait_for_selector("#alerts li")
    reached = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        reached.append(
            await page.evaluate(
                "[document.activeElement.id || document.activeElement.className || document.activeElement.textContent,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    names = [name for name, _ in reached]
    assert names[:9] == ["skip", "SORI", "Overview", "Alerts", "Incidents", "Health", "Audit", "account", "range"]
    assert {"time-chart", "alerts", "what", "sort", "scroll"} <= set(names)
    assert all(style != "none" for _, style in reached)


async def test_a_click_leads_on_and_the_address_keeps_it(served, browser) -> None:
    """A platform becomes a chip, a campaign its page; back takes each back; a copied address shows the same."""
    page, complaints = await looked_at(browser, served.url)
    await page.click("#platforms tbody th a >> text=iOS")
    await page.wait_for_selector('.chip[data-chip="platform"]')
    (ios,) = asked(
        served,
        "SELECT sum(impressions) FROM ctr_by_minute"
        " WHERE platform = 'iOS' AND minute >= toStartOfMinute(now() - INTERVAL 1 HOUR)",
    )
    await becomes(page, f"document.getElementById('impressions').dataset.value === '{ios[0]}'")
    address = page.url
    assert "platform=iOS" in address
    await page.click("#campaigns tbody th a:not(.filter) >> text=Spring sale")
    await becomes(page, "document.querySelector('h1').textContent === 'Spring sale'")
    assert "/campaigns/cmp_1" in page.url
    assert "platform=iOS" in page.url
    await page.go_back()
    await becomes(page, f"document.getElementById('impressions')?.dataset.value === '{ios[0]}'")
    other, _ = await looked_at(browser, address)
    assert await values(other, "#impressions") == [str(ios[0])]
    await other.click('.chip[data-chip="platform"]')
    await becomes(other, "!document.querySelector('.chip')")
    assert "platform" not in other.url
    assert complaints == []


async def test_a_time_of_ones_own_and_zoom(served, browser) -> None:
    """The dialog sets a time; a drag over the chart narrows it; both are in the address and can be taken back."""
    page, _ = await looked_at(browser, served.url)
    before = page.url
    box = await page.locator("#time-chart").bounding_box()
    await page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 80)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 80, steps=4)
    assert "impressions" in await page.inner_text("#reading")  # the hover tells impressions and clicks
    await page.mouse.up()
    await page.wait_for_selector('.chip[data-chip="time"]')
    assert "since=" in page.url
    bars = "document.querySelectorAll('#time-chart .bar').length"
    await becomes(page, f"{bars} > 5 && {bars} < 20")
    await page.click('.chip[data-chip="time"]')
    await becomes(page, f"{bars} > 50")
    await page.select_option("#range", "custom")
    await page.fill("#since", "2026-01-01T10:00")
    await page.fill("#until", "2026-01-01T11:00")
    await page.click("#times button >> text=Show")
    await page.wait_for_selector("#teach-title")
    assert page.url != before


async def test_new_figures_end_no_drag_and_leave_what_is_read(served, browser) -> None:
    """Who draws a span while the page refreshes gets that span; the reading and the arrow keys stay where they were."""
    page, complaints = await looked_at(browser, served.url)
    box = await page.locator("#time-chart").bounding_box()
    await page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 80)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 80, steps=4)
    reading = await page.inner_text("#reading")
    (before,) = await values(page, "#impressions")
    start = int(time.time()) // 60 * 60
    row = (start, "acc_1", "cmp_1", "m", "iOS", "US", "NY", "NYC", 0, 1000, 1, 0, 1)
    served.client.command(f"INSERT INTO ctr_windows ({WINDOW}) VALUES {row}")
    await becomes(page, f"document.getElementById('impressions').dataset.value === '{int(before) + 1000}'")
    assert await page.inner_text("#reading") == reading
    assert await page.get_attribute("#time-chart", "aria-valuetext") == reading
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 80, steps=4)
    assert await page.eval_on_selector("#time-chart .chosen", "node => Number(node.getAttribute('width'))") > 100
    await page.mouse.up()
    await page.wait_for_selector('.chip[data-chip="time"]')
    assert complaints == []


async def test_tables_sort_go_on_and_export(served, browser) -> None:
    """A heading sorts both ways; more than ten rows come on demand; the file has all of them, and no formula."""
    start = int(time.time()) // 60 * 60
    rows = [(start, "acc_1", f"cmp_{n:03}", "m", "iOS", "US", "NY", "NYC", 0, 100 + n, n, 0, 1) for n in range(40)]
    served.client.command(f"INSERT INTO ctr_windows ({WINDOW}) VALUES {', '.join(map(str, rows))}")
    add_event(served.client, "acc_1", "cmp_007", "=HYPERLINK(1)")
    page, complaints = await looked_at(browser, served.url + "/?range=15m&material=m")
    assert await page.locator("#campaigns tbody tr").count() == 10
    await page.click("section:has(#campaigns) .below button >> text=Show more")
    await becomes(page, "document.querySelectorAll('#campaigns tbody tr').length === 40")
    clicks = "#campaigns thead button.sort >> text=Clicks"
    await page.click(clicks)
    await becomes(page, "document.querySelector('#campaigns tbody td:nth-of-type(2)').textContent === '39'")
    await page.click(clicks)
    await becomes(page, "document.querySelector('#campaigns tbody td:nth-of-type(2)').textContent === '0'")
    assert await page.locator('#campaigns th[aria-sort="ascending"]').count() == 1
    async with page.expect_download() as waiting:
        await page.click("section:has(#campaigns) .below button >> text=CSV")
    path = await (await waiting.value).path()
    lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert len(lines) == 41
    assert lines[0][:3] == ["Campaign", "Impressions", "Clicks"]
    assert ["'=HYPERLINK(1)", "107", "7"] in [line[:3] for line in lines]
    assert complaints == []


async def test_the_last_minute_is_dashed_and_intervals_are_in_words(served, browser) -> None:
    """One dashed piece at the end; rows tell their interval as text, on a phone below the rate; keys read a point."""
    start = int(time.time()) // 60 * 60
    ahead = [(start + 60 * n, "acc_1", "cmp_1", "m", "iOS", "US", "NY", "NYC", 0, 100, 9, 0, 1) for n in range(4)]
    served.client.command(f"INSERT INTO ctr_windows ({WINDOW}) VALUES {', '.join(map(str, ahead))}")  # if it takes long
    page, _ = await looked_at(browser, served.url)
    assert await page.locator("#time-chart path.line.going").count() == 1
    assert " to " in await page.inner_text("#campaigns tbody .gauge >> nth=0")
    await page.focus("#time-chart")
    await page.keyboard.press("ArrowLeft")
    assert "clicks" in await page.get_attribute("#time-chart", "aria-valuetext")
    assert "clicks" in await page.inner_text("#reading")
    await page.set_viewport_size({"width": 390, "height": 800})
    await becomes(page, "getComputedStyle(document.querySelector('#campaigns .narrow')).display === 'block'")
    await page.click(".tiles .what >> nth=0")
    assert "shown on a device" in await page.inner_text("#note")


async def test_a_campaign_tells_its_funnel_and_its_alerts(served, browser) -> None:
    """Impressions and clicks that share an activity, how soon, and alerts as shades in the chart."""
    for number in range(6):
        add_activity(served.client, number, click_after_ms=[None, 500, 2000, 2000, 20_000, None][number])
    add_alert(served.client, "shade", kind="campaign", subject="cmp_1")
    page, complaints = await looked_at(browser, served.url + "/campaigns/cmp_1?account=acc_1")
    assert "6 impressions" in await page.inner_text(".funnel")
    assert "66.67% of" not in await page.inner_text(".funnel")
    assert "4 clicks with their impression" in await page.inner_text(".funnel")
    assert await page.inner_text("#time-to-click tbody tr:nth-child(2) td") == "2"
    assert await page.locator("#time-chart .alarm").count() == 1
    await page.click("#clean")
    await becomes(page, "document.getElementById('time-title').textContent.includes('without suspect')")
    assert complaints == []


async def test_rates_of_few_impressions_are_drawn_to_scale(served, browser) -> None:
    """A device's one impression with its click is at 100 %, where the axis ended at 2 %; so are the gauges."""
    add_activity(served.client, 1, click_after_ms=0)
    page, _ = await looked_at(browser, served.url + "/devices/dev_1")
    labels = await page.locator("#time-chart .grid text").all_text_contents()
    assert "100 %" in labels
    marks = await page.eval_on_selector_all(
        "#campaigns .middle", "marks => marks.map(one => Number(one.getAttribute('x')))"
    )
    assert max(marks) < 80  # 1 click of 2
    assert "from 4 impressions and 1 click." in await page.inner_text("#time-summary")


async def test_hostile_names_stay_text_and_lead_where_they_say(served, browser) -> None:
    """Ids of slashes, dots and markup: each has its page, nothing is run."""
    hostile = ["../../x", "..", "<img src=x onerror=alert(1)>", "a?b#c%2F"]
    start = int(time.time()) // 60 * 60
    rows = [(start, "acc_1", one, one, one, one, one, one, 0, 50, 5, 0, 1) for one in hostile]
    served.client.command(f"INSERT INTO ctr_windows ({WINDOW}) VALUES {', '.join(map(str, rows))}")
    page, complaints = await looked_at(browser, served.url + "/?range=15m")
    for one in hostile:
        await page.locator("#campaigns tbody th a:not(.filter)").get_by_text(one, exact=True).click()
        await becomes(page, f"document.querySelector('h1').textContent === {json.dumps(one)}")
        await becomes(page, "document.getElementById('impressions').dataset.value === '50'")
        await page.go_back()
        await page.wait_for_selector("#platforms tbody td")
    assert await page.locator("main img").count() == 0
    assert complaints == []


async def test_it_asks_nobody_else(served, browser) -> None:
    """Every request goes to the api itself: the page works without the internet."""
    page = await (await browser.new_context()).new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.goto(served.url)
    await page.wait_for_selector("#campaigns tbody td")
    await page.wait_for_selector(".map path")
    assert any(url.endswith("world.json") for url in requests)
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
    """Freshness and every stage have a word; a stage that does not answer is told with its last state and its age."""
    page, _ = await looked_at(browser, served.url)
    ago = int(time.time() * 1000) - 40_000
    stages = [
        {"name": "ingest", "state": "ready", "detail": "", "last_state": "ready", "seen_ms": ago},
        {"name": "notify", "state": "not ready", "detail": "kafka: away", "last_state": "not ready", "seen_ms": ago},
        {"name": "streams", "state": "unreachable", "detail": "", "last_state": "ready", "seen_ms": ago},
        {"name": "sinks", "state": "unreachable", "detail": "", "last_state": None, "seen_ms": None},
    ]

    async def answered(route) -> None:
        body = await (await route.fetch()).json()
        await route.fulfill(json={**body, "stages": stages})

    await page.route("**/v1/live?*", answered)
    await becomes(page, "document.getElementById('stages-summary').textContent === 'Not ready: notify.'")
    told = await page.inner_text("#stages")
    assert [told.count(word) for word in ("ingest ready", "notify not ready", "away", "sinks not seen yet")] == [1] * 4
    assert "streams no answer; ready 4" in told
    assert (await page.inner_text("#freshness")).startswith("fresh: last event ")
    await page.unroute("**/v1/live?*")


async def test_an_alert_has_an_address_that_tells_all(served, browser) -> None:
    """Its sentence, rule in words, thresholds, evidence as a table, raw events; the title counts what is open."""
    add_alert(served.client, "fresh", evidence='{"campaigns": {"cmp_1": 40}, "sample_event_ids": ["id-cmp_1"]}')
    page, complaints = await looked_at(browser, served.url + "/alerts/fresh")
    assert (await page.inner_text("h1")).startswith("Device dev_1 clicked 40 times")
    for section in ("Timeline", "Verdict", "Evidence", "Raw events"):
        assert await page.get_by_role("region", name=section, exact=True).count() == 1, section
    assert await page.locator("#thresholds tbody tr").count() > 3
    assert await page.locator('section:has(#evidence-title) a[href^="/campaigns/cmp_1"]').count() == 1
    await becomes(page, "document.title.startsWith('(1) ')")
    assert complaints == []


async def test_an_alert_tells_what_was_said_of_its_incident(served, browser) -> None:
    """Who judged the incident judged this alert with it: the page says so, and leads to where it can be withdrawn."""
    add_alert(served.client, "fresh")
    case = incident(alert(alert_id="fresh"))
    said = {"verdict_id": "v1", "account_id": "acc_1", "target": case["incident_id"], "target_kind": "incident"}
    said |= {"verdict": "false_positive", "note": "<b>our rack</b>", "by": "Kim", "allow": 1, "state": "made"}
    said |= {"version": 1, "made_at": "2026-11-24T15:00:00.000Z"}
    for table, row in (("incidents", case), ("verdicts", said)):
        served.client.raw_insert(table, insert_block=json.dumps(row).encode(), fmt="JSONEachRow", settings=TIMES)
    page, complaints = await looked_at(browser, served.url + "/alerts/fresh")
    told = await page.inner_text("#incident-verdicts")
    assert "false positive by Kim: <b>our rack</b>" in told
    assert "let pass until withdrawn" in told
    assert await page.locator(f'#incident-verdicts a[href="/incidents/{case["incident_id"]}"]').count() == 1
    assert await page.locator("#verdicts").count() == 0  # nobody judged the alert by itself
    assert "Nobody has judged" not in await page.inner_text("section:has(#verdict-title)")

    said |= {"verdict_id": "v2", "target": "fresh", "target_kind": "alert", "verdict": "confirmed", "by": "Lee"}
    served.client.raw_insert("verdicts", insert_block=json.dumps(said).encode(), fmt="JSONEachRow", settings=TIMES)
    await page.goto(f"{served.url}/incidents/{case['incident_id']}")
    assert "confirmed by Lee" in await page.inner_text("#alert-verdicts")
    assert await page.locator('#alert-verdicts a[href="/alerts/fresh"]').count() == 1
    assert "false positive by Kim" in await page.inner_text("#verdicts")
    for lead in (
        '.timeline a[href="/alerts/fresh"]',
        'section:has(#about-title) a[href^="/devices/dev_1"]',
        '#panes-title a[href="/alerts/fresh"]',  # what was counted: of the gravest alert
    ):
        assert await page.locator(lead).count() == 1, lead
    assert complaints == []


@pytest.mark.parametrize("kind", ["alerts", "incidents"])
async def test_a_target_is_judged_on_its_page_and_by_keyboard(served, browser, kind: str) -> None:
    """What is asked of the API is what was chosen; what it answers is shown at once, and can be withdrawn."""
    add_alert(served.client, "fresh")
    case = incident(alert(alert_id="fresh"))
    served.client.raw_insert("incidents", insert_block=json.dumps(case).encode(), fmt="JSONEachRow", settings=TIMES)
    target = case["incident_id"] if kind == "incidents" else "fresh"
    page, complaints = await looked_at(browser, f"{served.url}/{kind}/{target}")
    asked_for: list[tuple[str, Any]] = []

    async def answered(route) -> None:
        asked_for.append((route.request.method, json.loads(route.request.post_data or "null")))
        made = {**(asked_for[-1][1] or {}), "verdict_id": "ver_1"}
        await route.fulfill(status=204 if made.keys() == {"verdict_id"} else 201, body=json.dumps(made))

    await page.route("**/v1/verdicts**", answered)
    await page.fill("#verdict [name=note]", "<b>our rack</b>")
    await page.check("#verdict [name=allow]")
    await page.focus("#verdict button[value=false_positive]")
    await page.keyboard.press("Enter")
    await becomes(page, "document.querySelector('#verdicts')?.textContent.includes('<b>our rack</b>')")
    said = {"target": target, "verdict": "false_positive", "note": "<b>our rack</b>", "by": "", "until": None}
    assert asked_for == [("POST", said | {"allow": True})]
    assert "let pass until withdrawn" in await page.inner_text("#verdicts")
    await page.click("#verdicts button >> text=Withdraw")
    await becomes(page, "!document.querySelector('#verdicts')")
    assert asked_for[1:] == [("DELETE", None)]
    assert complaints == []


async def test_what_is_held_can_be_replayed(served, browser) -> None:
    """The button asks the API for this one, and says what became of it."""
    hold(served.client, "aaaabbbb", "acc_1", "campaign.id: <b>missing</b>")
    page, _ = await looked_at(browser, served.url + "/health")
    assert "<b>missing</b>" in await page.inner_text("#quarantine")
    await page.click("#quarantine button >> text=Replay")
    await becomes(page, "document.getElementById('announcer').textContent.startsWith('1 replayed')")
    assert served.replayed == [["aaaabbbb"]]


async def test_nothing_flickers(served, browser) -> None:
    """A refresh touches what changed alone: nodes, focus, what is unfolded and the scroll of a table stay."""
    page, _ = await looked_at(browser, served.url)
    await page.evaluate(
        "() => { window.kept = [...document.querySelectorAll('#campaigns tr, .tiles dd, #time-chart, .map path')];"
        " document.querySelector('#campaigns .sort').focus(); }"
    )
    add_alert(served.client, "fresh")
    await becomes(page, "document.getElementById('open-alerts').textContent === '1'")
    assert await page.evaluate("window.kept.every(node => node.isConnected)")
    assert await page.evaluate("document.activeElement.className") == "sort"


async def test_a_phone_reaches_every_column_by_keyboard(served, browser) -> None:
    """On a narrow screen the page does not scroll sideways; a table does, with the arrow keys, to its interval."""
    page, _ = await looked_at(browser, served.url)
    await page.set_viewport_size({"width": 320, "height": 700})
    await becomes(page, "document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".scroll:has(#campaigns)")
    await box.focus()
    inside = """box => {
        const at = box.querySelector("tbody tr > :last-child").getBoundingClientRect();
        const around = box.getBoundingClientRect();
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
    await page.wait_for_selector(".map path")
    assert await page.evaluate("document.getAnimations().length") == 0
    moving = "[...document.querySelectorAll('main *')].filter(n => getComputedStyle(n).animationName !== 'none').length"
    assert await page.evaluate(moving) == 0
    assert await page.get_by_role("main").count() == 1
    assert await page.get_by_role("banner").count() == 1
    names = ["Totals", "Click-through rate over time", "Fraud alerts", "Campaigns", "Places", "Platforms", "Materials"]
    for name in (*names, "Countries", "Pipeline health"):
        assert await page.get_by_role("region", name=name, exact=True).count() == 1, name
    levels = await page.eval_on_selector_all("h1, h2, h3", "nodes => nodes.map(n => Number(n.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    await page.reload()
    await page.wait_for_selector("#time-chart path.line", state="attached", timeout=60_000)
    drawn_ms = await page.evaluate("performance.now()")
    record_property("load_ms", round(drawn_ms))
    print(f"live page drawn {drawn_ms:.0f} ms after the load began")  # noqa: T201 - pytest -rP shows it
