// Numbers, times, and what changed, in words.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2 });
const change = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const clock = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });
const both = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const count = (n) => (n === null || n === undefined ? "–" : whole.format(Math.abs(n) < 0.5 ? 0 : n));
export const many = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
export const rate = (p) => (p === null || p === undefined ? "–" : percent.format(Math.abs(p) < 0.00005 ? 0 : p));
export const interval = (low, high) => (low === null ? "–" : `${(100 * low).toFixed(2)} to ${rate(high)}`);
export const moment = (ms) => clock.format(new Date(ms));
export const short = (ms, bucketS) => (bucketS >= 86400 ? day : bucketS >= 3600 ? both : minute).format(new Date(ms));
export const tidy = (text) => String(text).replaceAll("_", " ");

export function delta(now, before) {
  if (!before) return now ? "none in the time before" : "as before";
  return `${change.format(now / before - 1)} to the time before`;
}

export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}
export const ago = (ms) => `${span(Math.max(0, Math.round(ms / 1000) * 1000)).replace("0 ms", "0 s")} ago`;

// ClickHouse writes UTC without saying so.
export const time = (text) => Date.parse(text.includes("T") ? text : `${text.replace(" ", "T")}Z`);
