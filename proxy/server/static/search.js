// What was said in any session: those in which a text stands, newest first, each place a step away.
import { html, useEffect, useState, Failure, State, Time } from "./ui.js";
import { exact, visible } from "./format.js";
import { isFinal, said, search } from "./api.js";
import { href } from "./router.js";
import { project, title } from "./summary.js";

const AT_ONCE = 20;
const AGAIN_MS = 3000;

/** Sessions of several answers, each once: one that is looked through for two of them is in both. */
function together(found, more) {
  const last = found[found.length - 1];
  if (!last || last.session_id !== more[0]?.session_id) return [...found, ...more];
  const both = { ...last, records: [...last.records, ...more[0].records].slice(0, 3), total: last.total + more[0].total };
  return [...found.slice(0, -1), both, ...more.slice(1)];
}

const pause = (signal) => new Promise((done) => {
  const timer = setTimeout(done, AGAIN_MS);
  signal.addEventListener("abort", () => { clearTimeout(timer); done(); });
});

/** Looks for a text until there are `wanted` sessions or no more: {sessions, searched, total, complete, after, error}. */
function useSearch(text, wanted) {
  const none = { text, sessions: [], searched: 0, total: 0, complete: true, after: undefined, error: null };
  const [found, setFound] = useState(none);
  useEffect(() => {
    const asking = new AbortController();
    (async () => {
      let held = found.text === text ? found : none;
      setFound(held);
      while (held.after !== null && held.sessions.length < wanted && !asking.signal.aborted) {
        try {
          const { sessions, searched, complete, ...rest } = await search(text, { limit: AT_ONCE, after: held.after }, asking.signal);
          held = { ...held, ...rest, sessions: together(held.sessions, sessions), searched: held.searched + searched, complete: held.complete && complete, error: null };
        } catch (failure) {
          held = { ...held, error: failure.message, ...(isFinal(failure) ? { after: null } : {}) };
          if (!isFinal(failure)) await pause(asking.signal);
        }
        if (!asking.signal.aborted) setFound(held);
      }
    })();
    return () => asking.abort();
  }, [text, wanted]);
  return found.text === text ? found : none;
}

/** A line with the text marked where it stands. */
function Snippet({ value, text }) {
  const shown = visible(value);
  const at = shown.toLowerCase().indexOf(visible(text).toLowerCase());
  const end = at + visible(text).length;
  return html`<bdi dir="auto">${at < 0 ? shown : html`${shown.slice(0, at)}<mark>${shown.slice(at, end)}</mark>${shown.slice(end)}`}</bdi>`;
}

function Found({ one, about, text }) {
  return html`<article class="hit"><h3>${about && html`<${State} one=${about} /> `}<a href=${href({ session: one.session_id })}><bdi dir="auto">${visible(about ? title(about) : one.session_id)}</bdi></a>
      <span class="faint"><bdi>${visible(about ? project(about) : "")}</bdi> <${Time} value=${about?.started_at ?? one.records[0]?.ts} /></span></h3>
    <ul>${one.records.map((record) => html`<li><a class="num faint" href=${href({ session: one.session_id, seq: record.seq, find: text })}>record ${record.seq}</a> <${Snippet} value=${record.snippet} text=${text} /></li>`)}
      ${one.total > one.records.length && html`<li><a href=${href({ session: one.session_id, find: text })}>${exact(one.total - one.records.length)} more</a></li>`}</ul></article>`;
}

/** What was found of a text; `all` are the sessions that the page knows. */
export function Search({ text, all, close }) {
  const [wanted, setWanted] = useState(AT_ONCE);
  const { sessions, searched, total, complete, after, error } = useSearch(text, wanted);
  const isOver = after === null;
  const rests = !isOver && sessions.length >= wanted;
  const known = new Map(all.map((one) => [one.session_id, one]));
  return html`<section class="search-results" aria-labelledby="found"><div class="section-head"><h2 id="found">Said: <bdi>${visible(text)}</bdi></h2>
      <span class="faint num" role="status">${sessions.length ? `${exact(sessions.length)} ${sessions.length === 1 ? "session" : "sessions"}` : isOver ? "nobody said that" : ""}${isOver ? "" : total ? ` · ${exact(searched)} of ${exact(total)} looked through${rests ? "" : "…"}` : "looking…"}</span>
      ${!complete && html`<span class="warn-text">A log could not be read whole: there may be more.</span>`}<span class="grow"></span><button onClick=${close}>Close</button></div>
    ${error && html`<${Failure} error=${error} />`}
    ${sessions.map((one) => html`<${Found} key=${one.session_id} one=${one} about=${known.get(one.session_id) ?? said.get(one.session_id)} text=${text} />`)}
    ${rests && html`<button onClick=${() => setWanted(wanted + AT_ONCE)}>Look further</button>`}
  </section>`;
}
