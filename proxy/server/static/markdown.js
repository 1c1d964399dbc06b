// Markdown as nodes, never HTML: whatever stands in a text, no markup of its own reaches the page.
import { html, Copy } from "./ui.js";
import { highlighted } from "./highlight.js";
import { lexer } from "./vendor/marked.js";

const LONGEST = 20000; // beyond, a text is shown as it stands
const ADDRESS = /^(https?:|mailto:)/i;

const nodes = (tokens) => tokens?.map(node) ?? [];

/** What a text token says: the library escapes it for HTML, and here it is none. */
const plain = (token) => (token.tokens ? nodes(token.tokens) : token.raw ?? token.text);

function node(token) {
  switch (token.type) {
    case "paragraph": return html`<p dir="auto">${nodes(token.tokens)}</p>`;
    case "heading": return html`<div class=${`heading heading-${token.depth}`} dir="auto">${nodes(token.tokens)}</div>`;
    case "text": return plain(token);
    case "escape": return token.text;
    case "strong": return html`<strong>${nodes(token.tokens)}</strong>`;
    case "em": return html`<em>${nodes(token.tokens)}</em>`;
    case "del": return html`<del>${nodes(token.tokens)}</del>`;
    case "codespan": return html`<code>${token.raw.replace(/^`+ ?| ?`+$/g, "")}</code>`;
    case "br": return html`<br />`;
    case "hr": return html`<hr />`;
    case "code": return html`<${Code} text=${token.text} language=${token.lang?.split(/\s/)[0] ?? ""} />`;
    case "blockquote": return html`<blockquote>${nodes(token.tokens)}</blockquote>`;
    case "list": {
      const items = token.items.map((item) => html`<li dir="auto">${item.task && html`<span class="task">${item.checked ? "☑" : "☐"} </span>`}${nodes(item.tokens)}</li>`);
      return token.ordered ? html`<ol start=${token.start === 1 ? undefined : token.start}>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    case "table": return html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>${token.header.map((cell) => html`<th scope="col" dir="auto" class=${cell.align ?? ""}>${nodes(cell.tokens)}</th>`)}</tr></thead>
      <tbody>${token.rows.map((row) => html`<tr>${row.map((cell) => html`<td dir="auto" class=${cell.align ?? ""}>${nodes(cell.tokens)}</td>`)}</tr>`)}</tbody></table></div>`;
    case "link": return ADDRESS.test(token.href) ? html`<a href=${token.href} title=${token.href} target="_blank" rel="noopener noreferrer nofollow">${nodes(token.tokens)}</a>` : token.raw;
    case "space": return null;
    default: return token.raw; // markup, pictures, and what is not known: as it stands
  }
}

/** Code, in colours and to be copied. */
export const Code = ({ text, language }) => html`<div class="code-block"><${Copy} text=${text} /><pre class="code" dir="ltr" tabindex="0"><code>${highlighted(text, language.toLowerCase())}</code></pre></div>`;

/** A text of an assistant or a user, whose control characters are visible already. */
export function Markdown({ text }) {
  if (text.length > LONGEST) return html`<div class="text" dir="auto">${text}</div>`;
  return html`<div class="prose">${nodes(lexer(text, { gfm: true, breaks: false }))}</div>`;
}
