// One session: what it is and does, what can be taken along, and four ways to look at it.
import { html, useCallback, useKeys, useNow, useTitle, Copy, Cost, Empty, Failure, State, Text, Time } from "./ui.js";
import { count, duration, elapsed, exact, isOver, milliseconds, percent, visible } from "./format.js";
import { logPath, pagePath, said, session as fetchSession } from "./api.js";
import { useAnswer } from "./answers.js";
import { go as goTo, home, href } from "./router.js";
import { length, problems, project, title } from "./summary.js";
import { Acting } from "./acting.js";
import { Conversation } from "./conversation.js";
import { Timeline } from "./timeline.js";
import { Records } from "./records.js";
import { Analysis } from "./analysis.js";

const TABS = [["conversation", "Conversation", Conversation], ["timeline", "Timeline", Timeline], ["records", "Records", Records], ["analysis", "Analysis", Analysis]];

const Fact = ({ name, children }) => html`<dl class="fact"><dt>${name}</dt><dd>${children}</dd></dl>`;

/** A word as a shell takes it. */
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** What goes on with the conversation in a shell. */
const resume = (one) => `${one.cwd ? `cd ${quoted(one.cwd)} && ` : ""}claude --resume ${quoted(one.claude_session_id)}`;

/** What can be taken along of a session, and all else that is known of it. */
const More = ({ one }) => html`<details class="more"><summary>more</summary><div class="more-body">
  <div class="actions"><a class="button" href=${logPath(one.session_id)} download=${`${one.session_id}.jsonl`}>Download the log</a><a class="button" href=${pagePath(one.session_id)} download=${`${one.session_id}.html`}>Export as a page</a>
    ${one.claude_session_id && html`<${Copy} text=${resume(one)} label="Copy claude --resume" />`}${one.log && html`<${Copy} text=${one.log} label="Copy the log's path" />`}</div>
  <dl class="facts">
    <dt>id</dt><dd><code>${one.session_id}</code></dd>
    ${one.command?.length ? html`<dt>command</dt><dd><code><bdi dir="auto">${visible(one.command.join(" "))}</bdi></code></dd>` : null}
    ${one.cwd && html`<dt>folder</dt><dd><code>${visible(one.cwd)}</code></dd>`}
    ${one.log && html`<dt>log</dt><dd><code>${visible(one.log)}</code></dd>`}
    ${one.claude_code_version && html`<dt>Claude Code</dt><dd>${visible(one.claude_code_version)}, session <code>${visible(one.claude_session_id)}</code></dd>`}
    ${one.permission_mode && html`<dt>permissions</dt><dd>${visible(one.permission_mode)}</dd>`}
    <dt>state from</dt><dd>${visible(one.evidence?.message)}, <a href=${href({ session: one.session_id, tab: "records", seq: one.evidence?.seq })}>record ${one.evidence?.seq}</a> (${one.evidence?.source})</dd>
    ${one.pid && html`<dt>process</dt><dd class="num">${one.pid}</dd>`}
  </dl></div></details>`;

/** Calls of tools; those that failed lead to what failed. */
const Calls = ({ one }) => html`<${Fact} name="tool calls"><span class="num">${exact(one.tool_calls)}</span>${one.tool_failures > 0 && html`, <a class="bad-text num" href=${href({ session: one.session_id, filter: "failures" })}>${exact(one.tool_failures)} failed</a>`}${one.tool_denials > 0 && html`, <a class="num" href=${href({ session: one.session_id, filter: "permissions" })}>${exact(one.tool_denials)} denied</a>`}<//>`;

