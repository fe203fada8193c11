// A table: every column sorts, more rows come on demand, and what is there goes into a CSV file.
import { el, svg } from "./dom.js";
import { count, interval, rate } from "./format.js";
import { term } from "./words.js";

const STEP = 10;
const kept = new Map(); // by the table's id: {sort, down, rows}
const redraw = () => dispatchEvent(new Event("redraw"));

// columns: [{name, text(row) | node(row), value(row), number}]; `more`: asks the server for further rows, null at the end.
export function table(id, title, columns, rows, { more = null, empty = "Nothing in this time.", note = "", level = "h2", wide = false } = {}) {
  const state = kept.get(id) ?? { sort: null, down: true, rows: STEP };
  kept.set(id, state);
  const sorted = state.sort === null ? rows : [...rows].sort((a, b) => order(columns[state.sort].value(a), columns[state.sort].value(b)) * (state.down ? -1 : 1));
  const shown = sorted.slice(0, state.rows);
  const head = el("tr", {}, columns.map((column, i) => heading(state, column, i)));
  const body = shown.map((row) => el("tr", {}, columns.map((column, i) => cell(column, row, i))));
  return el("section", { class: wide ? "wide card" : "table", "aria-labelledby": `${id}-title`, "data-key": id },
    el(level, { id: `${id}-title` }, title),
    note ? el("p", { class: "small" }, note) : null,
    el("div", { class: "scroll", tabindex: "0", role: "group", "aria-labelledby": `${id}-title` },
      el("table", { id }, el("thead", {}, head), el("tbody", {}, body.length ? body : el("tr", {}, el("td", { colspan: columns.length }, empty))))),
    el("p", { class: "below" },
      rows.length > state.rows ? el("button", { type: "button", onclick: () => { state.rows += state.rows < 50 ? 40 : 200; redraw(); } }, `Show more (${count(shown.length)} of ${count(rows.length)})`) : null,
      rows.length <= state.rows && more ? el("button", { type: "button", onclick: () => { state.rows += 50; more(); } }, "Older") : null,
      state.rows > STEP && rows.length > STEP ? el("button", { type: "button", onclick: () => { state.rows = STEP; redraw(); } }, "Fewer") : null,
      rows.length ? el("button", { type: "button", onclick: () => save(id, columns, sorted) }, "CSV") : null));
}

function heading(state, column, i) {
  const sorted = state.sort === i ? (state.down ? "descending" : "ascending") : "none";
  const turn = () => { state.down = state.sort === i ? !state.down : Boolean(column.number); state.sort = i; redraw(); };
  const mark = sorted === "none" ? "" : state.down ? " ▾" : " ▴";
  return el("th", { scope: "col", "aria-sort": column.value ? sorted : null, class: column.number ? "number" : null },
    column.value ? el("button", { type: "button", class: "sort", onclick: turn }, column.name, mark) : column.name,
    column.term ? term(column.term, "") : null);
}

function cell(column, row, i) {
  const inside = column.node ? column.node(row) : column.text(row);
  if (i === 0) return el("th", { scope: "row" }, inside);
  return el("td", { class: column.number ? "number" : null, "data-value": column.number ? column.value(row) : null }, inside);
}

const order = (a, b) => (a === null ? -1 : b === null ? 1 : typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en"));

// A spreadsheet takes such a text for a formula (as in sori/spreadsheet_cell.py).
const FORMULA = /^[=+\-@\t\r]/;
export function csv(columns, rows) {
  const field = (value) => {
    const text = value === null || value === undefined ? "" : typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const fields = columns.filter((column) => column.value);
  return [fields.map((column) => column.name), ...rows.map((row) => fields.map((column) => column.value(row)))].map((line) => line.map(field).join(",")).join("\r\n");
}

function save(id, columns, rows) {
  const address = URL.createObjectURL(new Blob([csv(columns, rows)], { type: "text/csv" }));
  el("a", { href: address, download: `sori-${id}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// The columns that every table of rates has.
export function rates(rows) {
  const firm = rows.filter((row) => row.impressions >= 20); // the wide interval of a few would make the others' small
  const scale = Math.min(1, Math.max(0.01, ...(2 * firm.length < rows.length ? rows : firm).map((row) => row.ctr_high)));
  return [
    { name: "Impressions", term: "Impressions", number: true, text: (row) => count(row.impressions), value: (row) => row.impressions },
    { name: "Clicks", number: true, text: (row) => count(row.clicks), value: (row) => row.clicks },
    { name: "CTR", term: "CTR", number: true, node: (row) => [rate(row.ctr), el("span", { class: "narrow" }, interval(row.ctr_low, row.ctr_high))], value: (row) => row.ctr },
    { name: "95 % interval", term: "95 % interval", value: (row) => row.ctr_low, node: (row) => gauge(row, scale) },
    { name: "Clean", term: "Without suspect", number: true, text: (row) => rate(row.clean_ctr), value: (row) => row.clean_ctr },
  ];
}

export function gauge(row, scale) {
  const at = (p) => Math.min(100, (100 * p) / scale);
  return el("span", { class: "gauge" }, el("span", {}, interval(row.ctr_low, row.ctr_high)),
    svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "scale", width: 100, height: 8 }),
      svg("rect", { class: "low-high", x: at(row.ctr_low), width: Math.max(0.5, at(row.ctr_high) - at(row.ctr_low)), height: 8 }),
      svg("rect", { class: "middle", x: Math.max(0, at(row.ctr) - 0.7), width: 1.4, height: 8 })));
}
