// Acting on a session that was started with a grant: its open questions, and what stops it. Nothing is shown as done
// before the server says so: it tells what is on record, and what the wire shows of it.
import { html, useCallback, useEffect, useRef, useState, Text, Time } from "./ui.js";
import { elapsed, exact, milliseconds, visible } from "./format.js";
import { act as ask, actions, isFinal, questions } from "./api.js";
import { useAnswer } from "./answers.js";
import { href } from "./router.js";
import { Pieces } from "./json.js";

const SHOWN_ACTIONS = 3;
const SETTLED_MS = 600; // a question that has just taken the place of another is not answered by a click that was meant for that one
const TAKES_TOKEN = ["allow", "resume"];
const PLAIN = { interrupt: ["Interrupt", "Interrupt the turn; the session goes on"], pause: ["Pause", "Let no further tool start. A long pause costs money: the model's prompt cache expires"], resume: ["Resume", "Let tools start again"] };
const STOPS = { end: ["End it", "ask Claude Code to end"], drain: ["End its input", "the turn may finish"], term: ["Terminate it", "send SIGTERM"] };
const EFFECTS = { ran: "the tool ran", did_not_run: "the tool did not run", nothing_running: "nothing was running", exited: "the command has exited" };

/** Here alone: the wrapped agent runs as the same user, and could read what a browser stores. */
let token = null;

/** Has an action done: {act, doing, refused, wanting}; `wanting` an action that waits for a token. */
function useActing(id, done) {
  const [state, setState] = useState({ doing: null, refused: null, wanting: null });
  const act = async (wanted) => {
    if (TAKES_TOKEN.includes(wanted.action) && !token) return setState({ doing: null, refused: null, wanting: wanted });
    setState({ doing: wanted, refused: null, wanting: null });
    try {
      await ask(id, wanted, token);
      setState({ doing: null, refused: null, wanting: null });
    } catch (failure) {
      const [, code, why] = /^([a-z_]+): (.*)$/s.exec(failure.message) ?? [null, null, failure.message];
      const isUnknown = code === "token_needed" || code === "token_too_new";
      if (isUnknown) token = null;
      setState({ doing: null, refused: { wanted, why }, wanting: isUnknown ? wanted : null });
    }
    done();
  };
  const cancel = () => setState({ doing: null, refused: null, wanting: null });
  return { ...state, act, cancel };
}

function Token({ wanted, act, cancel }) {
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const given = (event) => {
    event.preventDefault();
    token = new FormData(event.target).get("token").trim() || null;
    act(wanted);
  };
  return html`<form class="token" onSubmit=${given}><label>Token with the scope <code>act</code> <input name="token" type="password" autocomplete="off" required ref=${field} /></label>
    <button>${PLAIN[wanted.action]?.[0] ?? (wanted.action === "allow" ? "Allow" : "Deny")}</button><button type="button" onClick=${cancel}>Cancel</button>
    <span class="faint">One that existed when the session began (<code>claude-proxy token create NAME --scope act</code>). It is kept until this page is left.</span></form>`;
}

/** The whole of what a tool is to be called with. */
function Input({ tool, value }) {
  const fields = value !== null && typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [["", value]];
  return html`<div class="question-input" tabindex="0" role="region" aria-label=${`Input of ${tool}`}><dl>${fields.map(([name, field]) => {
    const text = typeof field === "string" ? field : JSON.stringify(field, null, 2) ?? "";
    return html`<dt><bdi>${visible(name)}</bdi>${text.length > 200 && html` <span class="num">${exact(text.length)} characters</span>`}</dt><dd class="mono"><${Pieces} value=${text} /></dd>`;
  })}</dl></div>`;
}

