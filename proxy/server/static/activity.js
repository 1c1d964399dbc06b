// How much went on when, over all sessions: events, cost, tools.
import { html, useCallback, useMemo, useState } from "./ui.js";
import { cost, count, duration, exact, visible } from "./format.js";
import { metrics } from "./api.js";
import { useAnswer } from "./answers.js";
import { Chart } from "./charts.js";

const HOUR = 3600000;
const RANGES = [["24 hours", 24], ["7 days", 168], ["30 days", 720]];

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
  const ask = useCallback(async (signal) => ({ ...(await metrics(new Date(Date.now() - hours * HOUR).toISOString(), signal)), hours }), [hours]);
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
      <span class="chips" role="group" aria-label="Period">${RANGES.map(([name, length]) => html`<button class="chip" aria-pressed=${hours === length ? "true" : "false"} onClick=${() => setHours(length)}>${name}</button>`)}</span>
      <span class="faint num">${exact(found.runs.total)} turns${found.runs.failed ? html`, <span class="bad-text">${exact(found.runs.failed)} failed</span>` : ""} · ${exact(found.tools.total)} tool calls, ${exact(found.tools.failed)} failed${found.tools.denied ? `, ${exact(found.tools.denied)} denied` : ""} · ${cost(found.cost.total_usd)}</span></div>
    <div class="grid-cards three">
      <section class="panel"><h2>Events<span class="faint num">${exact(found.events.total)}</span></h2><${Chart} times=${times} axis=${(value) => (Number.isInteger(value) ? count(value) : "")} series=${[{ label: "events", colour: "--info", values: events, format: exact }]} /></section>
      <section class="panel"><h2>Cost<span class="faint num">${cost(found.cost.total_usd)}</span></h2><${Chart} times=${costTimes} axis=${cost} series=${[{ label: "cost", colour: "--accent", values: costs, format: cost }]} /></section>
      <section class="panel"><h2>Tools<span class="faint">p95 duration</span></h2>${tools.length ? html`<table><tbody>${tools.map((one) => html`<tr><td><bdi class="mono">${visible(one.tool)}</bdi></td><td class="num faint">${exact(one.calls)}×</td><td class=${`num ${one.failed ? "bad-text" : "faint"}`}>${one.failed ? `${exact(one.failed)} failed` : ""}</td><td class="meter"><span class="kind-tool" style=${{ width: `${((one.duration.p95 ?? 0) / longest) * 100}%` }}></span></td><td class="num">${duration(one.duration.p95)}</td></tr>`)}</tbody></table>` : html`<p class="faint">No tool was called.</p>`}</section>
    </div></section>`;
}
