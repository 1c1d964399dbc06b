// The raw records of a session: every line that passed, with filters, search, and the whole of each.
import { html, useCallback, useEffect, useKeys, useLayoutEffect, useMemo, useRedraw, useRef, useState, Empty, Failure, Text } from "./ui.js";
import { bytes, clock, count, exact, oneLine, visible } from "./format.js";
import { Paged, isFinal, live, record, recordPath, records } from "./api.js";
import { useAnswer } from "./answers.js";
import { place } from "./router.js";
import { List, MOST_ROWS, afterwards } from "./virtual.js";
import { Tree } from "./json.js";

const ROW = 28;
const FIRST_TEXT = 20000;
const VERDICTS = ["valid", "invalid", "malformed", "unknown", "text"];
const STREAMS = ["stdin", "stdout", "stderr", "transcript", "proxy", "api", "log"];
const ARROWS = { stdin: "→", stdout: "←", stderr: "⇠", transcript: "≡", proxy: "·", api: "+", log: "!" };

function Line({ one, chosen, choose }) {
  const number = one.seq ?? "";
  return html`<button class=${`record verdict-${one.verdict ?? "none"} ${chosen ? "chosen" : ""}`} aria-pressed=${chosen ? "true" : "false"} onClick=${choose} tabindex="-1">
    <span class="num seq">${number}</span><span class="num when">${clock(one.ts)}</span>
    <span class=${`stream stream-${one.stream}`} title=${one.stream}><span aria-hidden="true">${ARROWS[one.stream] ?? "?"}</span> <span class="name">${one.stream}</span></span>
    <span class="verdict">${one.skipped ? "no record" : one.verdict === "valid" ? "" : one.verdict ?? ""}${one.forwarded === false ? " held back" : ""}</span>
    <bdi class="type" dir="auto">${visible(one.type)}</bdi>
    <bdi class="preview" dir="auto">${visible(oneLine(one.preview, 260))}</bdi>
    <span class="num size">${bytes(one.size)}</span>
  </button>`;
}

/** One record: first with long values shortened, whole on demand. */
function Detail({ session, seq, close, step }) {
  const [wholeOf, setWholeOf] = useState(null);
  const whole = wholeOf === seq;
  const brief = useRef(null);
  const ask = useCallback(async (signal) => {
    if (brief.current?.of !== seq) brief.current = { of: seq, ...(await record(session.session_id, seq, { max_text: FIRST_TEXT }, signal)) };
    const { of, type, size } = brief.current;
    return whole ? { ...(await record(session.session_id, seq, {}, signal)), of, type, size } : brief.current;
  }, [session.session_id, seq, whole]);
  const [shown, error, again] = useAnswer(ask);
  const isOther = shown?.of !== seq; // the one before, until this one is there
  const head = (about) => html`<header><h2><span class="num">#${seq}</span> ${about && html`<bdi>${visible(about.type || about.stream)}</bdi>`}</h2>
    <button class="quiet" onClick=${() => step(-1)} aria-label="Record before">↑</button><button class="quiet" onClick=${() => step(1)} aria-label="Next record">↓</button>
    <a class="quiet" href=${recordPath(session.session_id, seq)} download=${`${session.session_id}-${seq}.json`}>Save</a>
    <button class="quiet" onClick=${close} aria-label="Close">✕</button></header>`;
  if (error) return html`<aside class="detail" aria-label=${`Record ${seq}`}>${head()}<${Failure} error=${error.message} retry=${isFinal(error) ? null : again} /></aside>`;
  if (!shown) return html`<aside class="detail" aria-label=${`Record ${seq}`} aria-busy="true">${head()}<div class="loading">…</div></aside>`;
  const { of, seq: number, ts, session_id, stream, verdict, type, size, shortened, errors, ...rest } = shown;
  return html`<aside class="detail" aria-label=${`Record ${seq}`} aria-busy=${isOther || (whole && shortened) ? "true" : "false"}>
    ${head(isOther ? null : shown)}
    <div class="body">
    <dl class="facts"><dt>time</dt><dd class="num">${ts}</dd><dt>stream</dt><dd>${stream}</dd>${verdict && html`<dt>verdict</dt><dd class=${`verdict-${verdict}`}><span class="verdict">${verdict}</span></dd>`}<dt>size</dt><dd class="num">${bytes(size)}</dd></dl>
    ${errors?.length ? html`<ul class="errors">${errors.map((one) => html`<li><code>${visible(one.path || "/")}</code> <${Text} value=${one.message} /></li>`)}</ul>` : null}
    ${shortened && html`<p class="shortened">Long values are shortened. <button disabled=${isOther || whole} onClick=${() => setWholeOf(seq)}>Show all ${bytes(size)}</button></p>`}
    <${Tree} key=${`${of} ${shortened}`} value=${rest.message !== undefined && Object.keys(rest).length === 1 ? rest.message : rest} opened=${5} />
    </div>
  </aside>`;
}

