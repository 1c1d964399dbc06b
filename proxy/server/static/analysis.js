// What a session did, where time and money went, and what stands out, each with the record that shows it.
import { html, Empty, Failure, Sentence, Text } from "./ui.js";
import { clock, cost, count, dollars, duration, exact, oneLine, percent, visible } from "./format.js";
import { Partial, useAnalysis, useApprovals, useDrift } from "./answers.js";
import { Chart } from "./charts.js";
import { href } from "./router.js";

const SHADES = { model: "model", tools: "tool", subagents: "task", turn: "model", permission: "answer", user: "other", background: "turn", compacting: "task", starting: "other", executing: "model", waiting: "answer", idle: "other", ended: "turn", failed: "failed" };

const Panel = ({ title, about, wide, children }) => html`<section class=${`panel ${wide ? "wide" : ""}`}><h2>${title}${about && html`<span class="faint num">${about}</span>`}</h2>${children}</section>`;

const Seq = ({ session, seq, children }) => (seq === null || seq === undefined ? null : html`<a href=${href({ session: session.session_id, tab: "records", seq })}>${children ?? `record ${seq}`}</a>`);

function Shares({ parts }) {
  const some = parts.filter((part) => part.share > 0);
  return html`<div class="shares" role="img" aria-label=${some.map((part) => `${part.name} ${percent(part.share)}`).join(", ")}>${some.map((part) => html`<span class=${`kind-${SHADES[part.name] ?? "other"}`} style=${{ flex: part.share }} title=${`${part.name}: ${duration(part.ms)}`}></span>`)}</div>
    <div class="share-list">${some.map((part) => html`<span class=${`kind-${SHADES[part.name] ?? "other"}`}>${part.name} <span class="num faint">${percent(part.share)} · ${duration(part.ms)}</span></span>`)}</div>`;
}

/** The records that show something: the first of them. */
function Evidence({ session, seqs }) {
  const some = seqs.filter((seq) => seq !== null && seq !== undefined).slice(0, 4);
  return html`<span class="evidence">${some.length > 0 && html`<span class="faint">${seqs.length > 1 ? "records" : "record"}</span>`} ${some.map((seq, index) => html`${index ? ", " : ""}<${Seq} session=${session} seq=${seq}>${seq}<//>`)}${seqs.length > some.length && ", …"}</span>`;
}

function Anomalies({ session, found }) {
  const more = Object.values(found.anomaly_counts ?? {}).reduce((sum, number) => sum + number, 0) - found.anomalies.length;
  return html`<${Panel} title="What stands out" about=${found.anomalies.length ? exact(found.anomalies.length + Math.max(0, more)) : ""} wide>
    ${found.anomalies.length ? found.anomalies.map((one) => html`<div class="anomaly"><span class="num faint">${clock(one.time, 0)}</span><span class=${`severity severity-${one.severity}`}>${one.severity}</span><${Sentence} value=${one.sentence} />
      <${Evidence} session=${session} seqs=${one.evidence?.records?.length ? one.evidence.records : [one.seq]} /></div>`)
      : html`<p class="faint">Nothing does: no gaps, loops, errors, unanswered questions or lines that the specification does not have.</p>`}
    ${more > 0 && html`<p class="faint">${exact(more)} more are not shown.</p>`}<//>`;
}

/** What the specification does not have, each with the first record that has it. */
function Drift({ session }) {
  const [found, error, look] = useDrift(session.session_id);
  const shown = found?.drift.slice(0, 100) ?? [];
  const more = (found?.drift.length ?? 0) - shown.length;
  return html`<${Panel} title="Drift" about=${shown.length ? exact(found.drift.length) : ""} wide>
    ${!found && error && html`<${Failure} error=${error.message} retry=${look} />`}
    ${shown.length > 0 && html`<table class="drift"><thead><tr><th scope="col">kind</th><th scope="col">stream</th><th scope="col">where</th><th scope="col">value</th><th scope="col" class="num">times</th></tr></thead><tbody>
      ${shown.map((one) => html`<tr><td>${one.kind}</td><td class="faint">${one.stream}</td><td><${Seq} session=${session} seq=${one.seq}><${Text} class="mono" value=${oneLine([one.type, one.subtype].filter(Boolean).join("/"), 120)} /> <${Text} class="mono" value=${oneLine(one.path, 120)} /><//></td>
        <td><${Text} class="mono" value=${oneLine(one.value)} /></td><td class="num">${exact(one.count)}</td></tr>`)}</tbody></table>`}
    ${found?.complete && !shown.length && html`<p class="faint">Nothing passed that the specification does not have.</p>`}
    ${found && !found.complete && html`<p class="faint">Reading the log…</p>`}
    ${(more > 0 || found?.unlisted > 0) && html`<p class="faint">There is more, which is not shown${more > 0 ? `: ${exact(more)} other things` : ""}.</p>`}<//>`;
}

