// Alerts: the feed beside the figures, and the page of all of them.
import { ask } from "./api.js";
import { el } from "./dom.js";
import { ago, count, moment, tidy, time } from "./format.js";
import { here, slice, to } from "./state.js";
import { table } from "./table.js";
import { deviceLink } from "./figures.js";

export const isOpen = (row) => row.state !== "closed" && row.state !== "withdrawn";
// The sentence that the pipeline tells of an alert; else, what is in its record.
const stories = new Map(); // what the pipeline tells of an alert, by its id
export const keep = (found) => { for (const row of found?.rows ?? []) row.incident_id ??= found.incidents?.[row.alert_id]; for (const [id, story] of Object.entries(found?.stories ?? {})) stories.set(id, story); return found; };
export const sentence = (row) => stories.get(row.alert_id)
  || `${row.subject_kind === "device" ? "Device" : row.subject_kind === "place" ? "Place" : "Campaign"} ${row.subject}: ${tidy(row.rule)}, ${count(row.observed)} seen, ${row.expected < 1 ? "less than 1" : count(row.expected)} expected`;

export function feed(rows) {
  return el("section", { class: "feed", "aria-labelledby": "alerts-title", "data-key": "feed" },
    el("h2", { id: "alerts-title" }, el("a", { href: to("alerts", []) }, "Fraud alerts")),
    rows.length ? null : el("p", { id: "no-alerts", class: "small" }, "No alert in this time. Nothing to do."),
    rows.length ? el("ol", { id: "alerts", tabindex: "0", "aria-labelledby": "alerts-title" }, rows.slice(0, 50).map(item)) : null);
}

const item = (row) => el("li", { "data-severity": row.severity, "data-alert": row.alert_id, "data-key": row.alert_id },
  el("p", { class: "headline" }, el("a", { href: to("alerts", [row.alert_id]) }, sentence(row)), el("span", { class: "state", "data-open": isOpen(row) ? "yes" : "no" }, isOpen(row) ? "open" : row.state)),
  el("p", { class: "small" }, `${tidy(row.rule)} · ${row.severity} · ${row.account_id} · `, when(row)));

const when = (row) => el("time", { datetime: new Date(time(row.updated_at)).toISOString(), title: moment(time(row.updated_at)) }, ago(Date.now() - time(row.updated_at)));

let seen = null;
export function announce(rows) {
  const fresh = seen === null ? [] : rows.filter((row) => !seen.has(row.alert_id));
  seen = new Set([...(seen ?? []), ...rows.map((row) => row.alert_id)]);
  if (fresh.length) document.getElementById("announcer").textContent = `New alert. ${fresh.slice(0, 3).map((row) => `${row.severity}: ${sentence(row)}`).join(". ")}`;
}

let pages = 1;
export const forget = () => { pages = 1; seen = null; };
const FILTERS = ["state", "severity", "rule", "place"];

export async function load() {
  const asked = slice(), wanted = new URLSearchParams();
  for (const name of ["account", "campaign", "device", "until"]) for (const value of asked.getAll(name)) wanted.append(name, value);
  for (const name of FILTERS) for (const value of here().query.getAll(name)) wanted.append(name, value);
  wanted.set("since", asked.get("since") ?? asked.get("range"));
  wanted.set("limit", 200);
  let rows = [], next = null;
  for (let page = 0; page < pages; page += 1) {
    if (next) wanted.set("cursor", next);
    const found = keep(await ask("/v1/alerts", wanted));
    rows = [...rows, ...found.rows];
    next = found.next;
    if (!next) break;
  }
  return { alerts: rows, next };
}

export const title = () => "Alerts";

export function view({ alerts, next }) {
  const open = alerts.filter(isOpen).length;
  return [el("div", { class: "wide heading" }, el("h1", {}, "Alerts"), el("p", { class: "small" }, `${count(open)} open, ${count(alerts.length)} in this time${next ? ", and older ones" : ""}.`)),
    list("all-alerts", "Alerts", alerts, { more: next ? () => { pages += 1; dispatchEvent(new Event("refresh")); } : null })];
}

const WEIGHT = { low: 0, medium: 1, high: 2, critical: 3 };
export const list = (id, name, rows, options = {}) => table(id, name, [
  { name: "Alert", value: (row) => sentence(row), node: (row) => [el("a", { href: to("alerts", [row.alert_id]) }, sentence(row)), el("span", { class: "who" }, `${row.account_id} · ${row.alert_id.slice(0, 8)}`, row.incident_id ? [" · ", el("a", { href: to("incidents", [row.incident_id]) }, `incident ${row.incident_id.slice(0, 8)}`)] : null)] },
  { name: "Rule", value: (row) => row.rule, text: (row) => tidy(row.rule) },
  { name: "Severity", value: (row) => WEIGHT[row.severity] ?? -1, text: (row) => row.severity },
  { name: "State", value: (row) => row.state, text: (row) => (isOpen(row) ? "open" : row.state) },
  { name: "Subject", value: (row) => row.subject, node: (row) => subject(row) },
  { name: "Seen", term: "Observed", number: true, value: (row) => row.observed, text: (row) => count(row.observed) },
  { name: "Expected", term: "Expected", number: true, value: (row) => row.expected, text: (row) => count(row.expected) },
  { name: "Opened", value: (row) => time(row.opened_at), text: (row) => moment(time(row.opened_at)) },
  { name: "Changed", value: (row) => time(row.updated_at), text: (row) => moment(time(row.updated_at)) },
], rows, { wide: true, empty: "No alert in this time. Nothing to do.", ...options });

export function subject(row) {
  if (row.subject_kind === "device") return deviceLink(row.account_id, row.subject);
  if (row.subject_kind === "campaign") return el("a", { href: to("campaigns", [row.subject], { account: row.account_id }) }, row.subject);
  const [country, region, ...city] = row.subject.split("/");
  const plain = (part) => (part ?? "").replaceAll("%2F", "/").replaceAll("%25", "%");
  return el("a", { href: to("places", [plain(country), plain(region), city.join("/")], { account: row.account_id }) }, row.subject);
}
