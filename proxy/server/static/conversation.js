// A session as a conversation: entries as the server tells them, what to show of them, where to go in them.
import { html, useCallback, useEffect, useKeys, useMemo, useRedraw, useRef, useState, Empty, Failure } from "./ui.js";
import { exact } from "./format.js";
import { Paged, conversation, live } from "./api.js";
import { List, MOST_ROWS, afterwards } from "./virtual.js";
import { Entry } from "./entries.js";
import { Find } from "./find.js";
import { Outline } from "./outline.js";

const FILTERS = ["prompts", "answers", "tools", "permissions", "turns", "tasks", "notes", "session", "problems", "failures"];
const FARTHEST = 20000000;
const words = (text) => (text ? text.split(",").filter(Boolean) : []);

/** What is known of calls, by what has been fetched: their results, and the languages of the files that they read. */
function learn(calls, entries) {
  for (const { tool_use_id: id, parts } of entries) {
    if (!id) continue;
    for (const part of parts) {
      if (part.kind === "call" && part.title === "Read") calls.set(id, { ...calls.get(id), language: part.language });
      if (part.kind === "result") calls.set(id, { ...calls.get(id), outcome: { label: part.label, tone: part.tone, figures: part.figures, decided: part.decided } });
    }
  }
}

function Filters({ chosen, set }) {
  const toggle = (name) => set(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  return html`<div class="chips" role="group" aria-label="Show only">${FILTERS.map((name) => html`<button class=${`chip filter-${name}`} aria-pressed=${chosen.includes(name) ? "true" : "false"} onClick=${() => toggle(name)}>${name}</button>`)}</div>`;
}

export function Conversation({ session, query, go, running }) {
  const redraw = useRedraw();
  const handle = useRef(null);
  const place = useRef(null);
  const [chosen, setChosen] = useState(-1);
  const [base, setBase] = useState(0);
  const [following, setFollowing] = useState(true);
  const [opened, setOpened] = useState(false);
  const [outlined, setOutlined] = useState(innerWidth > 1180);
  const [inView, setInView] = useState(null);
  const id = session.session_id;
  const calls = useMemo(() => new Map(), [id]);
  const filter = query.filter ?? "";
  const list = useMemo(() => new Paged(async (offset, limit, signal) => {
    const { entries, total } = await conversation(id, { offset, limit, filter }, signal);
    learn(calls, entries);
    return { items: entries, total };
  }, redraw), [id, filter]);
  useEffect(() => {
    setBase(0);
    setChosen(-1);
    const stop = live.on((heard, reopened) => {
      if (reopened || heard.some((event) => event.session_id === id)) list.refresh();
    });
    return () => { stop(); list.close(); };
  }, [list]);
  useEffect(() => { list.refresh(); }, [list, session.events]); // also what the index takes in late, of which nothing is heard
  const rows = Math.max(0, Math.min(list.total - base, MOST_ROWS));
  const seen = useCallback((first, last) => {
    list.ensure(base + first, base + last);
    setInView(base + first);
  }, [list, base]);
  const wanted = query.seq === undefined ? null : Number(query.seq);
  const reveal = (index) => {
    const start = index >= base && index < base + MOST_ROWS ? base : Math.max(0, index - 1000);
    setBase(start);
    setChosen(index);
    afterwards(() => handle.current?.scrollTo(index - start, "start"));
  };
  useEffect(() => {
    if (wanted === null || !list.known) return undefined;
    const asking = new AbortController();
    conversation(id, { from_seq: wanted, limit: 1, filter }, asking.signal).then(({ offset }) => asking.signal.aborted || reveal(offset), () => {});
    return () => asking.abort();
  }, [wanted, list, list.known]);
  const toEnd = () => {
    setBase(Math.max(0, list.total - MOST_ROWS));
    setChosen(list.total - 1);
    afterwards(() => handle.current?.toEnd());
  };
  const toBeginning = () => {
    setBase(0);
    setChosen(0);
    afterwards(() => handle.current?.scrollTo(0, "start"));
  };
  const item = async (index) => list.item(index) ?? (await conversation(id, { offset: index, limit: 1, filter })).entries[0];
  const toRecord = async () => {
    const from = location.hash;
    const entry = await item(chosen).catch(() => null);
    if (entry && location.hash === from) go({ tab: "records", seq: entry.seq }); // who has gone elsewhere meanwhile stays there
  };
  useKeys((key) => {
    const step = { j: 1, k: -1, n: 1, p: -1 }[key];
    if (step && rows) {
      const next = nextTold(list, chosen, step, base, rows);
      setChosen(next);
      if (!handle.current?.inView(next - base)) handle.current?.scrollTo(next - base, "center");
      return true;
    }
    if (key === "Enter" && chosen >= 0) return document.querySelector(".event.chosen [aria-expanded], .event.chosen summary")?.click(), true;
    if (key === "r" && chosen >= 0) return toRecord(), true;
    if (key === "e") return setOpened(!opened), true;
    if (key === "o") return setOutlined(!outlined), true;
    if (key === "G") return toEnd(), true;
    if (key === "g") return toBeginning(), true;
    return false;
  }, list.known);
  const set = (names) => go({ filter: names.join(",") }, true);
  const atSeq = list.item(inView ?? -1)?.seq;
  const body = !list.known
    ? list.error ? html`<${Failure} error=${list.error} retry=${() => list.refresh()} />` : html`<div class="loading" aria-busy="true">Reading the conversation…</div>`
    : !list.total ? html`<${Empty} title=${filter ? "Nothing of that kind" : "Nothing was said yet"}>${filter ? html`<button onClick=${() => set([])}>Show everything</button>` : "What passes in this session appears here as it happens."}<//>`
    : html`<${List} key=${`${id} ${filter}`} count=${rows} estimate=${48} seen=${seen} handle=${handle} follow=${running && wanted === null} followed=${setFollowing} label="Conversation"
        row=${(index) => {
          const entry = list.item(base + index);
          return entry ? html`<${Entry} key=${base + index} entry=${entry} before=${list.item(base + index - 1)} session=${session} calls=${calls} chosen=${base + index === chosen} opened=${opened}
            whole=${async () => (await conversation(id, { offset: base + index, limit: 1, filter, max_text: FARTHEST })).entries[0]} />` : html`<div class="event placeholder"></div>`;
        }} />`;
  return html`<section class="conversation" ref=${place}>
    <div class="filters"><${Find} session=${session} go=${go} place=${place} sought=${query.find} seq=${query.seq} /><${Filters} chosen=${words(filter)} set=${set} />
      <span class="grow"></span><button aria-pressed=${opened ? "true" : "false"} onClick=${() => setOpened(!opened)} title="e">${opened ? "Fold all" : "Expand all"}</button>
      <button aria-pressed=${outlined ? "true" : "false"} onClick=${() => setOutlined(!outlined)} title="o">Outline</button></div>
    <div class="panes"><div class="said">${body}
      <div class="foot"><span class="num">${exact(list.total)} ${list.total === 1 ? "entry" : "entries"}</span>
        ${list.total > MOST_ROWS && html`<span class="stretch">${exact(base + 1)} to ${exact(base + rows)} <button disabled=${base === 0} onClick=${() => setBase(Math.max(0, base - MOST_ROWS))}>Earlier</button><button disabled=${base + rows >= list.total} onClick=${() => setBase(base + MOST_ROWS)}>Later</button></span>`}
        <button class="quiet" onClick=${toBeginning}>Beginning</button>
        ${running && following ? html`<span class="link link-open" role="status">following</span>` : html`<button class="quiet" onClick=${toEnd}>${running ? "End, and follow" : "End"}</button>`}</div></div>
      ${outlined && html`<${Outline} session=${session} at=${atSeq} />`}</div>
  </section>`;
}

/** The next entry from one on that says something. */
function nextTold(list, from, step, base, rows) {
  let at = from;
  for (let tries = 0; tries < 200; tries += 1) {
    const next = Math.min(base + rows - 1, Math.max(base, at + step));
    if (next === at) return from < 0 ? base : from;
    at = next;
    if (list.item(at)?.parts.length !== 0) return at;
  }
  return at;
}
