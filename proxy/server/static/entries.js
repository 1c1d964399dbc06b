// What is told of a session, drawn: the server says who says what, and this file only how it looks.
import { html, useEffect, useRedraw, useState, Copy, Failure } from "./ui.js";
import { clock, day, exact, oneLine, visible } from "./format.js";
import { href } from "./router.js";
import { Code, Markdown } from "./markdown.js";
import { highlighted, onLanguage } from "./highlight.js";
import { LongText, Tree } from "./json.js";

const LONG = 20000;
const OPENED_LINES = 40;

/** Lines of which, when there are more than `most`, the middle is folded away: what failed stands at the end. */
function Folded({ text, lines: most, children: draw }) {
  const [open, setOpen] = useState(false);
  const lines = text.split("\n");
  if (open || !most || lines.length <= most + 1) {
    return html`${draw(text)}${open && html`<button class="quiet fold" aria-expanded="true" onClick=${() => setOpen(false)}>Show less</button>`}`;
  }
  const head = Math.ceil(most / 2);
  const tail = most - head;
  return html`${draw(lines.slice(0, head).join("\n"))}<button class="quiet fold" aria-expanded="false" onClick=${() => setOpen(true)}>⋯ ${exact(lines.length - most)} more lines</button>${draw(lines.slice(-tail).join("\n"))}`;
}

function Body({ part, language, opened }) {
  const text = visible(part.text ?? "").replace(/^\n+|\n+$/g, "");
  if (part.diff) return html`<${Diff} lines=${part.diff} language=${part.language} />`;
  if (!text) return null;
  if (text.length > LONG) return html`<${LongText} value=${text} />`;
  if (part.form === "markdown") return html`<${Markdown} text=${text} />`;
  const draw = part.form === "code"
    ? (some) => html`<pre class="text mono" dir="auto">${highlighted(some, part.language || language)}</pre>`
    : (some) => html`<div class="text" dir="auto">${some}</div>`;
  return html`<${Folded} text=${text} lines=${opened ? 0 : part.lines}>${draw}<//>`;
}

const SIGNS = { "+": "added", "-": "removed", "@": "left-out" };

const Diff = ({ lines, language }) => html`<div class="diff" role="group" aria-label="Change">${lines.map(([sign, text]) => html`<div class=${SIGNS[sign] ?? "same"}><span class="sign" aria-hidden="true">${sign === "@" ? "⋯" : sign}</span><code dir="auto">${highlighted(visible(text), language)}</code></div>`)}</div>`;

/** Who or what allowed or denied a call. */
const Decided = ({ by }) => by && html`<span class="decided" title="who or what decided whether it may run">${by}</span>`;

const Figures = ({ part }) => (part.figures || part.decided) && html`<span class="figures"><${Decided} by=${part.decided} /> ${part.figures?.join(" · ")}</span>`;

/** A call of a tool: one line, with its change, command or input to be opened. */
function Call({ part, outcome, opened }) {
  const isShort = part.diff && part.diff.length <= OPENED_LINES;
  const [own, setOwn] = useState(null);
  const open = own ?? (opened || isShort);
  const hasMore = part.diff || part.text || part.fields;
  const head = html`<span class="mark" aria-hidden="true">${hasMore ? (open ? "▾" : "▸") : "·"}</span><bdi class="tool">${visible(part.title)}</bdi><bdi class="call-summary" dir="auto">${visible(part.summary ?? "")}</bdi>
    <span class="figures">${outcome ? html`<span class=${outcome.tone}>${outcome.label === "result" ? "" : outcome.label}</span> <${Decided} by=${outcome.decided} /> ${outcome.figures?.[0]}` : html`<span class="running">runs…</span>`}</span>`;
  return html`<div class="call">
    ${hasMore ? html`<button class="call-head" aria-expanded=${open ? "true" : "false"} onClick=${() => setOwn(!open)}>${head}</button>` : html`<div class="call-head">${head}</div>`}
    ${open && hasMore && html`<div class="call-input"><${Body} part=${part} opened=${opened} />${part.fields && html`<${Tree} value=${part.fields} opened=${2} />`}</div>`}
  </div>`;
}

