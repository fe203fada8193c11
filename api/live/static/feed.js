// The alert feed: by server-sent events where the api offers them, else by asking again.
import { ago, count, el, moment, time } from "./format.js";

const shown = new Map();
const tidy = (text) => text.replaceAll("_", " ");
const number = (n) => (Number.isInteger(n) ? count(n) : n.toFixed(2));
let first = true;

export function showAlerts(rows) {
  const list = document.getElementById("alerts");
  const fresh = [];
  for (const row of rows) {
    const before = shown.get(row.alert_id);
    if (!before) fresh.push(row);
    if (before?.stamp !== stamp(row)) shown.set(row.alert_id, { stamp: stamp(row), row, item: item(row, before?.item) });
  }
  const wanted = new Set(rows.map((row) => row.alert_id));
  for (const id of [...shown.keys()]) if (!wanted.has(id)) shown.delete(id);
  const order = rows.map((row) => shown.get(row.alert_id).item);
  if (order.length !== list.children.length || order.some((node, i) => list.children[i] !== node)) {
    list.replaceChildren(...order);
  }
  document.getElementById("no-alerts").hidden = rows.length > 0;
  list.hidden = rows.length === 0;
  if (!first) announce(fresh);
  first = false;
}

export function tellAges() {
  for (const { row, item } of shown.values()) {
    item.querySelector("time").textContent = ago(Date.now() - time(row.updated_at));
  }
}

export const forget = () => { first = true; shown.clear(); };

const stamp = (row) => `${row.state} ${row.updated_at} ${row.observed}`;

function announce(rows) {
  if (!rows.length) return;
  const said = rows.slice(0, 3).map((row) => `${row.severity}: ${tidy(row.rule)}, ${row.subject_kind} ${row.subject}`);
  document.getElementById("announcer").textContent = `New alert. ${said.join(". ")}`;
}

function item(row, before) {
  const open = row.state !== "closed";
  const opened = before?.querySelector("details")?.open;
  const state = el("span", { class: "state", "data-open": open ? "yes" : "no" }, open ? "open" : "closed");
  const when = el("time", { datetime: new Date(time(row.updated_at)).toISOString(), title: moment(time(row.updated_at)) });
  when.textContent = ago(Date.now() - time(row.updated_at));
  const details = el("details", {}, el("summary", {}, "Evidence"), el("pre", {}, evidence(row)));
  if (opened) details.open = true;
  return el("li", { "data-severity": row.severity, "data-alert": row.alert_id },
    el("p", { class: "headline" }, `${tidy(row.rule)} · ${row.severity}`, state),
    el("p", {}, `${row.subject_kind} ${row.subject}`),
    el("p", { class: "small" }, `${number(row.observed)} seen, ${number(row.expected)} expected · ${row.account_id} · `, when),
    details);
}

function evidence(row) {
  try {
    const found = typeof row.evidence === "string" ? JSON.parse(row.evidence) : row.evidence;
    return JSON.stringify(found, null, 1);
  } catch {
    return String(row.evidence);
  }
}
