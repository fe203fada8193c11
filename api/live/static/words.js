// The words of the console, each with what it means: a tooltip that also opens by keyboard and on touch.
import { el } from "./dom.js";
import { WORDS } from "./glossary.js";

export function term(word, shown = word) {
  const meaning = WORDS[word];
  if (!meaning) return shown;
  return el("span", { class: "term" }, shown, el("button", { type: "button", class: "what", "aria-label": `${word}: ${meaning}`, title: meaning, onclick: explain }, "?"));
}

function explain(event) {
  event.stopPropagation();
  const note = document.getElementById("note") ?? document.body.appendChild(el("p", { id: "note", role: "status", class: "note" }));
  const said = event.currentTarget.getAttribute("aria-label");
  note.textContent = note.textContent === said ? "" : said;
}
addEventListener("keydown", (event) => { if (event.key === "Escape") document.getElementById("note")?.replaceChildren(); });
