// Where we are: the page, what it is about, the time and the chips. All of it is in the address, and nowhere else.
export const CHIPS = ["campaign", "material", "platform", "country", "region", "city", "device"];
export const RANGES = { "15m": "15 minutes", "1h": "hour", "6h": "6 hours", "24h": "day", "7d": "week", "30d": "30 days" };

// A part of a path that a browser would take for a step (. and ..) or that is empty goes into the query.
const odd = (part) => part === "" || part === "." || part === "..";
export function place(kind, ...parts) {
  const given = parts.some(odd) ? parts.map(() => "-") : parts.map(encodeURIComponent);
  const query = parts.some(odd) ? parts.map((part) => ["part", part]) : [];
  return { path: `/${[kind, ...given].join("/")}`, query };
}

export function here() {
  const query = new URLSearchParams(location.search);
  const [page = "", ...given] = location.pathname.split("/").slice(1).filter((part, i) => i === 0 || part !== "");
  const odds = query.getAll("part");
  return { page, parts: odds.length ? odds : given.map(decodeURIComponent), query };
}

// An address that keeps time, account and chips. `changes`: name to value, values, or null for none.
export function link(path, changes = {}, more = []) {
  const kept = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (name !== "part" && !(name in changes)) kept.append(name, value);
  }
  for (const [name, value] of Object.entries(changes)) {
    for (const one of value === null ? [] : [value].flat()) kept.append(name, one);
  }
  for (const [name, value] of more) kept.append(name, value);
  const text = kept.toString();
  return text ? `${path}?${text}` : path;
}

export const to = (kind, parts, changes = {}) => { const { path, query } = place(kind, ...parts); return link(path, changes, query); };

// The same page with one more chip.
export function chip(name, value) {
  const { query } = here();
  const values = query.getAll(name);
  return link(location.pathname, { [name]: values.includes(value) ? values : [...values, value] }, query.getAll("part").map((part) => ["part", part]));
}

export function without(name, value) {
  const { query } = here();
  const left = query.getAll(name).filter((one) => one !== value);
  return link(location.pathname, { [name]: left.length ? left : null }, query.getAll("part").map((part) => ["part", part]));
}

// What the API is asked for: time, account, chips, and what the page itself is about.
export function slice(own = {}) {
  const { query } = here();
  const asked = new URLSearchParams();
  for (const name of ["since", "until", "account", ...CHIPS]) {
    const values = name in own ? [own[name]].flat() : query.getAll(name);
    for (const value of values) asked.append(name, value);
  }
  if (!asked.has("since")) asked.set("range", Object.hasOwn(RANGES, query.get("range") ?? "") ? query.get("range") : "1h");
  return asked;
}

// Alerts as the API filters them: it knows no platforms or materials, and of places only whole paths.
export function alertsOf(own = {}) {
  const asked = slice(own), wanted = new URLSearchParams();
  for (const name of ["account", "campaign", "device"]) for (const value of asked.getAll(name)) wanted.append(name, value);
  const [country, region, city] = ["country", "region", "city"].map((name) => asked.get(name));
  if (country) wanted.append("place", [country, region, region && city].filter(Boolean).map((part, i) => (i < 2 ? part.replaceAll("%", "%25").replaceAll("/", "%2F") : part)).join("/"));
  wanted.append("since", asked.get("since") ?? asked.get("range"));
  if (asked.has("until")) wanted.append("until", asked.get("until"));
  wanted.append("limit", 100);
  return wanted;
}

export function go(address, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  dispatchEvent(new Event("moved"));
}
