// One alert or one incident, at an address that messages link to: what, since when, by which rule, and what to do about it.
import { keep, list, isOpen, sentence, subject } from "./alerts.js";
import { ask, perhaps, tell } from "./api.js";
import { el, svg } from "./dom.js";
import { campaignLink, deviceLink } from "./figures.js";
import { count, moment, tidy, time } from "./format.js";
import { here, link, to } from "./state.js";
import { eventColumns } from "./subject.js";
import { table } from "./table.js";
import { term } from "./words.js";

export async function loadAlert() {
  const [id] = here().parts;
  const story = await ask(`/v1/alerts/${encodeURIComponent(id)}`, new URLSearchParams({ events: 200 }));
  keep({ stories: { [story.alert.alert_id]: story.story } });
  story.alert.incident_id ??= story.incident_id;
  const { alert } = story, opened = time(alert.opened_at);
  const around = new URLSearchParams({ account: alert.account_id, since: new Date(opened - 36e5).toISOString(), until: new Date(time(alert.closed_at ?? alert.updated_at) + 36e5).toISOString(), limit: 100 });
  const [incident, related] = await Promise.all([
    alert.incident_id ? perhaps(`/v1/incidents/${encodeURIComponent(alert.incident_id)}`) : null, perhaps("/v1/alerts", around).then(keep)]);
  const rows = incident?.alerts ?? related?.rows ?? [];
  return { ...story, incident: incident?.incident ?? incident, related: rows.filter((row) => row.alert_id !== alert.alert_id) };
}

const verdictsOf = async (target) => (await perhaps("/v1/verdicts", new URLSearchParams({ target })))?.rows ?? null;

export const alertTitle = (data) => (data ? sentence(data.alert) : "Alert");

export function alertView({ alert, evidence, states, pane_s, panes, rule, events, incident, related, verdicts, incident_verdicts: ofIncident }) {
  return [
    el("div", { class: "wide heading" },
      el("p", { class: "small" }, el("a", { href: to("alerts", []) }, "Alerts"), " / ", alert.alert_id),
      el("h1", {}, sentence(alert)),
      el("p", {}, el("b", { class: "state", "data-open": isOpen(alert) ? "yes" : "no" }, isOpen(alert) ? "open" : alert.state), ` · ${alert.severity} · `, alert.invalid_traffic_class ? [term(alert.invalid_traffic_class), " · "] : "", "account ", el("a", { href: to("", [], { account: alert.account_id }) }, alert.account_id), ` · ${alert.subject_kind} `, subject(alert)),
      alert.incident_id ? el("p", {}, "Part of ", el("a", { href: to("incidents", [alert.incident_id]) }, incident?.story || `incident ${alert.incident_id.slice(0, 8)}`)) : null),
    el("section", { class: "table", "aria-labelledby": "timeline-title", "data-key": "timeline" }, el("h2", { id: "timeline-title" }, "Timeline"),
      el("ol", { class: "timeline" }, states.map((row) => el("li", {}, el("b", {}, row.state), ` ${moment(time(row.updated_at))}`, el("span", { class: "small" }, `${count(row.observed)} seen, ${count(row.expected)} expected · ${row.severity}`))))),
    verdictBox(alert.alert_id, verdicts, { ofIncident }),
    paneChart(panes, pane_s, alert),
    ruleBox(alert, rule),
    evidenceBox(alert, evidence),
    table("raw-events", "Raw events", eventColumns, events.map((row) => ({ ...row, account_id: alert.account_id })), { wide: true, note: "The events behind the alert, those that it names first." }),
    list("related", alert.incident_id && incident ? "Alerts of the same incident" : "Other alerts of this account at the time", related, { empty: "None." }),
  ];
}

