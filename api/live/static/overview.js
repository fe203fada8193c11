// The first page: totals, the trend, alerts, and tables from which every row leads on.
import { feed, keep } from "./alerts.js";
import { ask } from "./api.js";
import { trend } from "./chart.js";
import { el } from "./dom.js";
import { campaigns, materials, places, platforms, teach, tile, tiles } from "./figures.js";
import { count, time } from "./format.js";
import { map } from "./map.js";
import { alertsOf, here, link, slice } from "./state.js";
import { stages } from "./health.js";

export const shaded = (rows, body) => rows.map((row) => ({
  from: time(row.window_start || row.opened_at) / 1000, until: row.closed_at ? time(row.closed_at) / 1000 : body.now_ms / 1000,
  title: `${row.rule.replaceAll("_", " ")}: ${row.subject}`,
}));

export async function load() {
  const [body, alerts] = await Promise.all([ask("/v1/live", slice()), ask("/v1/alerts", alertsOf()).then(keep)]);
  return { body, alerts: alerts.rows };
}

export const title = () => "Overview";

export function view({ body, alerts }) {
  const { pulse, totals } = body;
  const more = [
    tile("Open alerts", "open-alerts", count(pulse.open_alerts), pulse.open_alerts),
    tile("Events in the last minute", "rate", count(pulse.events_last_minute), pulse.events_last_minute),
  ];
  const empty = totals.impressions === 0 && totals.clicks === 0;
  return [el("h1", { class: "unseen" }, "Overview"), tiles(body, more), empty ? teach(body) : trend(body, { alerts: shaded(alerts, body), clean: here().query.get("clean") === "1" }), feed(alerts),
    campaigns(body.campaigns), places(body.places), platforms(body.platforms), materials(body.materials), map(body.countries), health(body)];
}

const health = (body) => el("section", { class: "table", "aria-labelledby": "health-title", "data-key": "health" },
  el("h2", { id: "health-title" }, el("a", { href: link("/health") }, "Pipeline health")), stages(body.stages),
  el("dl", { class: "facts" },
    tile("Late", "late", count(body.pulse.late), body.pulse.late),
    tile("Quarantine", "quarantined", count(body.pulse.quarantined), body.pulse.quarantined)));
