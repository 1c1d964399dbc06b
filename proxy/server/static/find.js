// Where in a session a text stands: the records that hold it, one after the other, with the text marked.
import { html, useEffect, useKeys, useRef, useState } from "./ui.js";
import { exact } from "./format.js";
import { records } from "./api.js";

const MOST = 1000;
const TYPES = "user,assistant,result";
const MARKS = 2000;

/** Marks a text where it stands in view, without a change of what is drawn. */
function mark(place, text) {
  if (!globalThis.CSS?.highlights) return;
  const ranges = [];
  const wanted = text.toLowerCase();
  const nodes = place && wanted ? document.createTreeWalker(place, NodeFilter.SHOW_TEXT) : null;
  for (let node = nodes?.nextNode(); node && ranges.length < MARKS; node = nodes.nextNode()) {
    const said = node.data.toLowerCase();
    for (let at = said.indexOf(wanted); at >= 0; at = said.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, Math.min(node.length, at + wanted.length));
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

export function Find({ session, go, place, sought = "", seq }) {
  const input = useRef(null);
  const [text, setText] = useState(sought);
  const [found, setFound] = useState(null);
  const [at, setAt] = useState(-1);
  const show = (seqs, index) => {
    const next = (index + seqs.length) % seqs.length;
    setAt(next);
    go({ seq: seqs[next] }, true);
  };
  useEffect(() => {
    setFound(null);
    setAt(-1);
    if (!text) return undefined;
    const asking = new AbortController();
    (async () => {
      for (let isFirst = text !== sought || seq === undefined; ; ) {
        const { records: some, total, complete, searched } = await records(session.session_id, { text, type: TYPES, limit: MOST, max_text: 200 }, asking.signal);
        const seqs = some.map((one) => one.seq);
        setFound({ seqs, total, complete, searched });
        if (text === sought && seqs.includes(Number(seq))) setAt(seqs.indexOf(Number(seq)));
        if (isFirst && seqs.length) {
          isFirst = false;
          show(seqs, 0);
        }
        if (complete) return;
      }
    })().catch(() => {});
    return () => asking.abort();
  }, [text, session.session_id]);
  useEffect(() => { // what is in view changes with every step and scroll
    if (!text) return mark(null, "");
    const look = () => mark(place.current?.querySelector(".said"), text);
    const timer = setInterval(look, 300);
    look();
    return () => { clearInterval(timer); mark(null, ""); };
  }, [text]);
  useKeys((key) => key === "/" && (input.current?.focus(), true));
  const step = (by) => found?.seqs.length && show(found.seqs, at + by);
  const keys = (event) => {
    if (event.key === "Escape") { setText(""); event.target.value = ""; event.target.blur(); event.preventDefault(); }
    if (event.key === "Enter") { event.preventDefault(); if (event.target.value === text) step(event.shiftKey ? -1 : 1); else setText(event.target.value); }
  };
  return html`<div class="find" role="search"><input ref=${input} type="search" placeholder="Find  ( / )" aria-label="Find in this session" maxlength="1000" defaultValue=${sought} onKeyDown=${keys} onChange=${(event) => setText(event.target.value)} />
    ${found && html`<span class="num faint" role="status">${found.seqs.length ? `${exact(at + 1)} of ${exact(found.total)}` : found.complete ? "nothing" : ""}${found.complete ? "" : `, ${exact(found.searched)} searched…`}</span>
      <button class="quiet" disabled=${!found.seqs.length} onClick=${() => step(-1)} aria-label="The one before">↑</button><button class="quiet" disabled=${!found.seqs.length} onClick=${() => step(1)} aria-label="The next one">↓</button>`}</div>`;
}
