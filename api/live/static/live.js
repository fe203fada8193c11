// Asks, draws, and asks again; nothing is asked while nobody looks.
import { drawTime, summary } from "./charts.js";
import { forget, showAlerts, tellAges } from "./feed.js";
import { ago, count, el, moment, put, rate } from "./format.js";
import { fillTable } from "./tables.js";

const LIVE_MS = 5000;
const ALERTS_MS = 2000;
const range = document.getElementById("range");
const account = document.getElementById("account");
let latest = null;
let stream = null;

async function ask(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${path}?${query}`, { headers, signal: AbortSignal.timeout(20000) });
  const body = await answer.json();
  document.getElementById("entrance").hidden = answer.status !== 401;
  if (!answer.ok) throw new Error(body.detail ?? answer.statusText);
  return body;
}

async function refresh() {
  const asked = [range.value, account.value];
  const body = await ask("/v1/live", { range: range.value, account: account.value });
  if (asked.join() !== [range.value, account.value].join()) return;
  latest = { ...body, skew: Date.now() - body.now_ms };
  await show(latest);
  // An event source cannot carry a token: whoever needs one is served by asking again.
  if (body.stream && !stream && !sessionStorage.getItem("token")) follow();
}

async function refreshAlerts() {
  const asked = [range.value, account.value].join();
  const body = await ask("/v1/alerts", { since: range.value, account: account.value, limit: 50 });
  if (asked === [range.value, account.value].join()) showAlerts(body.rows);
}

function follow() {
  stream = new EventSource("/v1/alerts/stream");
  for (const state of ["opened", "updated", "closed"]) {
    stream.addEventListener(`fraud.alert.${state}`, () => {
      // the stream is ahead of the database by one small insert
      for (const pause of [0, 500, 1500]) setTimeout(() => attempt(refreshAlerts), pause);
    });
  }
}

async function show(body) {
  const { totals, pulse } = body;
  put("impressions", count(totals.impressions), totals.impressions);
  put("clicks", count(totals.clicks), totals.clicks);
  put("ctr", totals.impressions ? rate(totals.ctr) : "–", totals.ctr);
  put("ctr-interval", totals.impressions ? `${rate(totals.ctr_low)} to ${rate(totals.ctr_high)}` : "no impressions yet");
  put("open-alerts", count(pulse.open_alerts), pulse.open_alerts).dataset.state = pulse.open_alerts ? "bad" : "";
  put("rate", count(pulse.events_last_minute), pulse.events_last_minute);
  put("late", count(pulse.late), pulse.late);
  put("quarantined", count(pulse.quarantined), pulse.quarantined);
  put("suspect", count(totals.suspect_clicks), totals.suspect_clicks);
  fillTable("campaigns", "Campaign", body.campaigns, (row) => [row.campaign_name || row.campaign_id || "no campaign", `${row.account_id} · ${row.campaign_id}`]);
  fillTable("places", "Place", body.places, (row) => [row.city, `${row.region}, ${row.country} · ${row.account_id}`]);
  fillTable("platforms", "Platform", body.platforms, (row) => [row.platform, ""]);
  showStages(body.stages);
  offerAccounts(body.accounts);
  put("time-summary", summary(body.series, totals));
  tellFreshness();
  await drawTime(body.series, body.bucket_s);
}

function showStages(stages) {
  const away = stages.filter(({ state }) => state !== "ready").map(({ name }) => name);
  put("stages-summary", !stages.length ? "No stage to ask: see api.stages."
    : away.length ? `Not ready: ${away.join(", ")}.` : `All ${stages.length} stages are ready.`);
  document.getElementById("stages").replaceChildren(...stages.map(({ name, state, detail }) =>
    el("li", { "data-state": state, "data-stage": name }, `${name} `, el("b", {}, state), detail ? el("span", { class: "who" }, detail) : "")));
}

function offerAccounts(names) {
  const have = [...account.options].slice(1).map((option) => option.value);
  const want = account.value && !names.includes(account.value) ? [...names, account.value] : names;
  if (have.join("\n") === want.join("\n")) return;
  const chosen = account.value;
  account.replaceChildren(el("option", { value: "" }, "all"), ...want.map((name) => el("option", { value: name }, name)));
  account.value = chosen;
}

function tellFreshness() {
  if (!latest) return;
  const received = latest.pulse.last_received_ms;
  const age = Date.now() - latest.skew - received;
  const answered = Date.now() - latest.skew - latest.now_ms;
  const state = answered > 3 * LIVE_MS ? "stale" : received > 0 && age < 30000 ? "fresh" : "quiet";
  const text = state === "stale" ? `stale: no answer for ${ago(answered).replace(" ago", "")}`
    : received > 0 ? `${state}: last event ${ago(age)}` : "quiet: no events in this time";
  put("freshness", text).dataset.state = state;
  put("last-event", received > 0 ? moment(received) : "none in this time", received);
}

const troubles = new Map();

async function attempt(task) {
  try {
    await task();
    troubles.delete(task);
  } catch (error) {
    troubles.set(task, error.message);
  }
  const [said] = troubles.values();
  const text = said === undefined ? "" : `The page cannot refresh: ${said}. It keeps trying.`;
  put("trouble", text).hidden = !text;
}

async function again(task, pause) {
  if (!document.hidden) await attempt(task);
  setTimeout(() => again(task, pause), pause());
}

function changed() {
  forget();
  void attempt(refresh);
  void attempt(refreshAlerts);
}

document.getElementById("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", document.getElementById("token").value.trim());
  changed();
});
range.addEventListener("change", changed);
account.addEventListener("change", changed);
document.addEventListener("visibilitychange", () => { if (!document.hidden) changed(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (latest) void show(latest); });
setInterval(() => { tellFreshness(); tellAges(); }, 1000);
void again(refresh, () => LIVE_MS);
void again(refreshAlerts, () => (stream?.readyState === EventSource.OPEN ? 5 * ALERTS_MS : ALERTS_MS));
