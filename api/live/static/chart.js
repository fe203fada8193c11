// Rates with their interval over impressions, as SVG: alerts shaded, what is not over dashed; drag to zoom in, arrow keys
// or a finger to read a point.
import { el, svg } from "./dom.js";
import { count, interval, many, moment, rate, short } from "./format.js";
import { go, link } from "./state.js";
import { term } from "./words.js";

const [LEFT, RIGHT, TOP, MIDDLE, LOW, HEIGHT] = [52, 10, 8, 190, 260, 286];
let width = 800;
// what is read and where a drag began, in seconds since 1970: not in the element or as an index, since new figures may come
let pointed = null, dragged = null;
export function measure() {
  const at = document.querySelector(".plot")?.clientWidth || document.getElementById("main").clientWidth - 34;
  const changed = Math.abs(at - width) > 2;
  if (at > 100) width = at;
  return changed;
}

export function trend(body, { alerts = [], clean = false, title = "Click-through rate over time" } = {}) {
  const rows = body.series, step = body.bucket_s;
  const pick = clean ? (row, name) => row[`clean_${name}`] : (row, name) => row[name];
  const known = rows.filter((row) => row.impressions > 0 && pick(row, "ctr") !== null);
  const first = rows[0]?.time ?? 0, end = (rows.at(-1)?.time ?? 0) + step;
  const x = (t) => LEFT + ((t - first) / (end - first || 1)) * (width - LEFT - RIGHT);
  // the wide band, or the chance rate, of a few impressions may leave the picture where most points have many
  const firm = known.filter((row) => row.impressions >= 20);
  const seen = 2 * firm.length < known.length ? known.map((row) => pick(row, "ctr")) : firm.map((row) => pick(row, "ctr_high"));
  const top = nice(Math.min(1, 1.1 * Math.max(0.01, ...seen)));
  const y = (p) => MIDDLE - (Math.min(p, top) / top) * (MIDDLE - TOP);
  const most = Math.max(1, ...rows.map((row) => row.impressions));
  const high = (n) => (n / most) * (LOW - MIDDLE - 14);
  const middle = (row) => x(row.time + step / 2);
  const over = (row) => row.time + step <= body.now_ms / 1000;
  const parts = [svg("g", { class: "grid" }, [0, 0.25, 0.5, 0.75, 1].map((share) => [
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(top * share), y2: y(top * share) }),
    svg("text", { x: LEFT - 6, y: y(top * share) + 4, "text-anchor": "end" }, `${+(100 * top * share).toFixed(2)} %`)]),
  svg("text", { x: LEFT - 6, y: MIDDLE + 26, "text-anchor": "end" }, compact(most)), times(rows, step, middle))];
  for (const alert of alerts) {
    const from = Math.max(first, alert.from), until = Math.min(end, alert.until);
    if (until > from) parts.push(svg("rect", { class: "alarm", x: x(from), y: TOP, width: Math.max(2, x(until) - x(from)), height: LOW - TOP }, svg("title", {}, alert.title)));
  }
  const bar = Math.max(0.5, (x(first + step) - x(first)) * 0.8);
  parts.push(rows.map((row) => svg("rect", { class: over(row) ? "bar" : "bar going", x: middle(row) - bar / 2, y: LOW - high(row.impressions), width: bar, height: high(row.impressions) })));
  for (const run of runs(rows, known)) {
    const edge = (name) => run.map((row) => `${middle(row).toFixed(1)} ${y(pick(row, name)).toFixed(1)}`);
    parts.push(svg("path", { class: "band", d: `M${edge("ctr_low").join("L")}L${edge("ctr_high").reverse().join("L")}Z` }));
    const line = edge("ctr"), going = run.length > 1 && !over(run.at(-1));
    parts.push(svg("path", { class: "line", d: `M${(going ? line.slice(0, -1) : line).join("L")}` }));
    if (going) parts.push(svg("path", { class: "line going", d: `M${line.slice(-2).join("L")}` }));
    if (run.length < 60) parts.push(run.map((row) => svg("circle", { class: "dot", cx: middle(row), cy: y(pick(row, "ctr")), r: 2.2 })));
  }
  const said = summary(known, body.totals, step), at = rows.findIndex((row) => row.time === pointed);
  const { tell, ...reader } = tool({ rows, step, x, middle, pick, over });
  const cursor = at < 0 ? -9 : middle(rows[at]);
  parts.push(svg("rect", { class: "chosen", y: TOP, height: LOW - TOP, width: 0, x: 0 }), svg("line", { class: "cursor", y1: TOP, y2: LOW, x1: cursor, x2: cursor }));
  return el("section", { class: "chart", "aria-labelledby": "time-title", "data-key": "chart" },
    el("h2", { id: "time-title" }, title),
    el("p", { class: "small" }, "The band is the ", term("95 % interval"), "; the bars are impressions; red is an alert; dashed is not over yet. Drag to zoom. Times are in your time zone."),
    el("div", { class: "plot", id: "time-chart", tabindex: "0", role: "slider", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": Math.max(0, rows.length - 1), "aria-valuenow": at < 0 ? Math.max(0, rows.length - 1) : at, "aria-valuetext": at < 0 ? said : tell(at), ...reader },
      svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" }, parts)),
    el("p", { id: "reading", class: "reading" }, at < 0 ? "Point at, touch, or use the arrow keys on the chart to read it." : tell(at)),
    el("p", { id: "time-summary", class: "small" }, said));
}

function times(rows, step, middle) {
  const every = Math.max(1, Math.ceil(rows.length / Math.max(2, Math.floor(width / 95))));
  return rows.filter((_, i) => i % every === Math.floor(every / 2)).map((row) => svg("text", { x: middle(row), y: LOW + 18, "text-anchor": "middle" }, short(row.time * 1000, step)));
}

function runs(rows, known) {
  const found = [], set = new Set(known);
  let run = [];
  for (const row of [...rows, null]) {
    if (row && set.has(row)) run.push(row);
    else if (run.length) { found.push(run); run = []; }
  }
  return found;
}

function tool({ rows, step, x, middle, pick, over }) {
  const index = (node, event) => {
    const at = event.clientX - node.getBoundingClientRect().left;
    return Math.max(0, Math.min(rows.length - 1, Math.floor((at - x(rows[0].time)) / (x(rows[0].time + step) - x(rows[0].time)))));
  };
  const tell = (i) => {
    const row = rows[i];
    return `${moment(row.time * 1000)}${over(row) ? "" : ", not over yet"}: ${many(row.impressions, "impression")}, ${many(row.clicks, "click")}`
      + (row.impressions ? `, ${rate(pick(row, "ctr"))} (${interval(pick(row, "ctr_low"), pick(row, "ctr_high"))})` : "");
  };
  const read = (node, i) => {
    if (!rows[i]) return;
    const text = tell(i);
    pointed = rows[i].time;
    node.setAttribute("aria-valuenow", i);
    node.setAttribute("aria-valuetext", text);
    document.getElementById("reading").textContent = text;
    const cursor = node.querySelector(".cursor");
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, middle(rows[i]));
  };
  const mark = (node, i) => {
    const chosen = node.querySelector(".chosen"), [low, high] = i === null ? [0, 0] : ends(i);
    chosen.setAttribute("x", i === null ? 0 : x(low));
    chosen.setAttribute("width", x(high) - x(low));
  };
  const ends = (i) => [Math.max(rows[0].time, Math.min(dragged, rows[i].time)), Math.max(dragged, rows[i].time) + step];
  return {
    tell,
    onpointermove: (event) => { const node = event.currentTarget; if (!rows.length) return; if (!event.buttons) dragged = null; read(node, index(node, event)); if (dragged !== null) mark(node, index(node, event)); },
    onpointerdown: (event) => { const node = event.currentTarget; if (!rows.length) return; const at = index(node, event); read(node, at); if (event.pointerType === "mouse") dragged = rows[at].time; },
    onpointerup: (event) => {
      const node = event.currentTarget, from = dragged;
      if (from === null || !rows.length) return;
      const [since, until] = ends(index(node, event));
      dragged = null;
      mark(node, null);
      if (from === rows[index(node, event)].time) return;
      const iso = (s) => new Date(s * 1000).toISOString().replace(".000", "");
      go(link(location.pathname, { range: null, since: iso(since), until: iso(until) }));
    },
    onpointerleave: (event) => { dragged = null; if (rows.length) mark(event.currentTarget, null); },
    onkeydown: (event) => {
      const node = event.currentTarget, at = Number(node.getAttribute("aria-valuenow"));
      const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      read(node, Math.max(0, Math.min(rows.length - 1, next)));
    },
  };
}

function summary(known, totals, step) {
  if (!known.length) return "No impressions in this time.";
  const best = known.reduce((a, b) => (b.ctr > a.ctr ? b : a)), last = known.at(-1);
  return `${rate(totals.ctr)} overall, from ${many(totals.impressions, "impression")} and ${many(totals.clicks, "click")}. `
    + `Highest ${rate(best.ctr)} at ${short(best.time * 1000, step)}; latest ${rate(last.ctr)} at ${short(last.time * 1000, step)}.`;
}

const compact = (n) => (n >= 1e6 ? `${+(n / 1e6).toFixed(1)} M` : n >= 1e4 ? `${Math.round(n / 1e3)} k` : count(n));
function nice(p) {
  const unit = 10 ** Math.floor(Math.log10(p));
  return Math.min(1, [1, 2, 4, 6, 8, 10].map((n) => n * unit).find((n) => n >= p - 1e-12));
}
