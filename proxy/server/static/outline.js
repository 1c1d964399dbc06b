// The turns of a session, each a step away.
import { html, useCallback } from "./ui.js";
import { exact, oneLine, visible } from "./format.js";
import { conversation } from "./api.js";
import { useAnswer } from "./answers.js";
import { href } from "./router.js";

const MOST = 1000;

/** Prompts with the ends of their turns: of a long session the newest. */
async function turns(id, signal) {
  const ask = (query) => conversation(id, { filter: "prompts,turns", max_text: 200, ...query }, signal);
  const { total } = await ask({ limit: 1 });
  const { entries } = await ask({ limit: MOST, offset: Math.max(0, total - MOST) });
  const found = [];
  for (const { seq, parts: [part] } of entries) {
    if (!part) continue;
    if (part.kind === "prompt") found.push({ seq, text: part.text || part.title });
    else if (found.length) Object.assign(found[found.length - 1], { tone: part.tone, title: part.title, figures: part.figures });
  }
  return { found, more: Math.max(0, total - MOST) };
}

export function Outline({ session, at }) {
  const id = session.session_id;
  const ask = useCallback((signal) => turns(id, signal), [id]);
  const [answer] = useAnswer(ask, { hears: (event) => event.session_id === id && event.event_type.startsWith("run_"), wait: () => 500 });
  const found = answer?.found ?? [];
  const current = found.findLastIndex((turn) => turn.seq <= (at ?? 0));
  return html`<nav class="outline" aria-label="Turns" aria-busy=${answer ? "false" : "true"}><h2>Turns <span class="faint num">${answer && exact(found.length)}</span></h2>
    ${answer?.more > 0 && html`<p class="faint">The newest; earlier ones are in the conversation.</p>`}
    <ol>${found.map((turn, index) => html`<li><a class=${`tone-${turn.tone ?? "open"}`} aria-current=${index === current ? "true" : undefined} href=${href({ session: id, seq: turn.seq })}>
      <span class="mark" aria-hidden="true"></span><bdi dir="auto">${visible(oneLine(turn.text, 90))}</bdi>
      <span class="faint num">${turn.title ? [turn.title, turn.figures?.[0]?.replace(/ \(.*/, "")].filter(Boolean).join(" · ") : "goes on"}</span></a></li>`)}</ol></nav>`;
}
