// What every view is made of: markup as template literals, hooks, and a few small components.
import { h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";
import { cost, dateTime, visible } from "./format.js";
export { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "./vendor/hooks.js";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "./vendor/hooks.js";

export const html = htm.bind(h);
export { render };

/** Redraws a view: the function that is returned. */
export const useRedraw = () => useReducer((n) => n + 1, 0)[1];

/** The moment in milliseconds, kept up to date while something runs. */
export function useNow(running = true, every = 1000) {
  const redraw = useRedraw();
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(redraw, every);
    return () => clearInterval(timer);
  }, [running, every]);
  return Date.now();
}

/** Names the window. */
export function useTitle(title) {
  useEffect(() => { document.title = title; }, [title]);
}

/** What was recorded: never markup, of any direction, with control characters made visible. */
export const Text = ({ value, class: name = "" }) =>
  html`<bdi dir="auto" class=${`text ${name}`}>${visible(value)}</bdi>`;

/** A button that copies a text. */
export function Copy({ text, label = "Copy", what = "" }) {
  const [done, setDone] = useState(false);
  const copy = async (event) => {
    event.stopPropagation();
    if (!(await copied(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button class="quiet copy" onClick=${copy} aria-label=${what ? `${label} ${what}` : undefined}>${done ? "Copied" : label}</button>`;
}

/** Puts a text on the clipboard; a page that came without encryption from another machine has none but the old way. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A sentence in which names stand between backticks. */
export const Sentence = ({ value }) =>
  html`<bdi dir="auto" class="text">${visible(value).split(/`([^`\n]+)`/).map((piece, index) => (index % 2 ? html`<code>${piece}</code>` : piece))}</bdi>`;

/** The state of a session; of one that is over, what became of it; of one whose log the server still reads, that it does. */
export const State = ({ one }) => {
  const over = one.state === "ended" || one.state === "failed";
  const state = one.catching_up ? "reading" : over ? one.outcome ?? one.state : one.state;
  return html`<span class=${`state state-${state}`} title=${one.catching_up ? "The server is still reading the log of this session" : one.outcome_reason ?? undefined}>${state}</span>`;
};

export const Time = ({ value }) =>
  value ? html`<time datetime=${value} title=${value}>${dateTime(value)}</time>` : null;

export const Cost = ({ usd }) => html`<span class="num">${cost(usd)}</span>`;

export const Empty = ({ title, children }) =>
  html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;

export const Failure = ({ error, retry }) =>
  html`<div class="failure" role="alert"><p>${error}</p>${retry && html`<button onClick=${retry}>Try again</button>`}</div>`;

/** Whether a key is meant for a field, and not for the page. */
const isTyping = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName ?? "");

/** Calls a handler with each key that is meant for the page; with those that come before it is `ready`, once it is. */
export function useKeys(handler, ready = true) {
  const redraw = useRedraw();
  const newest = useRef(null);
  const early = useRef([]).current;
  // In layout effects, so that what is seen hears already.
  useLayoutEffect(() => {
    newest.current = (key) => (ready ? handler(key) : void early.push(key));
    if (!ready || !early.length) return;
    handler(early.shift());
    if (early.length) redraw(); // the next one finds what this one has changed
  });
  useLayoutEffect(() => {
    const listen = (event) => {
      if (!isTyping(event) && !document.querySelector("dialog[open]") && newest.current(event.key)) event.preventDefault();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}
