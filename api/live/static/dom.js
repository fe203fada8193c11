// Elements, and how a page that is there becomes the one that is wanted: only what differs is touched, so nothing flickers
// and focus, scroll and what is unfolded stay. Text only ever reaches the page as text.
const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onchange", "onsubmit", "onkeydown", "onpointerdown", "onpointermove", "onpointerup",
  "onpointerleave", "ondblclick", "onfocus"];

export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made[name] = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return made;
}

export function show(target, ...children) {
  const wanted = target.cloneNode(false);
  wanted.append(...children.flat(Infinity).filter(Boolean));
  become(target, wanted);
}

function become(live, wanted) {
  for (const name of HANDLERS) if (live[name] !== wanted[name]) live[name] = wanted[name];
  const own = ["DETAILS", "DIALOG"].includes(live.tagName) ? ["open"] : [];
  for (const { name } of [...live.attributes]) if (!wanted.hasAttribute(name) && !own.includes(name)) live.removeAttribute(name);
  for (const { name, value } of wanted.attributes) {
    if (!own.includes(name) && live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
  const named = new Map([...live.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  let at = live.firstChild;
  for (const next of [...wanted.childNodes]) {
    const key = next.dataset?.key;
    const same = key ? named.get(key) : at;
    if (same && alike(same, next)) {
      if (same === at) at = at.nextSibling;
      else live.insertBefore(same, at);
      if (same.nodeType === Node.TEXT_NODE) { if (same.data !== next.data) same.data = next.data; } else become(same, next);
    } else live.insertBefore(next, at);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  if (live.tagName === "SELECT" && document.activeElement !== live) {
    const chosen = [...live.options].findIndex((option) => option.hasAttribute("selected"));
    if (chosen >= 0) live.selectedIndex = chosen;
  }
}

const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.dataset?.key ?? "") === (b.dataset?.key ?? "");