function Chips({ label, names, counts, chosen, toggle }) {
  const there = names.filter((name) => counts[name] || chosen.includes(name));
  return html`<div class="chips" role="group" aria-label=${label}>${there.map((name) => html`<button class=${`chip ${label}-${name}`} aria-pressed=${chosen.includes(name) ? "true" : "false"} onClick=${() => toggle(name)}>${visible(name)} <span class="num faint">${count(counts[name] ?? 0)}</span></button>`)}</div>`;
}

const words = (text) => (text ? text.split(",").filter(Boolean) : []);

function tally(kinds, field) {
  const counts = {};
  for (const one of kinds ?? []) if (one[field]) counts[one[field]] = (counts[one[field]] ?? 0) + one.count;
  return counts;
}

export function Records({ session, query, go, running }) {
  const redraw = useRedraw();
  const handle = useRef(null);
  const search = useRef(null);
  const steps = useRef([]).current;
  const [text, setText] = useState(query.text ?? "");
  const [base, setBase] = useState(0);
  const filter = { stream: query.stream, verdict: query.verdict, type: query.type, text: query.text };
  const key = JSON.stringify(filter);
  const list = useMemo(() => {
    const page = async (offset, limit, signal) => {
      const { records: items, ...found } = await records(session.session_id, { offset, limit, max_text: 400, ...filter }, signal);
      return { items, ...found };
    };
    return new Paged(page, redraw);
  }, [session.session_id, key]);
  useEffect(() => {
    setBase(0);
    const stop = live.on((heard, reopened) => {
      if (reopened || heard.some((event) => event.session_id === session.session_id)) list.refresh();
    });
    return () => { stop(); list.close(); };
  }, [list]);
  useEffect(() => { list.refresh(); }, [list, session.last_record_at]);
  useLayoutEffect(() => setText(query.text ?? ""), [query.text]); // before the next key can come
  const set = (changes) => go({ tab: "records", ...place().query, ...changes }, true);
  const toggle = (name) => (word) => {
    const chosen = words(query[name]);
    set({ [name]: (chosen.includes(word) ? chosen.filter((one) => one !== word) : [...chosen, word]).join(",") });
  };
  const chosen = query.seq === undefined ? null : Number(query.seq);
  const rows = Math.max(0, Math.min(list.total - base, MOST_ROWS));
  const seen = useCallback((first, last) => list.ensure(base + first, base + last), [list, base]);
  const at = async (query, signal) => {
    let found;
    do found = await records(session.session_id, { limit: 1, max_text: 200, ...query, ...filter }, signal);
    while (!found.records.length && !found.complete);
    return found;
  };
  const reveal = (index) => {
    if (index >= base && index < base + rows && handle.current?.inView(index - base)) return;
    const start = index >= base && index < base + MOST_ROWS ? base : Math.max(0, index - 1000);
    setBase(start);
    afterwards(() => handle.current?.scrollTo(index - start));
  };
  useEffect(() => {
    // The list goes to the record that the address names, unless it shows it already.
    if (chosen === null || !list.known || !list.complete || document.querySelector(".record.chosen")) return undefined;
    const asking = new AbortController();
    at({ from_seq: chosen }, asking.signal).then((found) => reveal(found.position), () => {});
    return () => asking.abort();
  }, [chosen, list.known, list.complete, list]);
  /** Where the record is that is a step from the one of a number, and which it is: from the list, or where it is not there yet, from the server. */
  const neighbour = async (from, by) => {
    const item = async (index) => list.item(index) ?? (index < 0 ? undefined : (await at({ offset: index })).records[0]);
    let index = from === undefined ? base - by : list.find((one) => one.seq === from);
    if (from !== undefined && index < 0) {
      const found = await at({ from_seq: from });
      index = by > 0 && found.records[0]?.seq !== from ? found.position - 1 : found.position;
    }
    for (;;) {
      index += by;
      const one = await item(index);
      if (!one || one.seq !== null) return one && { index, seq: one.seq };
    }
  };
  const step = async (by) => {
    steps.push({ by, from: location.hash, neighbour, reveal });
    if (steps.length > 1) return; // one after the other
    while (steps.length) {
      const { by, from, neighbour, reveal } = steps[0];
      const isHere = () => location.hash === from; // who has gone elsewhere meanwhile stays there
      const { seq } = place().query;
      const found = isHere() && (await neighbour(seq === undefined ? seq : Number(seq), by).catch(() => null));
      steps.shift();
      if (!found || !isHere()) continue;
      set({ seq: found.seq });
      for (const later of steps) if (later.from === from) later.from = location.hash;
      reveal(found.index);
    }
  };
  useKeys((key) => {
    if (key === "/") return search.current?.focus(), true;
    if (key === "j" || key === "ArrowDown") return step(1), true;
    if (key === "k" || key === "ArrowUp") return step(-1), true;
    if (key === "Escape" && chosen !== null) return set({ seq: undefined }), true;
    return false;
  });
  useKeys((key) => {
    if (key === "G") return setBase(Math.max(0, list.total - MOST_ROWS)), afterwards(() => handle.current?.toEnd()), true;
    if (key === "g") return setBase(0), afterwards(() => handle.current?.scrollTo(0, "start")), true;
    return false;
  }, list.known);
  const kinds = list.about.kinds;
  const types = tally(kinds, "type");
  const narrowed = Object.values(filter).some(Boolean);
  const clear = () => set({ stream: undefined, verdict: undefined, type: undefined, text: undefined });
  return html`<section class=${`records ${chosen === null ? "" : "with-detail"}`}>
    <div class="filters">
      <form role="search" onSubmit=${(event) => { event.preventDefault(); set({ text }); }}>
        <input ref=${search} type="search" placeholder="Search in records  ( / )" aria-label="Search in records" maxlength="1000" value=${text}
          onInput=${(event) => setText(event.target.value)} onChange=${(event) => set({ text: event.target.value })}
          onKeyDown=${(event) => event.key === "Escape" && (event.target.blur(), event.preventDefault())} />
      </form>
      <${Chips} label="stream" names=${STREAMS} counts=${tally(kinds, "stream")} chosen=${words(query.stream)} toggle=${toggle("stream")} />
      <${Chips} label="verdict" names=${VERDICTS} counts=${tally(kinds, "verdict")} chosen=${words(query.verdict)} toggle=${toggle("verdict")} />
      <select aria-label="Type" value=${query.type ?? ""} onChange=${(event) => set({ type: event.target.value })}>
        <option value="">all types</option>
        ${Object.keys(types).sort().map((name) => html`<option value=${name} selected=${name === query.type}>${visible(name)} (${types[name]})</option>`)}
      </select>
      <span class="found num" role="status">${exact(list.total)} ${narrowed ? "found" : "records"}${list.complete ? "" : `, ${exact(list.about.searched)} searched…`}</span>
      ${narrowed && html`<button class="quiet" onClick=${clear}>Clear</button>`}
    </div>
    ${list.total > MOST_ROWS && html`<div class="stretch">${exact(base + 1)} to ${exact(base + rows)}
      <button disabled=${base === 0} onClick=${() => setBase(Math.max(0, base - MOST_ROWS))}>Earlier</button>
      <button disabled=${base + rows >= list.total} onClick=${() => setBase(base + MOST_ROWS)}>Later</button></div>`}
    <div class="panes">
      ${!list.known ? (list.error ? html`<${Failure} error=${list.error} retry=${() => list.refresh()} />` : html`<div class="loading" aria-busy="true">Reading the log…</div>`)
        : !list.total && list.complete ? html`<${Empty} title=${narrowed ? "No record fits" : "The log is empty"}>${narrowed ? html`<button onClick=${clear}>Show all records</button>` : "Records appear here as they are written."}<//>`
        : html`<${List} key=${key} class="record-list" count=${rows} estimate=${ROW} fixed seen=${seen} handle=${handle} follow=${running && chosen === null} label="Records"
          row=${(index) => {
            const one = list.item(base + index);
            return one ? html`<${Line} one=${one} chosen=${chosen !== null && one.seq === chosen} choose=${() => one.seq !== null && set({ seq: one.seq === chosen ? undefined : one.seq })} />` : html`<div class="record placeholder"></div>`;
          }} />`}
      ${chosen !== null && html`<${Detail} session=${session} seq=${chosen} step=${step} close=${() => set({ seq: undefined })} />`}
    </div>
  </section>`;
}
