// All sessions: what runs now and what it waits for, what was, and how much went on when.
import { html, useEffect, useKeys, useNow, useRedraw, useTitle, useRef, useState, Cost, Empty, Failure, State, Text, Time } from "./ui.js";
import { command, cost, count, duration, elapsed, exact, isOver, milliseconds, oneLine, visible } from "./format.js";
import { live, sessions, status } from "./api.js";
import { List } from "./virtual.js";
import { go, href } from "./router.js";
import { Activity } from "./activity.js";

const AT_ONCE = 1000;
const BAD = ["invalid", "malformed", "unknown"];

/** What a session is called: its name, its first prompt, or its command. */
export const title = (one) => one.name || (one.prompt && oneLine(one.prompt, 120)) || (one.command?.length ? oneLine(command(one.command), 120) : one.session_id);

/** What is wrong with a session's record: {invalid: 2, ...} */
export function problems(one) {
  const found = {};
  for (const verdicts of Object.values(one.counts ?? {})) {
    for (const name of BAD) if (verdicts[name]) found[name] = (found[name] ?? 0) + verdicts[name];
  }
  if (one.lost_records) found.lost = one.lost_records;
  return found;
}

/** What a session waits for, in words. */
export function waits(one) {
  switch (one.what) {
    case "answer": return one.kind === "can_use_tool" ? `permission for ${one.tool ?? "a tool"}` : `an answer to ${one.kind}`;
    case "tool": return `the tool ${one.tool}`;
    case "task": return `the task ${one.description || one.task_id}`;
    case "model": return "the model";
    default: return one.what;
  }
}

export const length = (one, now) => (milliseconds(one.ended_at) || (isOver(one) ? milliseconds(one.last_record_at) : now)) - milliseconds(one.started_at);

function Card({ one, now, chosen }) {
  const waiting = one.waits_for ?? [];
  return html`<a class=${`card card-${one.state} ${chosen ? "chosen" : ""}`} href=${href({ session: one.session_id })}>
    <div class="card-head"><${State} one=${one} /><span class="num faint" title="since the session began">${elapsed(length(one, now))}</span></div>
    <h3><bdi dir="auto">${visible(title(one))}</bdi></h3>
    <ul class="waits">${waiting.slice(0, 3).map((wait) => html`<li class=${`wait-${wait.what}`}><span>waits for <bdi>${visible(waits(wait))}</bdi></span> <span class="num">${elapsed(now - milliseconds(wait.since))}</span></li>`)}${waiting.length > 3 && html`<li>and ${waiting.length - 3} more</li>`}</ul>
    ${one.warnings?.map((warning) => html`<p class="warning"><${Text} value=${warning.message} /></p>`)}
    <div class="card-foot"><span>${one.turns} ${one.turns === 1 ? "turn" : "turns"}</span><${Cost} usd=${one.cost} /><span class="faint"><bdi>${visible(one.model ?? "")}</bdi></span></div>
  </a>`;
}

function Line({ one, chosen }) {
  const wrong = Object.entries(problems(one));
  return html`<a class=${`past ${chosen ? "chosen" : ""}`} href=${href({ session: one.session_id })}>
    <${State} one=${one} /><span class="name"><bdi dir="auto">${visible(title(one))}</bdi></span>
    <span class="wrong">${wrong.map(([name, number]) => html`<span class=${`badge bad-${name}`}>${number} ${name}</span>`)}${one.warnings?.some((warning) => warning.kind === "exit_without_result") && html`<span class="badge">no result</span>`}</span>
    <span class="model"><bdi>${visible((one.model ?? "").replace(/^claude-/, ""))}</bdi></span>
    <span class="num">${count(one.turns)}</span><span class="num">${duration(length(one, NaN))}</span><${Cost} usd=${one.cost} /><span class="started"><${Time} value=${one.started_at} /></span>
  </a>`;
}

/** All sessions, newest first, in as many questions as it takes. */
async function everything(known) {
  let all = [];
  let total = 1;
  for (let offset = 0; offset < total; offset += AT_ONCE) {
    const found = await sessions(offset, AT_ONCE);
    total = found.total;
    all = all.concat(found.sessions);
    if (!found.sessions.length || (offset === 0 && known > AT_ONCE)) break;
  }
  return all;
}

