// Numbers, times and elements. Text only ever reaches the page as text.
const whole = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export const count = (n) => whole.format(n);
export const rate = (p) => percent.format(p);
export const moment = (ms) => clock.format(new Date(ms));

export function ago(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  return s < 172800 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86400)} days ago`;
}

// ClickHouse writes UTC without saying so.
export const time = (text) => Date.parse(text.includes("T") ? text : `${text.replace(" ", "T")}Z`);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function put(id, text, value) {
  const target = document.getElementById(id);
  if (target.textContent !== text) target.textContent = text;
  if (value !== undefined) target.dataset.value = value;
  return target;
}
