// Asks the API of this origin, with the token of this tab.
export class Refused extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

export const token = () => sessionStorage.getItem("token");

// Answers that were asked for before whoever wants them was here: the first one who asks takes them.
const early = new Map();
export function ahead(path, asked) {
  const coming = ask(path, asked);
  coming.catch(() => {}); // whoever takes it is told
  early.set(`${path}?${asked}`, { coming, at: Date.now() });
}

function taken(path, asked) {
  const key = `${path}?${asked}`, found = early.get(key);
  early.delete(key);
  return found && Date.now() - found.at < 5000 ? found.coming : null;
}

export function ask(path, asked = "", options = null) {
  return (options ? null : taken(path, asked)) ?? fetched(path, asked, options ?? {});
}

async function fetched(path, asked, options) {
  const headers = { ...(token() ? { Authorization: `Bearer ${token()}` } : {}), ...options.headers };
  const query = asked.toString();
  const answer = await fetch(query ? `${path}?${query}` : path, { ...options, headers, signal: AbortSignal.timeout(30000) });
  if (answer.status !== 401) document.getElementById("entrance").hidden = true;
  else document.getElementById("entrance").hidden = false;
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.detail ?? answer.statusText);
  return body;
}

export const tell = (path, body, method = "POST") =>
  ask(path, "", { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

// What this API may not have yet, or not show to us: null instead of an error.
let routes = null;
const offered = (path) => { routes ??= ask("/v1/openapi.json").then((found) => Object.keys(found.paths), () => { routes = null; return []; }); return routes.then((all) => all.some((one) => one === path || (one.includes("{") && new RegExp(`^${one.replace(/\{\w+\}/g, "[^/]+")}$`).test(path)))); };
export async function perhaps(path, asked) {
  if (/^\/v1\/(incidents|verdicts)/.test(path) && !await offered(path)) return null;
  try {
    return await ask(path, asked);
  } catch (error) {
    if (error instanceof Refused && [400, 403, 404, 405, 503].includes(error.status)) return null;
    throw error;
  }
}
