// A fleet, at its centre: the hosts, which of them are heard, and what each team spends on which model.
import { html, useCallback, useNow, useTitle, Cost, Empty, Failure } from "./ui.js";
import { cost, duration, elapsed, exact, milliseconds, visible } from "./format.js";
import { costs, hosts } from "./api.js";
import { useAnswer } from "./answers.js";
import { go, home } from "./router.js";
import { HOUR, Periods } from "./activity.js";

const HEARD_MS = 15000; // as often as hosts say that they are there
const CLOCK_MS = 2000; // the network alone makes less of a difference

/** The hosts of a fleet; none on a single machine. */
export function useHosts() {
  const [found] = useAnswer(hosts, { beat: HEARD_MS });
  return found?.hosts ?? [];
}

/** What was spent: [[team, model, sessions, cost], ...], the most first; what no model is named for is under "". */
function spent(costs) {
  const found = new Map();
  for (const { team, model, sessions, cost: usd } of costs) {
    const key = JSON.stringify([team, model]);
    const [count, sum] = found.get(key) ?? [0, 0];
    found.set(key, [count + sessions, sum + usd]);
  }
  return [...found].map(([key, figures]) => [...JSON.parse(key), ...figures]).sort((one, other) => other[3] - one[3]);
}

function Costs({ hours }) {
  const ask = useCallback(async (signal) => {
    return spent((await costs(hours ? new Date(Date.now() - hours * HOUR).toISOString() : undefined, signal)).costs);
  }, [hours]);
  const [rows, error, again] = useAnswer(ask, { hears: (event) => event.event_type.startsWith("run_"), wait: (took) => Math.max(10000, took * 4) });
  const teams = new Map();
  for (const [team, , , usd] of rows ?? []) teams.set(team, (teams.get(team) ?? 0) + usd);
  return html`<section aria-labelledby="spent"><div class="section-head"><h2 id="spent">Cost by team and model</h2><span class="faint">sessions begun within</span>
      <${Periods} hours=${hours} more=${[["all time", 0]]} choose=${(length) => go({ view: "fleet", hours: length || undefined }, true)} /></div>
    ${!rows ? error ? html`<${Failure} error=${error.message} retry=${again} />` : html`<div class="loading" aria-busy="true">Reading sessions…</div>`
      : !rows.length ? html`<p class="faint">Nothing was spent.</p>`
      : html`<div class="panel"><table class="costs"><thead><tr><th scope="col">team</th><th scope="col">model</th><th scope="col" class="num">sessions</th><th scope="col" class="num">cost</th><th scope="col" class="num">team in all</th></tr></thead><tbody>
        ${rows.map(([team, model, count, usd]) => html`<tr><td><a href=${home({ team })}><bdi>${visible(team)}</bdi></a></td><td>${model ? html`<bdi>${visible(model)}</bdi>` : html`<span class="faint">no model is named</span>`}</td><td class="num">${exact(count)}</td><td class="num">${cost(usd)}</td><td class="num faint">${cost(teams.get(team))}</td></tr>`)}
      </tbody><tfoot><tr><th scope="row">all</th><td></td><td></td><td class="num"><${Cost} usd=${rows.reduce((sum, row) => sum + row[3], 0)} /></td><td></td></tr></tfoot></table></div>`}</section>`;
}

export function Fleet({ hosts: all, query }) {
  const now = useNow();
  useTitle("fleet · claude-proxy");
  const away = all.filter((one) => !one.reachable).length;
  return html`<main class="home"><h1>Fleet</h1>
    <section aria-labelledby="hosts"><div class="section-head"><h2 id="hosts">Hosts</h2><span class="faint">${exact(all.length)}${away ? html`, <strong class="warn-text">${exact(away)} unreachable</strong>` : ""}</span></div>
      ${!all.length ? html`<${Empty} title="No host has been heard">Where this server is a centre, hosts push to it with <code>ship.to</code>.<//>` : html`<div class="panel"><table class="hosts"><thead><tr><th scope="col">host</th><th scope="col">team</th><th scope="col">state</th><th scope="col" class="num">heard</th><th scope="col">version</th><th scope="col">clock</th><th scope="col" class="num">running</th><th scope="col" class="num">sessions</th></tr></thead><tbody>
        ${all.map((one) => html`<tr class=${one.reachable ? "" : "unreachable"}><td><a href=${home({ host: one.name })}><bdi>${visible(one.name)}</bdi></a></td><td><a href=${home({ team: one.team })}><bdi>${visible(one.team)}</bdi></a></td>
          <td><span class=${`state state-${one.reachable ? "ended" : "unreachable"}`}>${one.reachable ? "reachable" : "unreachable"}</span></td><td class="num"><span title=${one.heard_at}>${elapsed(Math.max(0, now - milliseconds(one.heard_at)))} ago</span></td><td><bdi>${visible(one.version)}</bdi></td>
          <td class="faint">${Math.abs(one.clock_offset_ms) < CLOCK_MS ? "right" : html`<span class="warn-text">${duration(Math.abs(one.clock_offset_ms))} ${one.clock_offset_ms < 0 ? "behind" : "ahead"}</span>`}</td><td class="num">${exact(one.live_sessions)}</td><td class="num">${exact(one.sessions)}</td></tr>`)}
      </tbody></table></div>`}</section>
    <${Costs} hours=${Number(query.hours) || 0} /></main>`;
}