function fits(one, wanted) {
  const text = `${one.session_id} ${one.name ?? ""} ${one.prompt ?? ""} ${one.command?.join(" ") ?? ""} ${one.model ?? ""} ${one.state} ${one.cwd ?? ""} ${Object.keys(problems(one)).join(" ")}`.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** What is running and what was: fetched anew, at most once a second, when something happens. */
function useSessions() {
  const redraw = useRedraw();
  const held = useRef({ running: [], all: [], known: false, error: null }).current;
  useEffect(() => {
    let stopped = false;
    let timer = 0;
    let whole = true;
    const look = async () => {
      timer = 0;
      try {
        held.running = (await status()).sessions;
        if (whole) {
          whole = false;
          const fresh = await everything(held.all.length);
          const ids = new Set(fresh.map((one) => one.session_id));
          held.all = fresh.length < held.all.length && fresh.length === AT_ONCE ? [...fresh, ...held.all.filter((one) => !ids.has(one.session_id))] : fresh;
        }
        held.error = null;
      } catch (error) {
        held.error = error.message;
        whole = true;
      }
      held.known = true;
      if (!stopped) redraw();
    };
    const soon = (wait) => { timer ||= setTimeout(look, wait); };
    const stop = live.on((events, reopened) => {
      if (reopened || events.some((event) => ["session_started", "session_ended"].includes(event.event_type))) whole = true;
      if (reopened || events.length) soon(reopened ? 0 : 300);
    });
    look();
    const now = setInterval(() => soon(0), 5000); // what is only a matter of time: warnings, crashes, removed logs
    return () => { stopped = true; stop(); clearTimeout(timer); clearInterval(now); };
  }, []);
  return [held, redraw];
}

export function Home({ query }) {
  const [{ running, all, known, error }, redraw] = useSessions();
  const now = useNow(running.length > 0);
  const [wanted, setWanted] = useState("");
  const [chosen, setChosen] = useState(-1);
  const search = useRef(null);
  const handle = useRef(null);
  const ids = new Set(running.map((one) => one.session_id));
  const past = all.filter((one) => !ids.has(one.session_id) && (!wanted || fits(one, wanted)));
  const listed = [...running, ...past];
  useKeys((key) => {
    const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && listed.length) {
      const next = Math.min(listed.length - 1, Math.max(0, chosen + step));
      setChosen(next);
      if (next >= running.length && !handle.current?.inView(next - running.length)) handle.current?.scrollTo(next - running.length);
      return true;
    }
    if (key === "Enter" && listed[chosen]) return go({ session: listed[chosen].session_id }), true;
    if (key === "/") return search.current?.focus(), true;
    return false;
  });
  const waiting = running.filter((one) => one.state === "waiting").length;
  useTitle(waiting ? `${waiting} waiting · claude-proxy` : "claude-proxy");
  if (!known) return html`<main class="home"><div class="loading" aria-busy="true">Reading sessions…</div></main>`;
  if (!all.length && !running.length) {
    return html`<main class="home">${error ? html`<${Failure} error=${error} />` : html`<${Empty} title="No sessions yet">Put <code>claude-proxy</code> in front of <code>claude</code>, and the session appears here: <code>claude-proxy -- claude -p "hello"</code><//>`}</main>`;
  }
  const spent = all.reduce((sum, one) => sum + (one.cost ?? 0), 0);
  return html`<main class="home">
    <section aria-labelledby="now"><div class="section-head"><h2 id="now">Now</h2><span class="faint">${running.length ? html`${running.length} running${waiting ? html`, <strong class="warn-text">${waiting} waiting for an answer</strong>` : ""}` : "nothing is running"}</span></div>
      ${running.length > 0 && html`<div class="cards">${running.map((one, index) => html`<${Card} key=${one.session_id} one=${one} now=${now} chosen=${index === chosen} />`)}</div>`}
    </section>
    <${Activity} />
    <section class="past-sessions" aria-labelledby="past"><div class="section-head"><h2 id="past">Past</h2><span class="faint num">${exact(all.length - running.length)} sessions · ${cost(spent)} in all</span>
      <input ref=${search} type="search" placeholder="Filter sessions  ( / )" aria-label="Filter sessions" value=${wanted} onInput=${(event) => { setWanted(event.target.value); setChosen(-1); }}
        onKeyDown=${(event) => { if (event.key === "Escape") { setWanted(""); event.target.blur(); } if (event.key === "Enter") event.target.blur(), setChosen(running.length); }} /></div>
      ${past.length ? html`<div class="past past-head" aria-hidden="true"><span>state</span><span>name or prompt</span><span></span><span class="model">model</span><span class="num">turns</span><span class="num">duration</span><span class="num">cost</span><span class="started">started</span></div>
        <${List} class="past-list" count=${past.length} estimate=${36} fixed handle=${handle} label="Past sessions" row=${(index) => html`<${Line} one=${past[index]} chosen=${index + running.length === chosen} />`} />`
        : html`<${Empty} title=${wanted ? "No session fits" : "None has ended yet"}>${wanted && html`<button onClick=${() => setWanted("")}>Show all</button>`}<//>`}
    </section>
  </main>`;
}
