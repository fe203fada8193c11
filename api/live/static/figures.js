// What pages of figures share: tiles with what changed, tables of rates, and what to do when there is nothing yet.
import { el } from "./dom.js";
import { count, delta, interval, moment, rate } from "./format.js";
import { chip, link, to } from "./state.js";
import { rates, table } from "./table.js";
import { term } from "./words.js";

export function tiles(body, more = []) {
  const { totals, whole, before } = body;
  const shown = totals.impressions > 0;
  const changed = (pick) => el("dd", { class: "small delta" }, whole || before ? delta(whole ? pick(whole) : 0, before ? pick(before) : 0) : " ");
  return el("section", { class: "wide", "aria-labelledby": "totals-title", "data-key": "tiles" },
    el("h2", { id: "totals-title", class: "unseen" }, "Totals"),
    el("dl", { class: "tiles" },
      tile("Impressions", "impressions", count(totals.impressions), totals.impressions, changed((row) => row.impressions)),
      tile("Clicks", "clicks", count(totals.clicks), totals.clicks, changed((row) => row.clicks)),
      tile("Click-through rate", "ctr", shown ? rate(totals.ctr) : "–", totals.ctr, el("dd", { id: "ctr-interval", class: "small" }, shown ? interval(totals.ctr_low, totals.ctr_high) : "no impressions yet"), changed((row) => row.ctr)),
      totals.suspect_clicks === null ? null : tile("Suspect clicks", "suspect", count(totals.suspect_clicks), totals.suspect_clicks, el("dd", { class: "small" }, shown ? `${rate(totals.clean_ctr)} without them` : " "), changed((row) => row.suspect_clicks)),
      more));
}

export const tile = (name, id, text, value, ...below) =>
  el("div", {}, el("dt", {}, term(name)), el("dd", { id, "data-value": value }, text), below);

const who = (title, detail) => [title, detail ? el("span", { class: "who" }, detail) : null];
const filter = (name, value, label) => el("a", { class: "filter", href: chip(name, value), "aria-label": `Only ${label}`, title: `Only ${label}` }, "⊕");

export const campaignLink = (account, id, name) => el("a", { href: to("campaigns", [id], { account, campaign: null }) }, name || id || "no campaign");
export const placeLink = (row) => el("a", { href: to("places", [row.country, row.region, row.city], { account: row.account_id, country: null, region: null, city: null }) }, row.city);
export const deviceLink = (account, id) => (id ? el("a", { href: to("devices", [id], { account, device: null }) }, id) : "none");

export const campaigns = (rows) => table("campaigns", "Campaigns", [
  { name: "Campaign", value: (row) => row.campaign_name || row.campaign_id, node: (row) => who([campaignLink(row.account_id, row.campaign_id, row.campaign_name), filter("campaign", row.campaign_id, row.campaign_name || row.campaign_id)], `${row.account_id} · ${row.campaign_id}`) },
  ...rates(rows)], rows);

export const places = (rows) => table("places", "Places", [
  { name: "Place", value: (row) => `${row.country}/${row.region}/${row.city}`, node: (row) => who([placeLink(row), filter("city", row.city, row.city)], [el("a", { href: chip("region", row.region) }, row.region), ", ", el("a", { href: chip("country", row.country) }, row.country), ` · ${row.account_id}`]) },
  ...rates(rows)], rows);

export const platforms = (rows) => table("platforms", "Platforms", [
  { name: "Platform", value: (row) => row.platform, node: (row) => el("a", { href: chip("platform", row.platform) }, row.platform) }, ...rates(rows)], rows);

export const materials = (rows) => table("materials", "Materials", [
  { name: "Material", value: (row) => row.material_name || row.material_id, node: (row) => who(el("a", { href: chip("material", row.material_id) }, row.material_name || row.material_id || "no material"), [row.account_id, row.material_id].filter(Boolean).join(" · ")) },
  ...rates(rows)], rows);

// Nothing yet: how to send a first event, word for word.
export function teach(body) {
  const now = new Date(body.now_ms).toISOString();
  const event = { event: "campaign.impression", account_id: "acc_1", activity_id: `act_${body.now_ms}`, device_id: "dev_1", platform: "iOS", created_at: now, geolocation: { viewer_country: "Germany", viewer_region: "Berlin", viewer_city: "Berlin" }, campaign: { id: "cmp_1", name: "First campaign" } };
  const lines = [`cat > event.json <<'END'`, JSON.stringify(event), "END", `curl ${body.webhook.startsWith("https:") ? "-k " : ""}-X POST ${body.webhook} \\`, "  -H 'Content-Type: application/json' \\", `  -H "X-SORI-Signature: $(sori sign event.json)" \\`, "  --data-binary @event.json"];
  const seen = body.pulse.last_seen_ms;
  return el("section", { class: "wide card", "aria-labelledby": "teach-title", "data-key": "teach" },
    el("h2", { id: "teach-title" }, "Nothing in this time"),
    seen > 0
      ? el("p", {}, `The last campaign event is of ${moment(seen)}. `, el("a", { href: link(location.pathname, { range: null, since: new Date(seen - 3.6e6).toISOString(), until: new Date(seen + 60000).toISOString() }) }, "Look there"), ".")
      : el("p", {}, "No event has come yet. Send one; the first event shows here in about five seconds:"),
    el("pre", { id: "first-event", tabindex: "0", "aria-label": "Commands that send a first event" }, lines.join("\n")),
    el("p", { class: "small" }, "Without the command sori: the signature is the hexadecimal HMAC-SHA256 of the body, ", el("code", {}, "openssl dgst -sha256 -hmac \"$SECRET\" event.json"), ". More traffic: ", el("code", {}, `sori simulate --url ${body.webhook}`), "."));
}
