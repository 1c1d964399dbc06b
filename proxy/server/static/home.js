// All sessions: a board of those that run, by what they need; how much went on; and a list of those that are over.
import { html, useCallback, useKeys, useMemo, useNow, useTitle, useRef, useState, Cost, Empty, Failure, State, Text, Time } from "./ui.js";
import { command, cost, count, duration, elapsed, exact, milliseconds, visible } from "./format.js";
import { everySession, sessions, status } from "./api.js";
import { useAnswer } from "./answers.js";
import { List } from "./virtual.js";
import { go, href } from "./router.js";
import { Activity, SHOWN, period, useCounted } from "./activity.js";
import { Search } from "./search.js";
import { length, place, problems, project, title } from "./summary.js";

const COLUMNS = [["Needs you", (one) => one.state === "waiting"], ["Working", (one) => one.state !== "waiting" && one.state !== "idle"], ["Idle", (one) => one.state === "idle"]];
const NARROWING = ["host", "team", "text", "outcome", "in", "show", "hours"];
const OUTCOMES = ["ok", "failed", "limited", "blocked", "interrupted", "crashed"];

// -- which are shown, and in which order -------------------------------------------------------------------------

const problematic = (one) => Object.keys(problems(one)).length > 0;
const SORTS = {
  started: (one) => one.started_at ?? "", name: (one) => title(one).toLowerCase(), project, model: (one) => one.model ?? "",
  turns: (one) => one.turns, tools: (one) => one.tool_calls, failed: (one) => one.tool_failures, duration: (one) => one.duration_ms, cost: (one) => one.cost ?? 0,
};

