// All sessions: what runs now and what it waits for, what was, and how much went on when.
import { html, useCallback, useKeys, useNow, useTitle, useRef, useState, Cost, Empty, Failure, State, Text, Time } from "./ui.js";
import { command, cost, count, duration, elapsed, exact, isOver, milliseconds, oneLine, visible } from "./format.js";
import { sessions, status } from "./api.js";
import { useAnswer } from "./answers.js";
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

/** How long a session's command ran, so far if it goes on. */
export const length = (one, now) => (isOver(one) ? one.duration_ms : Math.max(one.duration_ms, now - milliseconds(one.started_at)));

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

/** All sessions, newest first, in as many questions as it takes; of more than one gives, what is new to those `known`. */
async function everything(known, signal) {
  const all = new Map();
  const add = (some) => some.forEach((one) => all.has(one.session_id) || all.set(one.session_id, one)); // one that begins meanwhile moves the others on
  for (let offset = 0, total = 1; offset < total; offset += AT_ONCE) {
    const found = await sessions(offset, AT_ONCE, signal);
    total = found.total;
    add(found.sessions);
    if (total > AT_ONCE && known.length > AT_ONCE) {
      add(known);
      break;
    }
  }
  return [...all.values()];
}

function fits(one, wanted) {
  const text = `${one.session_id} ${one.name ?? ""} ${one.prompt ?? ""} ${one.command?.join(" ") ?? ""} ${one.model ?? ""} ${one.state} ${one.cwd ?? ""} ${Object.keys(problems(one)).join(" ")}`.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** What is running and what was. The long list of all is asked for only when it is another. */
function useSessions() {
  const held = useRef({ all: [], mark: null }).current;
  const ask = useCallback(async (signal) => {
    const [{ sessions: running }, { total, sessions: [newest] }] = await Promise.all([status(signal), sessions(0, 1, signal)]);
    const mark = [total, newest?.session_id, ...running.map((one) => one.session_id)].join(" ");
    if (mark !== held.mark || held.all.some((one) => one.catching_up)) Object.assign(held, { all: await everything(held.all, signal), mark });
    return { running, all: held.all };
  }, []);
  // Some of it is only a matter of time: warnings, crashes, removed logs.
  return useAnswer(ask, { hears: () => true, wait: () => 300, beat: 5000 });
}

export function Home({ query }) {
  const [found, error, again] = useSessions();
  const { running, all } = found ?? { running: [], all: [] };
  const now = useNow(running.length > 0);
  const [wanted, setWanted] = useState("");
  const [chosenId, choose] = useState(null); // which it is, also when others come before it
  const search = useRef(null);
  const handle = useRef(null);
  const live = new Set(running.map((one) => one.session_id));
  const past = all.filter((one) => !live.has(one.session_id) && (!wanted || fits(one, wanted)));
  const listed = [...running, ...past];
  const chosen = listed.findIndex((one) => one.session_id === chosenId);
  useKeys((key) => {
    const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && listed.length) {
      const next = Math.min(listed.length - 1, Math.max(0, chosen + step));
      choose(listed[next].session_id);
      if (next >= running.length && !handle.current?.inView(next - running.length)) handle.current?.scrollTo(next - running.length);
      return true;
    }
    if (key === "Enter" && listed[chosen]) return go({ session: listed[chosen].session_id }), true;
    if (key === "/") return search.current?.focus(), true;
    return false;
  }, found !== null);
  const waiting = running.filter((one) => one.state === "waiting").length;
  useTitle(waiting ? `${waiting} waiting · claude-proxy` : "claude-proxy");
  if (!found) return html`<main class="home">${error ? html`<${Failure} error=${error.message} retry=${again} />` : html`<div class="loading" aria-busy="true">Reading sessions…</div>`}</main>`;
  if (!all.length && !running.length) {
    return html`<main class="home"><${Empty} title="No sessions yet">Put <code>claude-proxy</code> in front of <code>claude</code>, and the session appears here: <code>claude-proxy -- claude -p "hello"</code><//></main>`;
  }
  const spent = all.reduce((sum, one) => sum + (one.cost ?? 0), 0);
  return html`<main class="home">
    <section aria-labelledby="now"><div class="section-head"><h2 id="now">Now</h2><span class="faint">${running.length ? html`${running.length} running${waiting ? html`, <strong class="warn-text">${waiting} waiting for an answer</strong>` : ""}` : "nothing is running"}</span></div>
      ${running.length > 0 && html`<div class="cards">${running.map((one, index) => html`<${Card} key=${one.session_id} one=${one} now=${now} chosen=${index === chosen} />`)}</div>`}
    </section>
    <${Activity} />
    <section class="past-sessions" aria-labelledby="past"><div class="section-head"><h2 id="past">Past</h2><span class="faint num">${exact(all.length - running.length)} ${all.length - running.length === 1 ? "session" : "sessions"} · ${cost(spent)} in all</span>
      <input ref=${search} type="search" placeholder="Filter sessions  ( / )" aria-label="Filter sessions" value=${wanted} onInput=${(event) => { setWanted(event.target.value); choose(null); }}
        onKeyDown=${(event) => { if (event.key === "Escape") { setWanted(""); event.target.blur(); } if (event.key === "Enter") event.target.blur(), choose(past[0]?.session_id); }} /></div>
      ${past.length ? html`<div class="past past-head" aria-hidden="true"><span>state</span><span>name or prompt</span><span></span><span class="model">model</span><span class="num">turns</span><span class="num">duration</span><span class="num">cost</span><span class="started">started</span></div>
        <${List} class="past-list" count=${past.length} estimate=${36} fixed handle=${handle} label="Past sessions" row=${(index) => html`<${Line} one=${past[index]} chosen=${index + running.length === chosen} />`} />`
        : html`<${Empty} title=${wanted ? "No session fits" : "None has ended yet"}>${wanted && html`<button onClick=${() => setWanted("")}>Show all</button>`}<//>`}
    </section>
  </main>`;
}