function Tools({ tools, totals }) {
  const most = Math.max(1, ...tools.map((one) => one.duration.p95 ?? 0));
  const isDenied = totals.tool_denials > 0;
  return html`<${Panel} title="Tools" about=${`${exact(totals.tool_calls)} calls`}>
    ${tools.length ? html`<table><thead><tr><th scope="col">tool</th><th scope="col" class="num">calls</th><th scope="col" class="num">failed</th>${isDenied && html`<th scope="col" class="num">denied</th>`}<th scope="col" class="num">median</th><th scope="col" class="num">p95</th><td></td></tr></thead><tbody>
      ${tools.slice(0, 30).map((one) => html`<tr><td class="tool-name"><bdi class="mono">${visible(one.tool)}</bdi></td><td class="num">${exact(one.calls)}</td><td class=${`num ${one.failed ? "bad-text" : "faint"}`}>${exact(one.failed)}</td>${isDenied && html`<td class="num faint">${exact(one.denied)}</td>`}
        <td class="num">${duration(one.duration.median)}</td><td class="num">${duration(one.duration.p95)}</td><td class="meter"><span class="kind-tool" style=${{ width: `${((one.duration.p95 ?? 0) / most) * 100}%` }}></span></td></tr>`)}
    </tbody></table>` : html`<p class="faint">No tool was called.</p>`}<//>`;
}

function Costs({ found }) {
  const turns = found.turns ?? [];
  const costs = turns.map((turn) => turn.cost_usd ?? 0);
  const figures = found.cost;
  return html`<${Panel} title="Cost" about=${cost(figures.total_usd)}>
    ${turns.length > 1 && html`<${Chart} times=${turns.map((_, index) => index + 1)} values=${costs} x="turn" label="cost" colour="--accent" format=${cost} axis=${dollars} />`}
    <table><thead><tr><th scope="col">model</th><th scope="col" class="num">cost</th><th scope="col" class="num">in</th><th scope="col" class="num">from cache</th><th scope="col" class="num">out</th></tr></thead><tbody>
      ${(figures.by_model ?? []).map((one) => html`<tr><td><bdi>${visible(one.model)}</bdi></td><td class="num">${cost(one.cost_usd)}</td><td class="num">${count((one.tokens.input ?? 0) + (one.tokens.cache_creation ?? 0))}</td><td class="num">${count(one.tokens.cache_read ?? 0)}</td><td class="num">${count(one.tokens.output ?? 0)}</td></tr>`)}
    </tbody></table><//>`;
}

function Turns({ session, turns }) {
  const recent = turns.slice(-100).reverse();
  return html`<${Panel} title="Turns" wide>
    <table><thead><tr><th scope="col">started</th><th scope="col">prompt</th><th scope="col">outcome</th><th scope="col" class="num">duration</th><th scope="col" class="num">model</th><th scope="col" class="num">tools</th><th scope="col" class="num">calls</th><th scope="col" class="num">cost</th></tr></thead><tbody>
    ${recent.map((turn) => html`<tr><td class="when"><a href=${href({ session: session.session_id, tab: "conversation", seq: turn.seq })}>${clock(turn.started_at, 0)}</a></td><td><${Text} value=${oneLine(turn.prompt, 140)} /></td><td class=${turn.outcome === "completed" ? "faint" : "bad-text"}>${visible(turn.outcome)}</td>
      <td class="num">${duration(turn.duration_ms)}</td><td class="num">${duration(turn.activities?.model)}</td><td class="num">${duration(turn.activities?.tools)}</td><td class="num">${exact(turn.tool_calls)}</td><td class="num">${cost(turn.cost_usd)}</td></tr>`)}
    </tbody></table>${turns.length > recent.length && html`<p class="faint">The newest ${recent.length}.</p>`}<//>`;
}

const Steps = ({ patterns }) => html`<table><tbody>${patterns.slice(0, 8).map((one) => html`<tr><td><bdi>${visible(one.steps.join(" → "))}</bdi></td><td class="num">×${exact(one.count)}</td><td class="num faint">${percent(one.share)}</td></tr>`)}</tbody></table>`;

function Figures({ name, figures }) {
  if (!figures?.count) return null;
  return html`<tr><td>${name}</td><td class="num">${exact(figures.count)}</td><td class="num">${duration(figures.median)}</td><td class="num">${duration(figures.p95)}</td><td class="num">${duration(figures.max)}</td></tr>`;
}