/** Whether a session is of some project and has some words about it. */
function fits(one, { text, in: where }) {
  if (where && project(one) !== where) return false;
  if (!text) return true;
  const said = `${one.session_id} ${one.name ?? ""} ${one.prompt ?? ""} ${one.command?.join(" ") ?? ""} ${one.model ?? ""} ${one.state} ${one.outcome ?? ""} ${one.cwd ?? ""} ${Object.keys(problems(one)).join(" ")}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => said.includes(word));
}

function sorted(list, by) {
  const name = by?.replace(/^-/, "");
  const key = SORTS[name];
  if (!key) return list; // newest first, as they come
  const sign = by.startsWith("-") ? -1 : 1;
  return [...list].sort((one, other) => (key(one) < key(other) ? -sign : key(one) > key(other) ? sign : 0));
}

/** How many there are of each. */
function tally(list, key, number = () => 1) {
  const found = new Map();
  for (const one of list) found.set(key(one), (found.get(key(one)) ?? 0) + number(one));
  return found;
}

// -- one session -------------------------------------------------------------------------------------------------

function Card({ one, now, chosen }) {
  const waiting = one.waits_for ?? [];
  return html`<a class=${`card card-${one.state} ${chosen ? "chosen" : ""}`} href=${href({ session: one.session_id })}>
    <div class="card-head"><${State} one=${one} /><span class="faint"><bdi>${visible(place(one))}</bdi></span>${one.reachable === false && html`<span class="badge bad-unknown">unreachable</span>`}<span class="grow"></span><span class="num faint" title="since the session began">${elapsed(length(one, now))}</span></div>
    <h3><bdi dir="auto">${visible(title(one))}</bdi></h3>
    <ul class="waits">${waiting.slice(0, 3).map((wait) => html`<li class=${`wait-${wait.what}`}><span>waits for <bdi>${visible(wait.label)}</bdi></span> <span class="num">${elapsed(now - milliseconds(wait.since))}</span></li>`)}${waiting.length > 3 && html`<li>and ${waiting.length - 3} more</li>`}</ul>
    ${one.warnings?.map((warning) => html`<p class="warning"><${Text} value=${warning.message} /></p>`)}
    <div class="card-foot"><span>${one.turns} ${one.turns === 1 ? "turn" : "turns"}</span>${one.tool_calls > 0 && html`<span>${exact(one.tool_calls)} ${one.tool_calls === 1 ? "call" : "calls"}${one.tool_failures > 0 && html`, <span class="bad-text">${exact(one.tool_failures)} failed</span>`}</span>`}<${Cost} usd=${one.cost} /><span class="grow"></span><span class="faint"><bdi>${visible((one.model ?? "").replace(/^claude-/, ""))}</bdi></span></div>
  </a>`;
}

function Line({ one, chosen }) {
  const wrong = Object.entries(problems(one));
  return html`<a class=${`past ${chosen ? "chosen" : ""}`} href=${href({ session: one.session_id })}>
    <${State} one=${one} /><span class="name"><bdi dir="auto">${visible(title(one))}</bdi></span>
    <span class="wrong">${one.recording && one.recording.state !== "recorded" && html`<span class="badge" title=${one.recording.why}>${one.recording.state}</span>`}${wrong.map(([name, number]) => html`<span class=${`badge bad-${name}`}>${number} ${name}</span>`)}</span>
    <span class="project" title=${visible(place(one))}><bdi>${visible(place(one))}</bdi></span><span class="model"><bdi>${visible((one.model ?? "").replace(/^claude-/, ""))}</bdi></span>
    <span class="num">${count(one.turns)}</span><span class="num calls">${one.tool_calls ? count(one.tool_calls) : ""}</span><span class="num bad-text failed">${one.tool_failures ? count(one.tool_failures) : ""}</span><span class="num">${duration(length(one, NaN))}</span><${Cost} usd=${one.cost} /><span class="started"><${Time} value=${one.started_at} /></span>
  </a>`;
}

const HEADS = [["", "outcome"], ["name", "name or prompt"], ["", ""], ["project", "project"], ["model", "model"], ["turns", "turns", "num"], ["tools", "calls", "num calls"], ["failed", "failed", "num failed"], ["duration", "duration", "num"], ["cost", "cost", "num"], ["started", "started", "started"]];

/** The headings of the list: by each it can be sorted, the largest first, or the other way round. */
const Heads = ({ sort, set }) => html`<div class="past past-head">${HEADS.map(([key, name, kind = key]) => {
  const way = sort === key ? "ascending" : sort === `-${key}` ? "descending" : undefined;
  const next = way === "descending" ? key : way === "ascending" ? undefined : `-${key}`;
  return key ? html`<button class=${`quiet ${kind}`} aria-label=${`Sort by ${name}${way ? `, now ${way}` : ""}`} onClick=${() => set({ sort: next })}>${name}${way ? (way === "descending" ? " ▾" : " ▴") : ""}</button>` : html`<span>${name}</span>`;
})}</div>`;

/** One word of a few to choose, with how many sessions there are of each. */
function Choice({ name, numbers, chosen, choose }) {
  const found = [...numbers].filter(([one]) => one).sort((one, other) => other[1] - one[1]);
  if (!found.length) return null;
  return html`<select class=${`choice-${name}`} aria-label=${name} value=${chosen ?? ""} onChange=${(event) => choose(event.target.value)}><option value="">all ${name}s</option>${found.map(([one, number]) => html`<option value=${one} selected=${one === chosen}>${visible(one)} (${number})</option>`)}</select>`;
}

function Outcomes({ list, query, set }) {
  const outcomes = tally(list, (one) => one.outcome);
  const chosen = (query.outcome ?? "").split(",").filter(Boolean);
  const toggle = (name) => set({ outcome: (chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]).join(",") });
  return html`<div class="chips" role="group" aria-label="Outcome">${OUTCOMES.filter((name) => outcomes.has(name) || chosen.includes(name)).map((name) => html`<button class=${`chip outcome-${name}`} aria-pressed=${chosen.includes(name) ? "true" : "false"} onClick=${() => toggle(name)}>${name} <span class="num faint">${count(outcomes.get(name) ?? 0)}</span></button>`)}</div>`;
}

/** What is looked for: a text that was said in any session, and which sessions are shown. */
function Choices({ everywhere, filter, list, hosts, query, set, chooseFirst }) {
  const ask = (event) => {
    if (event.key === "Enter") set({ said: event.target.value.trim() });
    if (event.key === "Escape") { event.target.value = ""; set({ said: undefined }); event.target.blur(); }
  };
  const narrow = (event) => {
    if (event.key === "Escape") { set({ text: undefined }); event.target.blur(); }
    if (event.key === "Enter") event.target.blur(), chooseFirst();
  };
  return html`<div class="ask"><div role="search"><input ref=${everywhere} type="search" placeholder="Search what was said in all sessions  ( s )" aria-label="Search what was said in all sessions" maxlength="1000" defaultValue=${query.said ?? ""} key=${query.said ?? ""} onKeyDown=${ask} /></div>
    <span class="grow"></span>${query.show && html`<button class="chip" aria-pressed="true" onClick=${() => set({ show: undefined, hours: undefined })}>${SHOWN[query.show] ?? query.show}${query.hours ? `, of ${period(query.hours)}` : ""} ✕</button>`}
    <${Choice} name="team" numbers=${tally(hosts, (one) => one.team, (one) => one.sessions)} chosen=${query.team} choose=${(value) => set({ team: value })} />
    <${Choice} name="host" numbers=${tally(hosts, (one) => one.name, (one) => one.sessions)} chosen=${query.host} choose=${(value) => set({ host: value })} />
    <${Choice} name="project" numbers=${tally(list, project)} chosen=${query.in} choose=${(value) => set({ in: value })} />
    <input ref=${filter} type="search" placeholder="Filter sessions  ( / )" aria-label="Filter sessions" value=${query.text ?? ""} onInput=${(event) => set({ text: event.target.value })} onKeyDown=${narrow} /></div>`;
}

// -- the page ----------------------------------------------------------------------------------------------------

/** What is running and what was. The long list of all is asked for only when it is another. */
function useSessions({ host, team }) {
  const held = useMemo(() => ({ all: [], mark: null }), [host, team]);
  const ask = useCallback(async (signal) => {
    const of = { host, team };
    const [{ sessions: running }, { total, sessions: [newest] }] = await Promise.all([status(of, signal), sessions(0, 1, of, signal)]);
    const mark = [total, newest?.session_id, ...running.map((one) => one.session_id)].join(" ");
    if (mark !== held.mark || held.all.some((one) => one.catching_up)) Object.assign(held, { all: await everySession(of, signal, held.all), mark });
    return { running, all: held.all };
  }, [held]);
  // Some of it is only a matter of time: warnings, crashes, removed logs.
  return useAnswer(ask, { hears: () => true, wait: () => 300, beat: 5000 });
}

function Board({ columns, chosen, now }) {
  let at = 0;
  return html`<div class="board">${columns.map(([name, list]) => html`<section class=${`column column-${name.toLowerCase().replace(" ", "-")}`} aria-label=${name}><h3>${name} <span class="num faint">${list.length}</span></h3>
    ${list.map((one) => html`<${Card} key=${one.session_id} one=${one} now=${now} chosen=${at++ === chosen} />`)}
    ${!list.length && html`<p class="faint none">none</p>`}</section>`)}</div>`;
}

export function Home({ query, hosts }) {
  const [found, error, again] = useSessions(query);
  const { running, all } = found ?? { running: [], all: [] };
  const now = useNow(running.length > 0);
  const [chosenId, choose] = useState(null); // which it is, also when others come before it
  const filter = useRef(null);
  const everywhere = useRef(null);
  const handle = useRef(null);
  const set = (changes) => { choose(null); go({ ...query, ...changes }, true); };
  const counted = useCounted(query.show, query.hours);
  const isShown = (one) => fits(one, query) && (!query.show || (query.show === "problems" ? problematic(one) : counted?.has(one.session_id)));
  const columns = COLUMNS.map(([name, isOf]) => [name, running.filter((one) => isOf(one) && isShown(one))]);
  const onBoard = columns.flatMap(([, list]) => list);
  const live = new Set(running.map((one) => one.session_id));
  const over = all.filter((one) => !live.has(one.session_id));
  const past = sorted(over.filter((one) => isShown(one) && (!query.outcome || query.outcome.split(",").includes(one.outcome))), query.sort);
  const listed = [...onBoard, ...past];
  const chosen = listed.findIndex((one) => one.session_id === chosenId);
  useKeys((key) => {
    const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && listed.length) {
      const next = Math.min(listed.length - 1, Math.max(0, chosen + step));
      choose(listed[next].session_id);
      if (next >= onBoard.length && !handle.current?.inView(next - onBoard.length)) handle.current?.scrollTo(next - onBoard.length);
      return true;
    }
    if (key === "Enter" && listed[chosen]) return go({ session: listed[chosen].session_id }), true;
    if (key === "/") return filter.current?.focus(), true;
    if (key === "s") return everywhere.current?.focus(), true;
    return false;
  }, found !== null);
  const waiting = running.filter(COLUMNS[0][1]).length;
  useTitle(waiting ? `${waiting} waiting · claude-proxy` : "claude-proxy");
  if (!found) return html`<main class="home"><h1 class="hidden">Sessions</h1>${error ? html`<${Failure} error=${error.message} retry=${again} />` : html`<div class="loading" aria-busy="true">Reading sessions…</div>`}</main>`;
  if (!all.length && !running.length && !query.host && !query.team) {
    return html`<main class="home"><h1 class="hidden">Sessions</h1><${Empty} title="No sessions yet">Put <code>claude-proxy</code> in front of <code>claude</code>, and the session appears here: <code>claude-proxy -- claude -p "hello"</code><//></main>`;
  }
  const spent = past.reduce((sum, one) => sum + (one.cost ?? 0), 0);
  const narrowed = NARROWING.some((name) => query[name]);
  return html`<main class="home"><h1 class="hidden">Sessions</h1>
    <${Choices} everywhere=${everywhere} filter=${filter} list=${all} hosts=${hosts} query=${query} set=${set} chooseFirst=${() => choose(past[0]?.session_id)} />
    ${query.said && html`<${Search} text=${query.said} all=${all} close=${() => set({ said: undefined })} />`}
    <section aria-labelledby="now"><div class="section-head"><h2 id="now">Now</h2><span class="faint">${running.length ? html`${running.length} running${waiting ? html`, <strong class="warn-text">${waiting} waiting for an answer</strong>` : ""}` : "nothing is running"}</span></div>
      ${running.length > 0 && html`<${Board} columns=${columns} chosen=${chosen} now=${now} />`}
    </section>
    ${!query.host && !query.team && html`<${Activity} />`}
    <section class="past-sessions" aria-labelledby="past"><div class="section-head"><h2 id="past">Over</h2><span class="faint num" role="status">${narrowed ? `${exact(past.length)} of ${exact(over.length)}` : exact(over.length)} ${over.length === 1 ? "session" : "sessions"} · ${cost(spent)} in all</span>
      <${Outcomes} list=${over} query=${query} set=${set} /></div>
      ${past.length ? html`<div class="past-table"><${Heads} sort=${query.sort} set=${set} />
        <${List} class="past-list" count=${past.length} estimate=${36} fixed handle=${handle} label="Sessions that are over" row=${(index) => html`<${Line} one=${past[index]} chosen=${index + onBoard.length === chosen} />`} /></div>`
        : html`<${Empty} title=${narrowed ? "No session fits" : "None has ended yet"}>${narrowed && html`<button onClick=${() => set(Object.fromEntries(NARROWING.map((name) => [name, undefined])))}>Show all</button>`}<//>`}
    </section>
  </main>`;
}
