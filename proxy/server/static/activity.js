// How much went on when, over all sessions: events, cost, tools.
import { html, useCallback, useMemo, useState } from "./ui.js";
import { cost, count, dollars, duration, exact, visible } from "./format.js";
import { events, metrics } from "./api.js";
import { useAnswer } from "./answers.js";
import { Chart } from "./charts.js";
import { home } from "./router.js";

export const HOUR = 3600000;
const PERIODS = [["24 hours", 24], ["7 days", 168], ["30 days", 720]];
const MOST_COUNTED = 10000;

/** What is counted, by the sessions in which it happened: the event that says so, and what it says. */
const COUNTED = {
  "failed-turns": ["run_failed", ({ subtype, outcome }) => subtype && outcome !== "limited" && outcome !== "blocked"],
  "failed-tools": ["tool_failed", ({ tool, interrupted }) => tool !== undefined && interrupted !== true],
  denied: ["tool_denied", ({ tool }) => tool !== undefined],
};
export const SHOWN = { "failed-turns": "with a failed turn", "failed-tools": "with failed tool calls", denied: "with denied tool calls", problems: "with problems in the record" };

/** Periods to choose from, by their hours; 0: all time, where that is one. */
export const Periods = ({ hours, choose, more = [] }) => html`<span class="chips" role="group" aria-label="Period">${[...PERIODS, ...more].map(([name, length]) => html`<button class="chip" aria-pressed=${hours === length ? "true" : "false"} onClick=${() => choose(length)}>${name}</button>`)}</span>`;

/** The name of a period. */
export const period = (hours) => PERIODS.find(([, length]) => length === Number(hours))?.[0] ?? `${hours} hours`;

const since = (hours) => (hours ? new Date(Date.now() - hours * HOUR).toISOString() : undefined);

/** The sessions in which something happened that is counted, in the last hours or ever; null: not known yet, or all. */
export function useCounted(what, hours) {
  const [type, isIt] = COUNTED[what] ?? [];
  const ask = useCallback(async (signal) => {
    const found = type ? await events({ event_types: type, start_time: since(hours), order: "desc", limit: MOST_COUNTED, max_text: 200 }, signal) : { events: [] };
    return { type, ids: new Set(found.events.filter((one) => isIt(one.data)).map((one) => one.session_id)) };
  }, [type, hours]);
  const [found] = useAnswer(ask, { hears: (event) => event.event_type === type, wait: () => 1000 });
  return type && found?.type === type ? found.ids : null;
}

/** The values of a list by hour, in steps of some hours, with zeros where there was nothing. */
function steps(list, value, hours, now) {
  const width = hours > 200 ? 6 * HOUR : HOUR;
  const end = Math.floor(now / width) * width;
  const times = [];
  for (let at = end - hours * HOUR + width; at <= end; at += width) times.push(at);
  const values = times.map(() => 0);
  for (const one of list) {
    const index = Math.floor((Date.parse(one.hour) - times[0]) / width);
    if (index >= 0 && index < values.length) values[index] += value(one);
  }
  return [times.map((at) => at / 1000), values];
}

export function Activity() {
  const [hours, setHours] = useState(24);
  const ask = useCallback(async (signal) => ({ ...(await metrics(since(hours), signal)), hours }), [hours]);
  const [found] = useAnswer(ask, { hears: () => true, wait: () => 5000 });
  const now = Math.floor(Date.now() / 60000) * 60000;
  const charts = useMemo(() => found && [
    steps(found.events.by_hour, (one) => one.total, found.hours, now),
    steps(found.cost.by_hour, (one) => one.cost_usd, found.hours, now),
  ], [found, now]);
  if (!found) return html`<section class="activity" aria-busy="true"><div class="section-head"><h2>Activity</h2></div></section>`;
  const [[times, events], [costTimes, costs]] = charts;
  const tools = found.tools.by_tool.slice(0, 6);
  const longest = Math.max(1, ...tools.map((one) => one.duration.p95 ?? 0));
  return html`<section class="activity" aria-labelledby="activity" aria-busy=${found.hours === hours ? "false" : "true"}><div class="section-head"><h2 id="activity">Activity</h2>
      <${Periods} hours=${hours} choose=${setHours} />
      <span class="faint num">${exact(found.runs.total)} turns${found.runs.failed ? html`, <a class="bad-text" href=${home({ show: "failed-turns", hours: found.hours })}>${exact(found.runs.failed)} failed</a>` : ""} · ${exact(found.tools.total)} tool calls${found.tools.failed ? html`, <a class="bad-text" href=${home({ show: "failed-tools", hours: found.hours })}>${exact(found.tools.failed)} failed</a>` : ""}${found.tools.denied ? html`, <a href=${home({ show: "denied", hours: found.hours })}>${exact(found.tools.denied)} denied</a>` : ""} · ${cost(found.cost.total_usd)}</span></div>
    <div class="grid-cards three">
      <section class="panel"><h2>Events<span class="faint num">${exact(found.events.total)}</span></h2><${Chart} times=${times} values=${events} label="events" colour="--info" format=${exact} axis=${(value) => (Number.isInteger(value) ? count(value) : "")} /></section>
      <section class="panel"><h2>Cost<span class="faint num">${cost(found.cost.total_usd)}</span></h2><${Chart} times=${costTimes} values=${costs} label="cost" colour="--accent" format=${cost} axis=${dollars} /></section>
      <section class="panel"><h2>Tools<span class="faint">p95 duration</span></h2>${tools.length ? html`<table><thead class="hidden"><tr><th scope="col">tool</th><th scope="col">calls</th><th scope="col">failed</th><th scope="col">p95 duration</th><td></td></tr></thead><tbody>${tools.map((one) => html`<tr><td><bdi class="mono">${visible(one.tool)}</bdi></td><td class="num faint">${exact(one.calls)}×</td><td class=${`num ${one.failed ? "bad-text" : "faint"}`}>${one.failed ? `${exact(one.failed)} failed` : ""}</td><td class="meter"><span class="kind-tool" style=${{ width: `${((one.duration.p95 ?? 0) / longest) * 100}%` }}></span></td><td class="num">${duration(one.duration.p95)}</td></tr>`)}</tbody></table>` : html`<p class="faint">No tool was called.</p>`}</section>
    </div></section>`;
}
