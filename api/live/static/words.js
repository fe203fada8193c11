// The words of the console, each with what it means: a tooltip that also opens by keyboard and on touch.
import { el } from "./dom.js";

export const WORDS = {
  "Impressions": "How often a campaign was shown on a device.",
  "Clicks": "How often somebody tapped a campaign.",
  "CTR": "Click-through rate: clicks divided by impressions.",
  "Click-through rate": "Clicks divided by impressions.",
  "95 % interval": "Where the true rate lies with 95 % certainty, given how little or much was counted (Wilson's score interval).",
  "Suspect clicks": "Clicks that belong to a fraud alert. They are counted, and can be left out.",
  "Without suspect": "The click-through rate when suspect clicks are left out.",
  "Late": "Events that came after their window was closed; their windows are counted again.",
  "Quarantine": "What a proven sender sent and we could not use. It is kept, and can be replayed.",
  "Open alerts": "Bursts that go on now: an alert closes after a quiet time.",
  "Incident": "Alerts of one account about one thing: the same time, and a common device, place or campaign.",
  "Pane": "Ten seconds of event time; windows are made of panes.",
  "Observed": "What was counted in the strongest window.",
  "Expected": "What the subject's own past, or its peers, lead one to expect.",
  "Floor": "Below this count a rule says nothing.",
  "Lag": "Records in Kafka that a stage has not taken yet.",
  "Spool": "Events on the ingress's own disk while Kafka is away; they go to Kafka when it is back.",
  "Matched": "Impressions whose click has the same activity_id.",
  "GIVT": "General invalid traffic: found by routine filters (Media Rating Council).",
  "SIVT": "Sophisticated invalid traffic: takes analysis to find (Media Rating Council).",
};

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
