// The console: reads the address, asks, shows, and asks again; nothing is asked while nobody looks.
import * as alerts from "./alerts.js";
import { ask, perhaps, token } from "./api.js";
import { measure } from "./chart.js";
import { el, show } from "./dom.js";
import { ago, tidy } from "./format.js";
import * as health from "./health.js";
import * as incident from "./incident.js";
import * as overview from "./overview.js";
import { CHIPS, go, here, link, RANGES, slice, without } from "./state.js";
import * as subject from "./subject.js";

const LIVE_MS = 5000;
const byId = (id) => document.getElementById(id);
const PAGES = {
  "": { ...overview, name: "Overview", path: "/" }, alerts: { ...alerts, name: "Alerts", path: "/alerts" },
  incidents: { load: incident.loadIncidents, view: incident.incidentsView, title: incident.incidentsTitle, name: "Incidents", path: "/incidents" },
  health: { ...health, name: "Health", path: "/health" }, audit: { load: health.loadAudit, view: health.auditView, title: health.auditTitle, name: "Audit", path: "/audit" },
  campaigns: subject, places: subject, devices: subject,
};
const ONE = {
  alerts: { load: incident.loadAlert, view: incident.alertView, title: incident.alertTitle, still: true },
  incidents: { load: incident.loadIncident, view: incident.incidentView, title: incident.incidentTitle, still: true },
};
let shown = null; // {page, data}
let pulse = null; // the last answer with a pulse, and by how much our clock is ahead of the server's
let accounts = [];
let open = null;
let asking = 0;
let trouble = "";
let stream = null;

const pageOf = () => { const { page, parts } = here(); return (parts.length ? ONE[page] : null) ?? PAGES[page] ?? PAGES[""]; };

async function refresh() {
  const page = pageOf(), mine = ++asking, address = location.href;
  try {
    const data = await page.load();
    if (mine !== asking || address !== location.href) return;
    shown = { page, data, address };
    trouble = "";
    if (data.body) took(data.body);
    else if (!pulse || Date.now() - pulse.at > 4 * LIVE_MS) took(await ask("/v1/live", new URLSearchParams({ range: "1h", rows: 1 })));
    render();
    if (data.alerts) alerts.announce(data.alerts);
  } catch (error) {
    if (mine !== asking) return;
    trouble = `The page cannot refresh: ${error.message}. It keeps trying.`;
  }
  tellTrouble();
  void countIncidents();
}

function took(body) {
  pulse = { ...body.pulse, now_ms: body.now_ms, skew: Date.now() - body.now_ms, at: Date.now() };
  accounts = body.accounts;
  // An event source cannot carry a token: whoever needs one is served by asking again.
  if (body.stream && !stream && !token()) follow();
}

let counted = 0;
async function countIncidents() {
  if (Date.now() - counted < 2 * LIVE_MS) return;
  counted = Date.now();
  const found = await perhaps("/v1/incidents", new URLSearchParams({ state: "open", limit: 100 })).catch(() => null);
  const rows = found?.rows ?? found?.incidents;
  open = rows?.length || (pulse?.open_alerts ?? null); // an alert may be of no incident yet
  tellTitle();
}

function follow() {
  stream = new EventSource("/v1/alerts/stream");
  for (const state of ["opened", "updated", "closed", "withdrawn"]) {
    // the stream is ahead of the database by one small insert
    stream.addEventListener(`fraud.alert.${state}`, () => { for (const pause of [200, 1500]) setTimeout(refresh, pause); });
  }
}

function render() {
  frame();
  if (shown?.address === location.href) {
    byId("main").removeAttribute("aria-busy");
    show(byId("main"), ...shown.page.view(shown.data));
    if (measure()) show(byId("main"), ...shown.page.view(shown.data));
  }
  tellTitle();
  tellFreshness();
}

