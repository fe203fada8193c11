// How the pipeline is: stages, what waits, what is held back, who is told; and the audit of logins.
import { ask, perhaps, tell } from "./api.js";
import { el } from "./dom.js";
import { tile } from "./figures.js";
import { ago, count, moment, span, tidy, time } from "./format.js";
import { slice } from "./state.js";
import { table } from "./table.js";
import { term } from "./words.js";

const FIGURES = {
  sori_ingest_spool_events: ["Spool", (n) => `${count(n)} events`], sori_ingest_spool_oldest_seconds: ["Oldest in the spool", (n) => span(n * 1000)],
  sori_ingest_spool_parked_events: ["Refused by Kafka for good", (n) => count(n)], sori_ingest_kafka_direct: ["Straight to Kafka", (n) => (n ? "yes" : "no: spooled")],
  sori_ingest_since_ack_seconds: ["Since Kafka's last answer", (n) => span(n * 1000)], sori_streams_lag_records: ["Lag", (n) => `${count(n)} records`],
  sori_streams_uncommitted_seconds: ["Oldest uncommitted work", (n) => span(n * 1000)], sori_sinks_lag_records: ["Lag", (n) => `${count(n)} records`],
  sori_sinks_uncommitted_seconds: ["Oldest row not stored", (n) => span(n * 1000)], sori_sinks_stopped: ["A sink stands still", (n) => (n ? "yes" : "no")],
  sori_notify_queue_oldest_seconds: ["Oldest waiting alert", (n) => span(n * 1000)],
};

// A stage that does not answer is told with the last state that it had, and how long ago.
const told = (one) => (one.state !== "unreachable" ? one.state : one.last_state ? `no answer; ${one.last_state} ${ago(Date.now() - one.seen_ms)}` : "not seen yet");
export function stages(found) {
  const away = found.filter(({ state }) => state === "not ready").map(({ name }) => name), quiet = found.filter(({ state }) => state === "unreachable").map(({ name }) => name);
  const said = !found.length ? "No stage to ask: see api.stages." : away.length ? `Not ready: ${away.join(", ")}.` : quiet.length ? `${count(found.length - quiet.length)} of ${count(found.length)} stages answer.` : `All ${found.length} stages are ready.`;
  return [el("p", { id: "stages-summary", class: "small", role: "status" }, said),
    el("ul", { id: "stages", class: "stages" }, found.map((one) => el("li", { "data-state": one.state, "data-stage": one.name, "data-key": one.name }, `${one.name} `, el("b", {}, told(one)), one.detail && one.state === "not ready" ? el("span", { class: "who" }, one.detail) : null)))];
}

let chosen = null; // the subscription whose attempts are shown
let said = "";
let pages = 1;
export const forget = () => { chosen = null; said = ""; pages = 1; };

export async function load() {
  const asked = slice(), within = new URLSearchParams([...asked].filter(([name]) => ["range", "since", "until", "account"].includes(name)));
  const held = new URLSearchParams(within);
  held.set("limit", Math.min(1000, 50 * pages));
  const since = asked.get("since") ?? asked.get("range");
  const [health, body, quarantine, subscriptions, attempts] = await Promise.all([
    ask("/v1/health"), ask("/v1/live", new URLSearchParams([...within, ["rows", 1]])), ask("/v1/quarantine", held), perhaps("/v1/subscriptions"),
    chosen ? perhaps(`/v1/subscriptions/${encodeURIComponent(chosen)}/attempts`, new URLSearchParams({ since, limit: 200 })) : null]);
  return { health, body, quarantine, subscriptions, attempts, since };
}
export const title = () => "Health";

export function view({ health, body, quarantine, subscriptions, attempts, since }) {
  const { pulse } = body;
  return [el("h1", { class: "unseen" }, "Health"),
    el("section", { class: "wide", "data-key": "tiles", "aria-label": "Freshness" }, el("dl", { class: "tiles" },
      tile("Last event received", "last-event", pulse.last_received_ms > 0 ? ago(body.now_ms - pulse.last_received_ms) : "none in this time", pulse.last_received_ms),
      tile("Events in the last minute", "rate", count(pulse.events_last_minute), pulse.events_last_minute), tile("Late", "late", count(pulse.late), pulse.late),
      tile("Quarantine", "quarantined", count(pulse.quarantined), pulse.quarantined), tile("Open alerts", "open-alerts", count(pulse.open_alerts), pulse.open_alerts))),
    el("section", { class: "wide card", "aria-labelledby": "stages-title", "data-key": "stages" }, el("h2", { id: "stages-title" }, "Stages"), stages(health.stages),
      el("div", { class: "figures" }, health.stages.filter((one) => Object.keys(one.figures ?? {}).length).map((one) => el("div", { "data-key": one.name }, el("h3", {}, one.name),
        el("dl", { class: "facts" }, Object.entries(one.figures).filter(([name]) => FIGURES[name]).map(([name, n]) => el("div", { "data-metric": name }, el("dt", {}, term(FIGURES[name][0])), el("dd", {}, FIGURES[name][1](n))))))))),
    table("quarantine", "Quarantine", [
      { name: "Received", value: (row) => time(row.received_at), text: (row) => moment(time(row.received_at)) },
      { name: "Reason", value: (row) => row.reason, text: (row) => tidy(row.reason) },
      { name: "Detail", value: (row) => row.detail, node: (row) => [row.detail, el("details", {}, el("summary", {}, "Body"), el("pre", {}, row.body))] },
      { name: "Account", value: (row) => row.account_id, text: (row) => row.account_id || "–" },
      { name: "Id", value: (row) => row.id, text: (row) => row.id.slice(0, 12) },
      { name: "Replay", node: (row) => (row.id ? el("button", { type: "button", "aria-label": `Replay ${row.id.slice(0, 12)}`, onclick: () => void act(() => replay([row.id])) }, "Replay") : "–") },
    ], quarantine.rows, { wide: true, note: said || "Kept with its reason. Mend the cause, then replay: an event counts once, however often it is replayed.", empty: "Nothing was held back in this time.", more: quarantine.next ? () => { pages += 1; dispatchEvent(new Event("refresh")); } : null }),
    subscribers(subscriptions, attempts, since)];
}