function Thinking({ part, opened }) {
  if (!part.text) return html`<span class="faint">thinking, ${part.title}</span>`;
  return html`<details class="thinking" open=${opened}><summary>thinking <span class="faint">${visible(oneLine(part.text, 120))}</span></summary><div class="text" dir="auto">${visible(part.text)}</div></details>`;
}

function Part({ part, outcome, language, opened, isNext }) {
  switch (part.kind) {
    case "prompt": return html`<div class="prompt"><div class="who">${part.label}${part.title && html` <span class="faint">${visible(part.title)}</span>`}</div><${Body} part=${part} /></div>`;
    case "answer": return html`<div class="answer"><${Body} part=${part} /></div>`;
    case "thinking": return html`<${Thinking} part=${part} opened=${opened} />`;
    case "call": return html`<${Call} part=${part} outcome=${outcome} opened=${opened} />`;
    case "result": return html`<div class=${`result tone-${part.tone}`}>${!isNext && html`<span class="result-head"><span class="word">${part.label === "result" ? "" : part.label}</span> <bdi>${visible(part.title)}</bdi> <${Figures} part=${part} /></span>`}<${Body} part=${part} language=${language} opened=${opened} /></div>`;
    default: return html`<div class=${`note note-${part.kind} tone-${part.tone ?? ""}`}><span class="word">${part.label}</span> <bdi dir="auto">${visible(part.title ?? "")}</bdi> <bdi class="faint" dir="auto">${visible(part.summary ?? "")}</bdi> <${Figures} part=${part} />
      <${Body} part=${part} opened=${opened} />${part.fields && html`<${Tree} value=${part.fields} opened=${1} />`}</div>`;
  }
}

/** What an entry says, to be copied. */
const copyable = (parts) => parts.map((part) => [part.kind === "call" ? `${part.title} ${part.summary ?? ""}` : "", part.text, part.diff?.map(([sign, text]) => `${sign} ${text}`).join("\n"), part.fields && JSON.stringify(part.fields, null, 2)].filter(Boolean).join("\n")).join("\n");

/**
 * One entry. `calls` knows what became of calls, and in which language their results are; `whole` asks for all of an
 * entry that is shortened.
 */
export function Entry({ entry, before, session, calls, chosen, opened, whole }) {
  const redraw = useRedraw();
  const [[full, error], setFull] = useState([null, null]);
  useEffect(() => onLanguage(redraw), []);
  const shown = full ?? entry;
  if (!entry.parts.length) return null;
  const depth = Math.min(entry.depth ?? 0, 5);
  const about = calls.get(entry.tool_use_id);
  const showAll = () => whole().then((found) => setFull([found, null]), (failure) => setFull([null, failure.message]));
  const at = entry.seq === undefined || entry.seq === null ? undefined : href({ session: session.session_id, tab: "records", seq: entry.seq });
  return html`<article class=${`event event-${entry.parts[entry.parts.length - 1].kind} ${chosen ? "chosen" : ""} depth-${depth}`} aria-current=${chosen ? "true" : undefined}>
    <div class="when"><a class="num" href=${at} title=${`${entry.timestamp}\nrecord ${entry.seq ?? ""}`}>${(!before || day(before.timestamp) !== day(entry.timestamp)) && html`<span class="day">${day(entry.timestamp)}</span> `}${clock(entry.timestamp, 0)}</a>${depth > 0 && entry.parts[0].kind !== "result" && html`<span class="sub">subagent</span>`}</div>
    <div class="what">${shown.parts.map((part) => html`<${Part} part=${part} outcome=${about?.outcome} language=${about?.language} opened=${opened} isNext=${entry.tool_use_id && before?.tool_use_id === entry.tool_use_id && before?.parts[0]?.kind === "call"} />`)}
      ${error && html`<${Failure} error=${error} retry=${showAll} />`}
      ${entry.shortened && !full && html`<span class="shortened"><button class="quiet" onClick=${showAll}>Shortened: show all of it</button> <a class="quiet" href=${at}>record ${entry.seq}</a></span>`}</div>
    <${Copy} text=${copyable(shown.parts)} what="this entry" />
  </article>`;
}