function frame() {
  const { page, query, parts } = here();
  show(byId("nav"), ["", "alerts", "incidents", "health", "audit"].map((name) => el("a", { href: link(PAGES[name].path), "aria-current": name === page && !parts.length ? "page" : null }, PAGES[name].name)));
  const custom = query.has("since"), range = custom ? "custom" : slice().get("range"), account = query.get("account") ?? "";
  const names = [...new Set([...accounts, ...(account ? [account] : [])])];
  const hidden = ["incidents", "alerts"].includes(page) && parts.length > 0;
  show(byId("choices"), hidden ? [] : [
    el("label", { for: "account" }, "Account"),
    el("select", { id: "account", onchange: (event) => move({ account: event.currentTarget.value || null }) }, el("option", { value: "", selected: account === "" }, "all"), names.map((name) => el("option", { value: name, selected: name === account, "data-key": name }, name))),
    el("label", { for: "range" }, "Last"),
    el("select", { id: "range", onchange: (event) => (event.currentTarget.value === "custom" ? byId("times").showModal() : move({ range: event.currentTarget.value, since: null, until: null })) },
      Object.entries(RANGES).map(([name, words]) => el("option", { value: name, selected: name === range }, words)), el("option", { value: "custom", selected: custom }, "custom…")),
    times(query)]);
  const chips = [...CHIPS.flatMap((name) => query.getAll(name).map((value) => [name, value])), ...["state", "severity", "rule"].flatMap((name) => query.getAll(name).map((value) => [name, value]))];
  show(byId("chips"), [
    ...chips.map(([name, value]) => el("a", { class: "chip", href: without(name, value), "data-chip": name, "aria-label": `${name} ${value}: remove` }, `${name}: ${tidy(value) === "" ? "none" : value} ✕`)),
    custom ? el("a", { class: "chip", href: move.to({ since: null, until: null }), "data-chip": "time", "aria-label": "Chosen time: remove" }, `${when(query.get("since"))} – ${query.has("until") ? when(query.get("until")) : "now"} ✕`) : null]);
}

const when = (text) => (Number.isNaN(Date.parse(text)) ? text : new Date(text).toLocaleString("en", { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" }));

function times(query) {
  const local = (text, back) => { const ms = Number.isNaN(Date.parse(text ?? "")) ? Date.now() - back : Date.parse(text); return new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 16); };
  const set = (event) => {
    event.preventDefault();
    const [since, until] = ["since", "until"].map((name) => new Date(byId(name).value).toISOString());
    byId("times").close();
    move({ range: null, since, until });
  };
  return el("dialog", { id: "times", "aria-label": "A time of your own" }, el("form", { onsubmit: set },
    el("label", { for: "since" }, "From"), el("input", { id: "since", type: "datetime-local", required: true, value: local(query.get("since"), 36e5) }),
    el("label", { for: "until" }, "until"), el("input", { id: "until", type: "datetime-local", required: true, value: local(query.get("until"), 0) }),
    el("button", {}, "Show"), el("button", { type: "button", onclick: () => { byId("times").close(); render(); } }, "Cancel")));
}

const move = (changes) => go(move.to(changes));
move.to = (changes) => link(location.pathname, changes, here().query.getAll("part").map((part) => ["part", part]));

function tellTitle() {
  const name = pageOf().title(shown?.address === location.href ? shown.data : null);
  document.title = `${open ? `(${open}) ` : ""}${name} · SORI`;
}

function tellFreshness() {
  if (!pulse) return;
  const age = Date.now() - pulse.skew - pulse.last_received_ms, answered = Date.now() - pulse.at;
  const state = answered > 6 * LIVE_MS || trouble ? "stale" : pulse.last_received_ms > 0 && age < 30000 ? "fresh" : "quiet";
  const text = state === "stale" ? `stale: last answer ${ago(answered)}` : pulse.last_received_ms > 0 ? `${state}: last event ${ago(age)}` : "quiet: no events in this time";
  const pill = byId("freshness");
  if (pill.textContent !== text) pill.textContent = text;
  pill.dataset.state = state;
}

function tellTrouble() {
  if (byId("trouble").textContent !== trouble) byId("trouble").textContent = trouble;
  byId("trouble").hidden = trouble === "";
}

function moved() {
  alerts.forget();
  subject.forget();
  health.forget();
  shown = null;
  byId("main").setAttribute("aria-busy", "true");
  frame();
  tellTitle();
  void refresh();
}

// A link within the console moves without loading anything again; the back button does, too.
addEventListener("click", (event) => {
  const a = event.target.closest("a");
  if (!a || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || a.origin !== location.origin || a.hasAttribute("download") || a.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  go(a.href);
  byId("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("popstate", moved);
addEventListener("moved", moved);
addEventListener("refresh", () => void refresh());
addEventListener("redraw", render);
addEventListener("resize", () => { if (measure()) render(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) void refresh(); });
byId("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value.trim());
  void refresh();
});
setInterval(tellFreshness, 1000);
(async function again() {
  if (!document.hidden && !(document.activeElement?.form?.id === "verdict" && shown)) await refresh();
  setTimeout(again, shown?.page.still ? 2 * LIVE_MS : LIVE_MS);
})();
frame();