async function act(task) {
  try { said = await task(); } catch (error) { said = `Refused: ${error.message}`; }
  document.getElementById("announcer").textContent = said;
  dispatchEvent(new Event("refresh"));
}
async function replay(ids) {
  const { landed, refused } = await tell("/v1/quarantine/replay", { ids });
  return [landed.length ? `${count(landed.length)} replayed.` : "", ...refused.map((one) => `${one.id.slice(0, 12)} is still refused: ${one.detail}.`)].join(" ");
}

function subscribers(found, attempts, since) {
  if (!found) return el("section", { class: "wide card", "data-key": "subscribers" }, el("h2", {}, "Subscribers"), el("p", { class: "small" }, "Not to be had now: this API is not connected to Kafka."));
  const from = /^\d+[smhd]$/.test(since) ? new Date(Date.now() - Number(since.slice(0, -1)) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[since.at(-1)]).toISOString() : since;
  const again = (row) => act(async () => { await tell(`/v1/subscriptions/${encodeURIComponent(row.id)}/redeliver`, { since: from }); return `Alerts since ${moment(Date.parse(from))} go to ${row.name || row.id} again.`; });
  return [table("subscribers", "Subscribers", [
    { name: "Subscriber", value: (row) => row.name || row.id, node: (row) => [row.name || row.id, el("span", { class: "who" }, `${row.url} · ${row.format}`)] },
    { name: "Status", value: (row) => row.status, text: (row) => row.status },
    { name: "Waiting", number: true, value: (row) => row.waiting, text: (row) => count(row.waiting) },
    { name: "Accounts", value: (row) => row.accounts?.join(" ") ?? "all", text: (row) => row.accounts?.join(", ") ?? "all" },
    { name: "Attempts", node: (row) => el("button", { type: "button", "aria-label": `Attempts of ${row.name || row.id}`, onclick: () => { chosen = row.id; dispatchEvent(new Event("refresh")); } }, "Show") },
    { name: "Redeliver", node: (row) => el("button", { type: "button", "aria-label": `Redeliver this time's alerts to ${row.name || row.id}`, onclick: () => void again(row) }, "Redeliver") },
  ], found.subscriptions, { wide: true, empty: "Nobody is told of alerts yet: sori subscribers add https://…", note: "Redeliver sends the alerts of the chosen time once more, with the same ids." }),
  attempts ? table("attempts", `Attempts for ${chosen}`, [
    { name: "When", value: (row) => time(row.attempted_at), text: (row) => moment(time(row.attempted_at)) }, { name: "Outcome", value: (row) => row.outcome, text: (row) => row.outcome },
    { name: "Status", number: true, value: (row) => row.status, text: (row) => (row.status ? String(row.status) : "no answer") }, { name: "Error", value: (row) => row.error, text: (row) => row.error || "–" },
    { name: "Took", number: true, value: (row) => row.duration_ms, text: (row) => span(row.duration_ms) }, { name: "Alert", value: (row) => row.alert_id, node: (row) => (row.alert_id ? el("a", { href: `/alerts/${encodeURIComponent(row.alert_id)}` }, row.alert_id.slice(0, 8)) : "test") },
    { name: "Next", value: (row) => row.next_attempt_at, text: (row) => (row.next_attempt_at ? moment(time(row.next_attempt_at)) : "–") }], attempts.rows, { wide: true }) : null];
}

export async function loadAudit() {
  const within = new URLSearchParams([...slice()].filter(([name]) => ["range", "since", "until", "account"].includes(name)));
  within.set("limit", 1000);
  return { audit: await ask("/v1/audit", within) };
}
export const auditTitle = () => "Audit";
const CLASSES = { matched: "Both sides agree", mismatched: "Same session, something differs", only_in_sori: "Only SORI knows it", only_in_own: "Only you know it" };
export const auditView = ({ audit }) => [
  el("div", { class: "wide heading" }, el("h1", {}, "Audit of authentications"), el("p", { class: "small" }, "Logins that SORI reported, beside your own session records. Load yours with ", el("code", {}, "sori audit import FILE"), ".")),
  el("section", { class: "wide", "data-key": "tiles", "aria-label": "Counts" }, el("dl", { class: "tiles" }, Object.entries(CLASSES).map(([name, words]) => tile(words, name, count(audit.counts[name]), audit.counts[name])))),
  table("logins", "Logins", [
    { name: "Login", value: (row) => row.session || row.device_id, text: (row) => row.session || row.device_id || "–" }, { name: "Class", value: (row) => row.class, text: (row) => CLASSES[row.class] },
    { name: "Account", value: (row) => row.account_id, text: (row) => row.account_id }, { name: "Device", value: (row) => row.device_id, text: (row) => row.device_id || "–" },
    { name: "In SORI", value: (row) => row.login_at, text: (row) => (row.login_at ? moment(time(row.login_at)) : "–") }, { name: "In your records", value: (row) => row.own_at, text: (row) => (row.own_at ? moment(time(row.own_at)) : "–") },
    { name: "Differs in", value: (row) => row.differs.join(" "), text: (row) => row.differs.join(", ") || "–" }], audit.rows, { wide: true, note: "What does not match comes first.", empty: "No login in this time, on either side." })];