function Question({ id, question, can, act, isReady, now }) {
  const reason = useRef(null);
  const tool = visible(question.tool ?? "a tool");
  const answer = (action, more) => act({ action, request_id: question.request_id, ...more });
  const deny = (more) => answer("deny", { message: reason.current.value.trim() || undefined, ...more });
  return html`<article class="question"><h3>May <bdi class="mono">${tool}</bdi> run? <span class="faint num">asked for ${elapsed(now - milliseconds(question.since))}${question.held ? ", held back while the session is paused" : ""} · <a href=${href({ session: id, tab: "records", seq: question.seq })}>record ${question.seq}</a></span></h3>
    ${question.reason && html`<p><${Text} value=${question.reason} /></p>`}
    <${Input} tool=${tool} value=${question.input} />
    <div class="answers">
      ${can.includes("allow") && html`<button class="allow" disabled=${!isReady} onClick=${() => answer("allow")}>Allow</button><button class="allow-session" disabled=${!isReady} title="Also what Claude Code suggests with it, until the session ends" onClick=${() => answer("allow", { remember: true })}>Allow for this session</button>`}
      ${can.includes("deny") && html`<input ref=${reason} aria-label=${`Why ${tool} may not run`} placeholder="Why not: the model is told" maxlength="60000" /><button class="deny" disabled=${!isReady} onClick=${() => deny()}>Deny</button><button class="deny-turn" disabled=${!isReady} onClick=${() => deny({ stop_turn: true })}>Deny, and end the turn</button>`}
    </div></article>`;
}

/** What became of an action, as the server tells it. */
const Done = ({ one, id }) => html`<li class=${`done done-${one.state}`}><a class="num" href=${href({ session: id, tab: "records", seq: one.seq })}><${Time} value=${one.requested_at} /></a> ${one.action}: <strong>${one.state}</strong> <bdi dir="auto">${visible(EFFECTS[one.effect] ?? one.effect ?? one.error ?? "")}</bdi>${one.by.name && html` <span class="faint">by <bdi>${visible(one.by.name)}</bdi></span>`}</li>`;

/** Whether the questions are the same for so long that a click on one is meant for it. */
function useSettled(found) {
  const which = found?.map((one) => one.request_id).join(" ");
  const [settled, setSettled] = useState(null);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(which), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [which]);
  return settled === which;
}

/** Questions and actions of a session that has a grant and goes on. */
export function Acting({ session, now }) {
  const id = session.session_id;
  const { can, paused } = session.acting;
  const look = useCallback(async (signal) => {
    const [{ questions: asked }, { actions: done }] = await Promise.all([questions(id, signal), actions(id, SHOWN_ACTIONS, signal)]);
    return { asked, done };
  }, [id]);
  const [found, error, again] = useAnswer(look, { hears: (event) => event.session_id === id && /^(action|permission|run)_/.test(event.event_type), wait: () => 100, beat: 5000 });
  const { act, doing, refused, wanting, cancel } = useActing(id, again);
  const isSettled = useSettled(found?.asked);
  const answered = new Set(found?.done.filter((one) => one.state === "sent").map((one) => one.args.request_id));
  return html`<section class="acting" aria-label="Acting on this session">
    ${found?.asked.map((one) => html`<${Question} key=${one.request_id} id=${id} question=${one} can=${can} act=${act} isReady=${!doing && isSettled && !answered.has(one.request_id)} now=${now} />`)}
    <div class="acting-bar">${paused && html`<span class="state state-waiting">paused</span>`}
      ${Object.entries(PLAIN).filter(([action]) => can.includes(action)).map(([action, [label, about]]) => html`<button class=${action} title=${about} disabled=${doing !== null} onClick=${() => act({ action })}>${label}</button>`)}
      <span role="status">${doing ? html`<span class="faint">${doing.action}: asked for…</span>` : refused && html`<span class="refused">${refused.wanted.action}: <${Text} value=${refused.why} /></span>`}${!refused && error && !isFinal(error) && html`<span class="refused">${error.message}</span>`}</span>
      <ul class="dones">${found?.done.map((one) => html`<${Done} key=${one.action_id} one=${one} id=${id} />`)}</ul>
      ${can.includes("stop") && html`<details class="stop"><summary class="button">Stop…</summary><div class="stops">${Object.entries(STOPS).map(([how, [label, about]]) => html`<button class=${`stop-${how}`} disabled=${doing !== null} onClick=${() => act({ action: "stop", how })}>${label} <span class="faint">${about}</span></button>`)}<p class="faint">Each goes on to SIGTERM and SIGKILL where the command does not go.</p></div></details>`}</div>
    ${wanting && html`<${Token} key=${wanting.action} wanted=${wanting} act=${act} cancel=${cancel} />`}
  </section>`;
}