function paneChart(panes, paneS, alert, whose = ["the subject"]) {
  const kinds = ["impressions", "clicks", "authentications"].filter((name) => panes.some((row) => row[name] > 0));
  const section = (...inside) => el("section", { class: "wide card", "aria-labelledby": "panes-title", "data-key": "panes" }, el("h2", { id: "panes-title" }, "What ", whose, " did, per ", term("Pane", `${paneS} seconds`)), ...inside);
  if (!panes.length) return section(el("p", { class: "small" }, "The raw events of this time are no longer, or not yet, stored."));
  const most = Math.max(1, ...panes.flatMap((row) => kinds.map((name) => row[name]))), wide = 100 / Math.max(panes.length, 12);
  const [from, until] = [time(alert.window_start) / 1000, time(alert.window_end) / 1000];
  return section(
    el("div", { class: "panes", role: "img", "aria-label": `At most ${count(most)} in a pane` }, svg("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none" },
      panes.map((row, i) => [
        row.pane >= from && row.pane < until ? svg("rect", { class: "alarm", x: i * wide, y: 0, width: wide, height: 30 }) : null,
        kinds.map((name, k) => svg("rect", { class: `kind ${name}`, x: i * wide + (k * wide * 0.9) / kinds.length, y: 30 - (29 * row[name]) / most, width: (wide * 0.9) / kinds.length, height: (29 * row[name]) / most }, svg("title", {}, `${moment(row.pane * 1000)}: ${count(row[name])} ${name}`)))]).flat(2))),
    el("p", { class: "small" }, kinds.map((name) => [el("span", { class: `key ${name}` }), ` ${name} `]), "· red: the strongest window"),
    el("details", {}, el("summary", {}, "As a table"), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Counts per pane" }, el("table", {}, el("thead", {}, el("tr", {}, ["Pane", ...kinds, "clicking devices"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, panes.map((row) => el("tr", {}, el("th", { scope: "row" }, moment(row.pane * 1000)), kinds.map((name) => el("td", { class: "number" }, count(row[name]))), el("td", { class: "number" }, count(row.clicking_devices)))))))));
}

const ruleBox = (alert, rule) => el("section", { class: "table", "aria-labelledby": "rule-title", "data-key": "rule" }, el("h2", { id: "rule-title" }, `The rule: ${tidy(alert.rule)}`),
  el("p", {}, rule?.statement.replaceAll("`", "") ?? "This API does not know the rules."),
  el("dl", { class: "facts" }, ["Observed", "Expected", "Floor"].map((name) => el("div", {}, el("dt", {}, term(name)), el("dd", {}, count(alert[name.toLowerCase()]))))),
  rule ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Thresholds" }, el("table", { id: "thresholds" }, el("thead", {}, el("tr", {}, ["Threshold", "Value", "Meaning"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rule.parameters.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name), el("td", {}, one.value === null ? "unset" : String(one.value) || "none"), el("td", { class: "prose" }, one.meaning.replaceAll("`", ""))))))) : null);

// Evidence: whatever maps names to numbers, or lists rows, is a table; the rest is told by name.
function evidenceBox(alert, evidence) {
  const entries = Object.entries(evidence), isRecord = (value) => value !== null && typeof value === "object";
  const shown = (name, value) => (name === "campaigns" || name === "campaign" ? campaignLink(alert.account_id, value) : name === "devices" || name === "device" ? deviceLink(alert.account_id, value) : String(value));
  const tables = entries.filter(([, value]) => isRecord(value)).map(([name, value]) => {
    const rows = Array.isArray(value) ? value.map((one) => (isRecord(one) ? Object.values(one).map(String) : [shown(name, one)])) : Object.entries(value).map(([key, one]) => [shown(name, key), isRecord(one) ? JSON.stringify(one) : typeof one === "number" ? count(one) : String(one)]);
    return rows.length ? el("details", { open: rows.length <= 12 }, el("summary", {}, `${tidy(name)} (${rows.length})`), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": tidy(name) }, el("table", {}, el("tbody", {}, rows.slice(0, 200).map((row) => el("tr", {}, row.map((one, i) => el(i ? "td" : "th", i ? {} : { scope: "row" }, one)))))))) : null;
  });
  return el("section", { class: "table", "aria-labelledby": "evidence-title", "data-key": "evidence" }, el("h2", { id: "evidence-title" }, "Evidence"),
    el("dl", { class: "facts" }, entries.filter(([, value]) => !isRecord(value)).map(([name, value]) => el("div", {}, el("dt", {}, tidy(name)), el("dd", {}, typeof value === "number" ? (Number.isInteger(value) ? count(value) : value.toPrecision(3)) : String(value))))), tables);
}

// What was said here a moment ago: it takes a second until it is stored.
const fresh = new Map();
const current = (target, stored) => (fresh.has(target) && Date.now() - fresh.get(target).at < 10000 ? fresh.get(target).rows : stored);

const words = (one) => [el("b", {}, tidy(one.verdict)), one.by ? ` by ${one.by}` : "", one.note ? `: ${one.note}` : "", one.allow ? el("span", { class: "small" }, ` let pass ${one.until ? `until ${moment(time(one.until))}` : "until withdrawn"} `) : " "];

// `ofIncident`: what was said of the incident that an alert is in, which judges the alert as long as nobody judged it alone.
// `ofAlerts`: what was said of single alerts of an incident, which does not judge the others.
export function verdictBox(target, stored, { whom = "a false positive's subject", ofIncident = [], ofAlerts = [] } = {}) {
  const box = (...inside) => el("section", { class: "table", "aria-labelledby": "verdict-title", "data-key": "verdict" }, el("h2", { id: "verdict-title" }, "Verdict"), ...inside);
  if (!stored) return box(el("p", { class: "small" }, "This API takes no verdicts on it yet, or not from this token."));
  const verdicts = current(target, stored);
  const said = (text, rows) => {
    document.getElementById("announcer").textContent = text;
    if (rows) fresh.set(target, { rows, at: Date.now() });
    dispatchEvent(new Event("refresh"));
  };
  const send = async (event) => {
    event.preventDefault();
    const form = event.currentTarget, output = form.querySelector("output"), value = (name) => form.elements[name].value.trim();
    try {
      const made = await tell("/v1/verdicts", { target, verdict: event.submitter?.value ?? "confirmed", note: value("note"), by: value("by"), until: value("until") ? new Date(value("until")).toISOString() : null, allow: form.elements.allow.checked });
      output.textContent = "Kept.";
      said("Kept.", [made]);
    } catch (error) { output.textContent = `Not kept: ${error.message}`; }
  };
  const withdraw = async (one) => {
    try { await ask(`/v1/verdicts/${encodeURIComponent(one.verdict_id)}`, "", { method: "DELETE" }); said("Withdrawn.", []); } catch (error) { said(`Not withdrawn: ${error.message}`); }
  };
  return box(
    verdicts.length ? el("ul", { id: "verdicts" }, verdicts.map((one) => el("li", {}, words(one), el("button", { type: "button", onclick: () => void withdraw(one) }, "Withdraw")))) : ofIncident.length ? null : el("p", { class: "small" }, ofAlerts.length ? "Nobody has judged all of it yet, only alerts in it." : "Nobody has judged this yet. What you say is kept, for whoever tunes the rules."),
    ofIncident.length ? el("ul", { id: "incident-verdicts" }, ofIncident.map((one) => el("li", {}, el("a", { href: to("incidents", [one.target]) }, "Its incident"), ": ", words(one)))) : null,
    ofAlerts.length ? el("ul", { id: "alert-verdicts" }, ofAlerts.map((one) => el("li", {}, el("a", { href: to("alerts", [one.target]) }, `Alert ${one.target.slice(0, 8)}`), ": ", words(one)))) : null,
    el("form", { id: "verdict", "data-key": "verdict-form", class: "verdict", onsubmit: (event) => void send(event) },
      el("label", {}, "By ", el("input", { name: "by", maxlength: 200, autocomplete: "name" })), el("label", {}, "Note ", el("input", { name: "note", maxlength: 2000 })),
      el("label", {}, "Until ", el("input", { name: "until", type: "datetime-local" })), el("label", {}, el("input", { name: "allow", type: "checkbox" }), ` let ${whom} pass until then`),
      el("button", { name: "verdict", value: "confirmed" }, "Confirmed"), el("button", { name: "verdict", value: "false_positive" }, "False positive"), el("output", { class: "small" })));
}

export async function loadIncident() {
  const [id] = here().parts;
  const found = await perhaps(`/v1/incidents/${encodeURIComponent(id)}`);
  const [verdicts, story] = await Promise.all([
    found ? found.verdicts ?? verdictsOf(found.incident?.incident_id ?? id) : null,
    found?.gravest ? perhaps(`/v1/alerts/${encodeURIComponent(found.gravest)}`, new URLSearchParams({ events: 1 })) : null]);
  return { found: keep(found), verdicts, story };
}

export const incidentTitle = (data) => data?.found?.story ?? "Incident";

export function incidentView({ found, verdicts, story }) {
  const [id] = here().parts;
  if (!found) return [el("div", { class: "wide card" }, el("h1", {}, "Incident"), el("p", {}, `No incident ${id} is stored here, or this API has none yet. `, el("a", { href: to("alerts", []) }, "All alerts")))];
  const incident = found.incident ?? found, alerts = found.alerts ?? [];
  const account = incident.account_id, members = [...(incident.alerts ?? [])].sort((a, b) => time(a.opened_at) - time(b.opened_at));
  const leads = { devices: (one) => deviceLink(account, one), places: (one) => subject({ account_id: account, subject_kind: "place", subject: one }), campaigns: (one) => campaignLink(account, one) };
  const names = Object.keys(leads).filter((name) => incident[name]?.length);
  return [
    el("div", { class: "wide heading" }, el("p", { class: "small" }, el("a", { href: to("incidents", []) }, "Incidents"), ` / ${id}`), el("h1", {}, incident.story ?? `Incident ${id}`),
      el("p", {}, el("b", { class: "state", "data-open": incident.state === "open" ? "yes" : "no" }, incident.state ?? ""), incident.severity ? ` · ${incident.severity}` : "", account ? [" · account ", el("a", { href: to("", [], { account }) }, account)] : "")),
    el("section", { class: "table", "data-key": "about", "aria-labelledby": "about-title" }, el("h2", { id: "about-title" }, "What it is about"), el("dl", { class: "facts" }, names.map((name) => el("div", {}, el("dt", {}, name), el("dd", {}, incident[name].slice(0, 20).map((one, i) => [i ? ", " : "", leads[name](one)]), incident[name].length > 20 ? ` and ${incident[name].length - 20} more` : ""))))),
    el("section", { class: "table", "aria-labelledby": "timeline-title", "data-key": "timeline" }, el("h2", { id: "timeline-title" }, "Timeline"),
      el("ol", { class: "timeline" }, members.slice(0, 20).map((one) => el("li", {}, el("a", { href: to("alerts", [one.alert_id]) }, tidy(one.rule)), ` ${isOpen(one) ? "since" : one.state} ${moment(time(isOpen(one) ? one.opened_at : one.ended_at))}`, el("span", { class: "small" }, `opened ${moment(time(one.opened_at))} · ${one.severity} · ${count(one.observed)} seen`)))),
      members.length > 20 ? el("p", { class: "small" }, `and ${members.length - 20} more, below`) : null),
    story ? paneChart(story.panes, story.pane_s, story.alert, [el("a", { href: to("alerts", [story.alert.alert_id]) }, "its gravest alert"), "'s subject"]) : null,
    verdictBox(incident.incident_id ?? id, verdicts, { whom: "whom a false positive's alerts accuse", ofAlerts: found.alert_verdicts ?? [] }), list("incident-alerts", "Its alerts", alerts)];
}

export const loadIncidents = async () => {
  const { query } = here();
  const asked = new URLSearchParams({ since: query.get("since") ?? query.get("range") ?? "7d" });
  for (const value of query.getAll("account")) asked.append("account", value);
  return { found: await perhaps("/v1/incidents", asked) };
};
export const incidentsTitle = () => "Incidents";
export function incidentsView({ found }) {
  if (!found) return [el("div", { class: "wide card" }, el("h1", {}, "Incidents"), el("p", {}, "This API has no incidents yet. ", el("a", { href: link("/alerts") }, "See the alerts"), "."))];
  const at = (text) => (text ? moment(time(text)) : "–");
  return [el("h1", { class: "unseen" }, "Incidents"), table("incidents", "Incidents", [
    { name: "Incident", term: "Incident", value: (row) => row.story ?? row.incident_id, node: (row) => [el("a", { href: to("incidents", [row.incident_id]) }, row.story ?? row.incident_id), el("span", { class: "who" }, `${row.account_id} · ${row.incident_id.slice(0, 8)}`)] },
    { name: "State", value: (row) => row.state, text: (row) => row.state },
    { name: "Severity", value: (row) => row.severity ?? "", text: (row) => row.severity ?? "–" },
    { name: "Opened", value: (row) => row.opened_at, text: (row) => at(row.opened_at) },
    { name: "Changed", value: (row) => row.updated_at, text: (row) => at(row.updated_at) },
  ], found.rows ?? found.incidents ?? [], { wide: true, empty: "No incident in this time. Nothing to do." })];
}
