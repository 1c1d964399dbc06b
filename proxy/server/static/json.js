// A JSON value to look into: a tree that is made as it is opened, with long texts in pieces.
import { html, useState } from "./ui.js";
import { exact, visible } from "./format.js";

const SHOWN_ITEMS = 100;
const SHOWN_TEXT = 600;
const PIECE = 20000;

const kind = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** A text of any length, in pieces of which the browser lays out those in view. */
export function Pieces({ value }) {
  const pieces = [];
  for (let at = 0; at < value.length; ) {
    let end = Math.min(value.length, at + PIECE);
    const line = value.indexOf("\n", end);
    if (line > 0 && line - end < PIECE) end = line + 1;
    pieces.push(value.slice(at, end));
    at = end;
  }
  return pieces.map((piece) => html`<div class=${`text ${pieces.length > 1 ? "piece" : ""}`} dir="auto">${visible(piece)}</div>`);
}

/** A long text in a region of its own. */
export const LongText = ({ value }) => html`<div class="long-text" tabindex="0" role="region" aria-label="Text"><${Pieces} value=${value} /></div>`;

function Word({ value }) {
  const [open, setOpen] = useState(false);
  const type = kind(value);
  if (type !== "string") return html`<span class=${`json-${type}`}>${String(value)}</span>`;
  if (value.length <= SHOWN_TEXT) return html`<bdi class="json-string text" dir="auto">${visible(value)}</bdi>`;
  if (open) return html`<button class="quiet" onClick=${() => setOpen(false)}>less</button><${LongText} value=${value} />`;
  return html`<bdi class="json-string text" dir="auto">${visible(value.slice(0, SHOWN_TEXT))}…</bdi> <button class="quiet" onClick=${() => setOpen(true)}>all ${exact(value.length)} characters</button>`;
}

function Node({ name, value, depth, opened }) {
  const type = kind(value);
  const nested = type === "object" || type === "array";
  const names = nested ? Object.keys(value) : [];
  const [open, setOpen] = useState(depth < opened && names.length <= 40);
  const [most, setMost] = useState(SHOWN_ITEMS);
  const key = name === undefined ? null : html`<bdi class="json-key" dir="auto">${visible(name)}</bdi>`;
  if (!nested || !names.length) {
    return html`<div class="json-leaf">${key} ${nested ? html`<span class="json-null">${type === "array" ? "[]" : "{}"}</span>` : html`<${Word} value=${value} />`}</div>`;
  }
  const size = type === "array" ? `[${names.length}]` : `{${names.length}}`;
  return html`<div class="json-node">
    <button class="json-toggle" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}><span class="mark">${open ? "▾" : "▸"}</span>${key ?? html`<span class="json-null">value</span>`} <span class="json-size">${size}</span></button>
    ${open && html`<div class="json-inner">
      ${names.slice(0, most).map((one) => html`<${Node} key=${one} name=${type === "array" ? `${one}` : one} value=${value[one]} depth=${depth + 1} opened=${opened} />`)}
      ${names.length > most && html`<button class="quiet" onClick=${() => setMost(most + 1000)}>${exact(names.length - most)} more</button>`}
    </div>`}
  </div>`;
}

export const Tree = ({ value, opened = 4 }) => html`<div class="json"><${Node} value=${value} depth=${0} opened=${opened} /></div>`;
