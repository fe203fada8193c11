// The one chart: click-through rate with its interval over impressions.
/* global Plotly */
import { count, moment, rate } from "./format.js";

const library = document.getElementById("chart-library");
const ready = new Promise((resolve, reject) => {
  if (typeof Plotly !== "undefined") resolve();
  library.addEventListener("load", resolve);
  library.addEventListener("error", () => reject(new Error("the chart library did not load")));
});
ready.catch(() => {}); // told when a chart is drawn

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export async function drawTime(series, bucketSeconds) {
  await ready;
  const at = series.map((row) => new Date(row.time * 1000));
  const known = (pick) => series.map((row) => (row.impressions > 0 ? pick(row) : null));
  const half = bucketSeconds * 500;
  const line = { x: at, mode: "lines", connectgaps: false, hoverinfo: "skip", line: { width: 0 }, showlegend: false };
  const traces = [
    { x: at, y: series.map((row) => row.impressions), type: "bar", yaxis: "y2", name: "impressions",
      marker: { color: css("--bar") }, hovertemplate: "%{y:,} impressions<extra></extra>" },
    { ...line, y: known((row) => row.ctr_low) },
    { ...line, y: known((row) => row.ctr_high), fill: "tonexty", fillcolor: css("--band") },
    { x: at, y: known((row) => row.ctr), mode: "lines+markers", name: "CTR", line: { color: css("--accent"), width: 2.5 },
      marker: { size: 5 }, hovertemplate: "%{y:.2%} CTR<extra></extra>" },
  ];
  const grid = { gridcolor: css("--line"), zerolinecolor: css("--line"), fixedrange: true };
  const top = Math.max(0.01, ...series.filter((row) => row.impressions >= 20).map((row) => row.ctr_high));
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x unified",
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: 13, color: css("--soft") },
    hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--ink") } },
    margin: { l: 58, r: 12, t: 8, b: 34 },
    xaxis: { ...grid, type: "date", anchor: "y2", showgrid: false, tickangle: 0, nticks: 6, range: [new Date(+at[0] - half), new Date(+at[at.length - 1] + half)] },
    yaxis: { ...grid, domain: [0.34, 1], range: [0, Math.min(1, top * 1.15)], tickformat: ".1%", nticks: 6 },
    yaxis2: { ...grid, domain: [0, 0.26], rangemode: "tozero", nticks: 3, separatethousands: true, tickformat: "~s" },
    bargap: 0.15, uirevision: "kept",
  };
  return Plotly.react("time-chart", traces, layout, { displayModeBar: false, responsive: true });
}

export function summary(series, totals) {
  const busy = series.filter((row) => row.impressions > 0);
  if (!busy.length) return "No impressions in this time.";
  const best = busy.reduce((a, b) => (b.ctr > a.ctr ? b : a));
  const last = busy[busy.length - 1];
  return `${rate(totals.ctr)} overall, from ${count(totals.impressions)} impressions and ${count(totals.clicks)} clicks. `
    + `Highest ${rate(best.ctr)} at ${moment(best.time * 1000)}; latest ${rate(last.ctr)} at ${moment(last.time * 1000)}.`;
}