/** Who or what allowed or denied the calls of tools. */
function Approvals({ session }) {
  const [found] = useApprovals(session.session_id);
  const rows = Object.entries(found?.counts ?? {}).sort(([one], [other]) => one.localeCompare(other));
  if (!rows.length) return null;
  const denied = (number) => (number ? html`<a href=${href({ session: session.session_id, filter: "permissions" })}>${exact(number)}</a>` : "0");
  return html`<${Panel} title="Who allowed each call" about=${exact(found.total)}><table class="approvals"><thead><tr><th scope="col">by</th><th scope="col" class="num">allowed</th><th scope="col" class="num">denied</th><th scope="col" class="num">undecided</th></tr></thead><tbody>
    ${rows.map(([by, of]) => html`<tr><td>${by}</td><td class="num">${exact(of.allow)}</td><td class="num">${denied(of.deny)}</td><td class="num">${exact(of.none)}</td></tr>`)}</tbody></table><//>`;
}

export function Analysis({ session }) {
  const [found, error, look] = useAnalysis(session);
  if (!found) return error ? html`<${Failure} error=${error.message} retry=${look} />` : html`<div class="loading" aria-busy="true">Reading the session…</div>`;
  if (!found.events) return html`<${Empty} title="Nothing to analyse yet">Figures appear here as the session goes on.<//>`;
  const patterns = [...(found.sequence.tool_patterns ?? [])];
  return html`<section class="analysis"><${Partial} found=${found} session=${session} /><div class="grid-cards">
    ${found.summary?.length ? html`<${Panel} title="In short" wide>${found.summary.map((sentence) => html`<p><${Sentence} value=${sentence} /></p>`)}<//>` : null}
    <${Anomalies} session=${session} found=${found} />
    <${Drift} session=${session} />
    <div class="columns"><${Panel} title="Where the time went" about=${duration(found.duration_ms)}><${Shares} parts=${found.time.activities.map((one) => ({ name: one.activity, ms: one.ms, share: one.share }))} />
      <table><thead><tr><td></td><th scope="col" class="num">stretches</th><th scope="col" class="num">median</th><th scope="col" class="num">p95</th><th scope="col" class="num">longest</th></tr></thead><tbody><${Figures} name="turns" figures=${found.time.turns} />${found.time.activities.map((one) => html`<${Figures} name=${one.activity} figures=${one.spans} />`)}</tbody></table><//>
    <${Panel} title="States"><${Shares} parts=${found.states.time.map((one) => ({ name: one.state, ms: one.ms, share: one.share }))} />
      <table><thead><tr><th scope="col">from</th><th scope="col">to</th><th scope="col" class="num">times</th><th scope="col" class="num">share</th></tr></thead><tbody>${found.states.transitions.slice(0, 12).map((one) => html`<tr><td>${one.from}</td><td>${one.to}</td><td class="num">${exact(one.count)}</td><td class="num faint">${percent(one.share)}</td></tr>`)}</tbody></table><//>
    <${Tools} tools=${found.tools} totals=${found.totals} />
    <${Costs} found=${found} />
    ${found.subagents.length > 0 && html`<${Panel} title="Subagents" about=${exact(found.totals.subagents)}><table><thead><tr><th scope="col">task</th><th scope="col">outcome</th><th scope="col" class="num">duration</th><th scope="col" class="num">calls</th><th scope="col" class="num">tokens</th></tr></thead><tbody>
      ${found.subagents.slice(0, 50).map((one) => html`<tr><td><${Seq} session=${session} seq=${one.seq}><bdi>${visible(oneLine(one.description || one.kind || one.id, 80))}</bdi><//></td><td>${visible(one.outcome)}</td><td class="num">${duration(one.duration_ms)}</td><td class="num">${exact(one.tool_calls)}</td><td class="num">${count(one.total_tokens)}</td></tr>`)}</tbody></table><//>`}
    ${found.permissions.requested > 0 && html`<${Panel} title="Permissions"><div class="figure-row"><span>${exact(found.permissions.requested)} asked</span><span>${exact(found.permissions.allowed)} allowed</span><span class=${found.permissions.denied ? "warn-text" : ""}>${exact(found.permissions.denied)} denied</span><span class=${found.permissions.unanswered ? "bad-text" : ""}>${exact(found.permissions.unanswered)} unanswered</span><span>median wait ${duration(found.permissions.waiting?.median)}</span></div><//>`}
    <${Approvals} session=${session} />
    ${found.commands.length > 0 && html`<${Panel} title="What the client asked for"><table><tbody>${found.commands.map((one) => html`<tr><td>${visible(one.action)}</td><td class="num">${exact(one.count)}</td><td class="faint">${Object.entries(one.outcomes).map(([name, number]) => `${number} ${name}`).join(", ")}</td></tr>`)}</tbody></table><//>`}
    ${patterns.length > 0 && html`<${Panel} title="Tools that follow each other"><${Steps} patterns=${patterns} /><//>`}
    </div>
    ${found.turns.length > 0 && html`<${Turns} session=${session} turns=${found.turns} />`}
  </div></section>`;
}
