// Countries by impressions on a map of our own: outlines come with the console, no tiles from outside.
import { ask } from "./api.js";
import { el, svg } from "./dom.js";
import { count, rate } from "./format.js";
import { chip, go } from "./state.js";

let world = null;
export function loadMap() {
  if (world === null) {
    world = {};
    void ask("/page/world.json").then((found) => {
      const names = new Map();
      for (const one of found.countries) for (const name of [one.name.toLowerCase(), ...one.also]) if (!names.has(name)) names.set(name, one);
      world = { ...found, names };
      dispatchEvent(new Event("redraw"));
    }, () => { world = null; });
  }
}

export function map(rows) {
  loadMap();
  if (!world?.names) return null;
  const found = new Map();
  for (const row of rows) {
    const country = world.names.get(row.country.toLowerCase());
    if (country) found.set(country, row);
  }
  if (!found.size) return null;
  const most = Math.max(...[...found.values()].map((row) => row.impressions), 1);
  const shade = (row) => (row ? Math.max(1, Math.ceil((4 * row.impressions) / most)) : 0);
  const said = (country, row) => `${country.name}: ${count(row.impressions)} impressions, ${count(row.clicks)} clicks, ${rate(row.ctr)}`;
  const named = [...found].map(([country, row]) => said(country, row));
  return el("section", { class: "table", "aria-labelledby": "map-title", "data-key": "map" },
    el("h2", { id: "map-title" }, "Countries"),
    el("div", { class: "map", role: "img", "aria-label": `Map. ${named.slice(0, 5).join("; ")}` },
      svg("svg", { viewBox: `0 0 ${world.width} ${world.height}` },
        world.countries.filter((one) => one.path || found.has(one)).map((one) => {
          const row = found.get(one);
          const how = { class: "land", "data-shade": shade(row), "data-country": row ? row.country : null, onclick: row ? () => go(chip("country", row.country)) : null };
          const title = svg("title", {}, row ? said(one, row) : one.name);
          return one.path ? svg("path", { ...how, d: one.path }, title) : svg("circle", { ...how, cx: one.at?.[0] ?? 0, cy: one.at?.[1] ?? 0, r: 1.5 }, title);
        }))),
    el("p", { class: "small" }, "Darker: more impressions. ", [...found].slice(0, 6).map(([country, row], i) => [i ? ", " : "", el("a", { href: chip("country", row.country) }, `${country.name} ${rate(row.ctr)}`)])));
}
