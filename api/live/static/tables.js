// Rates per campaign, place and platform. Each row shows its interval on a scale that the table shares.
import { count, el, rate } from "./format.js";

const HEADINGS = ["Impressions", "Clicks", "CTR", "95 % interval"];

export function fillTable(id, first, rows, name) {
  const table = document.getElementById(id);
  const scale = Math.max(0.01, ...rows.filter((row) => row.impressions >= 20).map((row) => row.ctr_high));
  const head = el("thead", {}, el("tr", {}, ...[first, ...HEADINGS].map((text) => el("th", { scope: "col" }, text))));
  const body = el("tbody", {}, ...rows.map((row) => line(row, name(row), Math.min(1, scale))));
  if (!rows.length) body.append(el("tr", {}, el("td", { colspan: HEADINGS.length + 1 }, "Nothing in this time.")));
  table.replaceChildren(head, body);
}

function line(row, [title, detail], scale) {
  const label = el("th", { scope: "row" }, title);
  if (detail) label.append(el("span", { class: "who" }, detail));
  return el("tr", {}, label, cell(count(row.impressions), row.impressions), cell(count(row.clicks), row.clicks),
    cell(rate(row.ctr), row.ctr), el("td", {}, gauge(row, scale)));
}

const cell = (text, value) => el("td", { "data-value": value }, text);

function gauge(row, scale) {
  const share = (p) => `${Math.min(100, (100 * p) / scale)}%`;
  const interval = el("i");
  interval.style.left = share(row.ctr_low);
  interval.style.width = `${Math.max(0, Math.min(100, (100 * row.ctr_high) / scale) - Math.min(100, (100 * row.ctr_low) / scale))}%`;
  const point = el("b");
  point.style.left = `calc(${share(row.ctr)} - 1.5px)`;
  const label = `${rate(row.ctr_low)} to ${rate(row.ctr_high)}`;
  return el("span", { class: "gauge", role: "img", "aria-label": label, title: label }, interval, point);
}
