// Pages about one campaign, one place, one device.
import { feed, keep } from "./alerts.js";
import { ask, perhaps } from "./api.js";
import { trend } from "./chart.js";
import { el, svg } from "./dom.js";
import { campaigns, campaignLink, deviceLink, materials, places, platforms, teach, tiles } from "./figures.js";
import { count, moment, rate, span, time } from "./format.js";
import { shaded } from "./overview.js";
import { alertsOf, here, link, slice } from "./state.js";
import { table } from "./table.js";
import { term } from "./words.js";

const KINDS = {
  campaigns: { word: "Campaign", own: ([id]) => ({ campaign: id }), tables: [materials, places, platforms], name: (body, [id]) => body?.campaigns.find((row) => row.campaign_id === id)?.campaign_name || id },
  places: { word: "Place", own: ([country, region, city]) => ({ country, region, city }), tables: [campaigns, materials, platforms], name: (_, parts) => [parts[2], parts[1], parts[0]].join(", ") },
  devices: { word: "Device", own: ([id]) => ({ device: id }), tables: [campaigns, places, materials], name: (_, [id]) => id },
};
const kind = () => KINDS[here().page];
let older = 0;
export const forget = () => { older = 0; };

export async function load() {
  const { page, parts } = here(), own = kind().own(parts), asked = slice(own);
  const events = new URLSearchParams(asked);
  events.set("limit", 50 + 50 * older);
  const [body, alerts, raw, funnel] = await Promise.all([
    ask("/v1/live", asked), ask("/v1/alerts", alertsOf(own)).then(keep),
    page === "devices" ? perhaps("/v1/events", events) : null, page === "campaigns" ? perhaps("/v1/funnel", asked) : null]);
  return { body, alerts: alerts.rows, raw, funnel };
}

export const title = (data) => `${kind().word} ${kind().name(data?.body, here().parts)}`;

export function view({ body, alerts, raw, funnel }) {
  const { page, parts, query } = here(), clean = query.get("clean") === "1", counted = body.totals.suspect_clicks !== null;
  const empty = body.totals.impressions === 0 && body.totals.clicks === 0 && !raw?.rows.length;
  return [
    el("div", { class: "wide heading" }, el("p", { class: "small" }, kind().word), el("h1", {}, kind().name(body, parts)),
      el("p", { class: "small" }, parts.join(" / "), counted ? [" · ", el("a", { href: link(location.pathname, { clean: clean ? null : "1" }, query.getAll("part").map((part) => ["part", part])), id: "clean" }, clean ? "Show with suspect clicks" : "Show without suspect clicks")] : "")),
    tiles(body), empty ? teach(body) : trend(body, { alerts: shaded(alerts, body), clean, title: clean ? "Click-through rate without suspect clicks" : undefined }), feed(alerts),
    page === "campaigns" ? funnelOf(funnel) : null,
    kind().tables.map((made) => made(body[made.name])),
    page === "devices" ? history(raw) : null,
  ];
}

function funnelOf(found) {
  const section = (...inside) => el("section", { class: "table", "aria-labelledby": "funnel-title", "data-key": "funnel" }, el("h2", { id: "funnel-title" }, "From impression to click"), ...inside);
  if (!found) return section(el("p", { class: "small" }, "Told for up to 8 days of raw events: choose a shorter time."));
  if (!found.impressions && !found.clicks) return section(el("p", { class: "small" }, "No event of this time has an activity_id, by which a click is matched with its impression."));
  const most = Math.max(found.impressions, found.clicks, 1);
  const step = (name, n, note) => el("li", {}, el("span", {}, el("b", {}, count(n)), " ", name), svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "scale", width: 100, height: 6 }), svg("rect", { class: "middle", width: (100 * n) / most, height: 6 })), el("span", { class: "small" }, note));
  const below = (ms, i) => (ms === null ? `later than ${span(found.times[i - 1].below_ms)}` : `${i ? `${span(found.times[i - 1].below_ms)} to ` : "under "}${span(ms)}`);
  return section(
    found.share > 1 ? el("p", { class: "small" }, `Counted over one in ${found.share} activities.`) : null,
    el("ol", { class: "funnel" }, step("impressions", found.impressions, `on ${count(found.devices)} devices`), step("clicks", found.clicks, `by ${count(found.clicking_devices)} devices`), step("clicks with their impression", found.matched, found.clicks ? `${rate(found.matched / found.clicks)} of clicks` : "")),
    el("p", { class: "small" }, "Time to click: ", found.median_ms === null ? "unknown" : [el("b", {}, span(found.median_ms)), " in the middle, nine of ten within ", el("b", {}, span(found.p90_ms))], "; ", term("Matched", "matched by activity_id"), "."),
    el("table", { id: "time-to-click" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Time to click"), el("th", { scope: "col", class: "number" }, "Clicks"))),
      el("tbody", {}, found.times.map((one, i) => el("tr", {}, el("th", { scope: "row" }, below(one.below_ms, i)), el("td", { class: "number" }, count(one.clicks)))))));
}

export const eventColumns = [
  { name: "When", value: (row) => time(row.created_at), text: (row) => moment(time(row.created_at)) },
  { name: "Event", value: (row) => row.event, text: (row) => row.event },
  { name: "Campaign", value: (row) => row.campaign_id, node: (row) => (row.campaign_id ? campaignLink(row.account_id, row.campaign_id, row.campaign_name) : "–") },
  { name: "Material", value: (row) => row.material_id, text: (row) => row.material_name || row.material_id || "–" },
  { name: "Device", value: (row) => row.device_id, node: (row) => deviceLink(row.account_id, row.device_id) },
  { name: "Platform", value: (row) => row.platform, text: (row) => row.platform },
  { name: "Place", value: (row) => `${row.country}/${row.region}/${row.city}`, text: (row) => [row.city, row.region, row.country].join(", ") },
  { name: "Event's identity", value: (row) => row.identity, text: (row) => row.identity },
];

const history = (raw) => (raw === null
  ? el("section", { class: "wide card", "data-key": "history" }, el("h2", {}, "Events"), el("p", { class: "small" }, "Raw events are told for up to 31 days: choose a shorter time."))
  : table("events", "Events", eventColumns, raw.rows, { wide: true, more: raw.next ? () => { older += 1; dispatchEvent(new Event("refresh")); } : null, note: "Everything that was received from this device in this time, latest first." }));
