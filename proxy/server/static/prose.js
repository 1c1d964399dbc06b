// What was said, with the little markup that models use: code, emphasis, headings, lists. It becomes nodes, never HTML.
import { html } from "./ui.js";
import { visible } from "./format.js";

const INLINE = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)/g;
const LONGEST = 20000;

function inline(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) found.push(text.slice(from, match.index));
    found.push(match[1] ? html`<code>${match[1].slice(1, -1)}</code>` : html`<strong>${match[2].slice(2, -2)}</strong>`);
    from = match.index + match[0].length;
  }
  found.push(text.slice(from));
  return found;
}

const paragraph = (text) => html`<div class="text" dir="auto">${inline(text)}</div>`;

/** A sentence in which names stand between backticks. */
export const Sentence = ({ value }) => html`<bdi dir="auto" class="text">${inline(visible(value))}</bdi>`;

/** A text of an assistant or a user. */
export function Prose({ text }) {
  const shown = visible(text);
  if (shown.length > LONGEST) return html`<div class="text" dir="auto">${shown}</div>`;
  const parts = [];
  shown.split(/^```/m).forEach((part, index) => {
    if (index % 2) {
      const end = part.indexOf("\n");
      const language = end < 0 ? "" : part.slice(0, end).trim();
      parts.push(html`<pre class="code" dir="ltr" data-language=${language}>${end < 0 ? part : part.slice(end + 1).replace(/\n$/, "")}</pre>`);
      return;
    }
    let plain = [];
    const flush = () => {
      const text = plain.join("\n").replace(/^\n+|\n+$/g, "");
      if (text) parts.push(paragraph(text));
      plain = [];
    };
    for (const line of part.split("\n")) {
      const heading = /^#{1,6} +(.+)$/.exec(line);
      if (heading) {
        flush();
        parts.push(html`<div class="heading" dir="auto">${inline(heading[1])}</div>`);
      } else plain.push(line);
    }
    flush();
  });
  return html`<div class="prose">${parts}</div>`;
}