function Head({ one, now }) {
  const tokens = one.tokens ?? {};
  const read = (tokens.input ?? 0) + (tokens.cache_read ?? 0) + (tokens.cache_creation ?? 0);
  const wrong = Object.entries(problems(one));
  const over = isOver(one);
  const waiting = one.waits_for ?? [];
  return html`<div class="session-head">
    <div class="session-title"><${State} one=${one} /><h1><bdi dir="auto">${visible(title(one))}</bdi></h1></div>
    ${over && !one.catching_up && one.outcome && one.outcome !== "ok" && html`<p class=${`outcome outcome-${one.outcome}`}><${Text} value=${one.outcome_reason ?? one.outcome} /></p>`}
    ${one.recording && one.recording.state !== "recorded" && html`<p class="warning">${one.recording.state}: <${Text} value=${one.recording.why} /></p>`}
    ${one.problems?.map((problem) => html`<p class="warning"><${Text} value=${problem} /></p>`)}
    ${one.reachable === false && html`<p class="warning">The host <bdi>${visible(one.host)}</bdi> is unreachable. What is shown is as it was when it was heard last, at <${Time} value=${one.heard_at} />.</p>`}
    <div class="head-facts">
      <${Fact} name="duration"><span class="num">${(over ? duration : elapsed)(length(one, now)) || "–"}</span><//>
      <${Fact} name="cost">${one.cost === null || one.cost === undefined ? html`<span class="faint" title=${one.cost_reason ?? "Claude Code says what a turn cost when it is over"}>–</span>` : html`<span title=${one.cost_reason ?? ""}><${Cost} usd=${one.cost} /></span>`}<//>
      <${Fact} name="turns"><span class="num">${exact(one.turns)}</span><//>
      <${Calls} one=${one} />
      <${Fact} name="tokens">${read + (tokens.output ?? 0) === 0 ? html`<span class="faint">–</span>` : html`<span class="num" title=${`${exact(read)} in, of which ${exact(tokens.cache_read ?? 0)} from the cache; ${exact(tokens.output ?? 0)} out`}>${count(read)} in · ${count(tokens.output ?? 0)} out</span>`}<//>
      ${one.model && html`<${Fact} name="model"><bdi>${visible(one.model)}</bdi><//>`}
      ${one.cwd && html`<${Fact} name="project"><a href=${home({ in: project(one) })}><bdi>${visible(project(one))}</bdi></a><//>`}
      ${one.host && html`<${Fact} name="host"><a href=${home({ host: one.host })}><bdi>${visible(one.host)}</bdi></a>, team <a href=${home({ team: one.team })}><bdi>${visible(one.team)}</bdi></a><//>`}
      ${one.started_at && html`<${Fact} name="started"><${Time} value=${one.started_at} /><//>`}
      ${over && !one.catching_up && html`<${Fact} name="exit"><span class=${one.exit_code ? "bad-text" : ""}>${one.signal ?? one.exit_code ?? "none"}</span><//>`}
      <${More} one=${one} />
    </div>
    ${one.suspended && html`<p class="faint">The command is suspended.</p>`}
    ${one.background && html`<p class="faint">A shell runs in the background.</p>`}
    ${one.catching_up && html`<div class="progress" role="status"><progress value=${one.read_share ?? 0} max="1" aria-label="Read of the log"></progress><span class="faint">The server has read ${percent(one.read_share ?? 0)} of this session's log; figures are of that.</span></div>`}
    ${!over && html`<div class="waits-row">${!waiting.length && one.kind !== "monitoring" && html`<p class="waiting">waits for the next prompt</p>`}${waiting.map((wait) => html`<p class=${`waiting wait-${wait.what}`}>waits for <bdi>${visible(wait.label)}</bdi> for <span class="num">${elapsed(now - milliseconds(wait.since))}</span> · <a href=${href({ session: one.session_id, tab: "records", seq: wait.seq })}>record ${wait.seq}</a></p>`)}</div>`}
    ${!over && one.warnings?.map((warning) => html`<p class="warning"><${Text} value=${warning.message} /></p>`)}
    ${wrong.length > 0 && html`<p class="wrong">${wrong.map(([name, number]) => html`<a class=${`badge bad-${name}`} href=${href({ session: one.session_id, tab: "records", ...(name === "lost" ? { type: "recording_gap" } : { verdict: name }) })}>${exact(number)} ${name}</a>`)}</p>`}
  </div>`;
}

export function Session({ id, tab, query }) {
  const [one, error, again] = useAnswer(useCallback((signal) => fetchSession(id, signal), [id]), { hears: (event) => event.session_id === id, wait: () => 400, beat: 5000, first: said.get(id) });
  const running = one !== null && !isOver(one);
  const now = useNow(running);
  const go = useCallback((to, replace = false) => goTo({ session: id, ...to }, replace), [id]);
  useTitle(one ? `${running && one.state === "waiting" ? "waiting: " : ""}${visible(title(one))} · claude-proxy` : "claude-proxy");
  useKeys((key) => {
    const chosen = TABS[Number(key) - 1];
    if (chosen) return go({ tab: chosen[0] }), true;
    return false;
  });
  if (!one || error?.status === 404) {
    return html`<main class="session"><h1 class="hidden">Session ${id}</h1>${error?.status === 404 ? html`<${Empty} title="There is no such session">Its log may have been removed. <a href="#/">All sessions</a><//>` : error ? html`<${Failure} error=${error.message} retry=${again} /><p><a href="#/">All sessions</a></p>` : html`<div class="loading" aria-busy="true">Reading the session…</div>`}</main>`;
  }
  const [name, , View] = TABS.find(([key]) => key === tab) ?? TABS[0];
  return html`<main class="session">
    <nav class="crumbs" aria-label="Where"><a href="#/">Sessions</a> <span class="faint">/</span> <code class="faint">${id}</code></nav>
    <${Head} one=${one} now=${now} />
    <div class="tabs" role="tablist">${TABS.map(([key, label], index) => html`<a role="tab" aria-selected=${key === name ? "true" : "false"} href=${href({ session: id, tab: key })} title=${`${label} (${index + 1})`}>${label}</a>`)}</div>
    <div class="view" role="tabpanel"><${View} session=${one} query=${query} go=${go} running=${running} /></div>
    ${running && one.acting.grant !== "off" && !one.host && html`<${Acting} key=${id} session=${one} now=${now} />`}
  </main>`;
}
