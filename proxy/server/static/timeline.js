// A session on an axis of time: turns, the model, tools, subagents, and what was waited for.
import { html, useEffect, useKeys, useLayoutEffect, useMemo, useRef, useState, Empty, Failure } from "./ui.js";
import { clock, day, duration, exact, milliseconds, oneLine, visible } from "./format.js";
import { Partial, useAnalysis } from "./answers.js";
import { href } from "./router.js";

const LANES = [
  ["turns", ["turn"]], ["waiting for the user", ["user"]], ["waiting for permission", ["permission"]], ["model", ["model"]],
  ["tools", ["tool"]], ["subagents", ["subagent"]], ["tasks", ["task", "background"]], ["compacting", ["compacting"]],
];
const COLOURS = { turn: "turn", model: "model", tool: "tool", subagent: "task", task: "task", background: "other", permission: "answer", user: "other", compacting: "task" };
const LEGEND = [["model", "model"], ["tool", "tool"], ["failed", "failed"], ["task", "subagent, task"], ["answer", "waiting for an answer"]];
const MOST_LINES = 8;
const MOST_LONGEST = 8;
const LINE = 20;

/** Puts the bars of a lane on lines, so that bars of one time are under each other. */
function stacked(bars) {
  const ends = [];
  const lines = bars.map((bar) => {
    let line = ends.findIndex((end) => end <= bar.from);
    if (line < 0) line = Math.min(ends.length, MOST_LINES - 1);
    ends[line] = Math.max(ends[line] ?? 0, bar.to);
    return line;
  });
  return [lines, Math.max(1, ends.length)];
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5, 1728e5, 6048e5];

function ticks(from, to, width) {
  const step = STEPS.find((one) => ((to - from) / one) * 90 < width) ?? STEPS[STEPS.length - 1];
  const zone = new Date(from).getTimezoneOffset() * 60000; // so that midnight is one of them
  const first = Math.ceil((from - zone) / step) * step + zone;
  const found = [];
  for (let at = first; at < to && found.length < 100; at += step) {
    const time = clock(at, step < 1000 ? 3 : 0);
    found.push({ at, text: time === "00:00:00" ? day(at) : step % 60000 ? time : time.slice(0, 5) });
  }
  return found;
}

/** The share of what a bar stands for that failed: by it the bar is shaded, as one failure in a thousand is no failure. */
const badness = (bar) => (bar.count > 1 ? bar.failed / bar.count : /fail|error|crash/.test(bar.outcome) ? 1 : 0);

const shade = (bar) => (bar.count === 1 && bar.outcome === "denied" ? "answer" : COLOURS[bar.kind] ?? "other");

const tint = (bar) => ({ "--bad-share": `${Math.round(badness(bar) * 100)}%` });

function Bar({ bar, left, width, pixels, top, chosen, choose }) {
  const text = `${bar.label}${bar.count > 1 ? ` ×${bar.count}` : ""}`;
  return html`<button class=${`bar kind-${shade(bar)} ${chosen ? "chosen" : ""} ${bar.end === null ? "open" : ""}`} onClick=${choose} onFocus=${choose}
    style=${{ left: `${left}%`, width: `${width}%`, top: `${top}px`, ...tint(bar) }} title=${`${visible(oneLine(text, 200))}\n${duration(bar.to - bar.from)}${bar.count > 1 ? (bar.failed ? `, ${exact(bar.failed)} failed` : "") : bar.outcome ? `, ${bar.outcome}` : ""}`}
    aria-label=${`${bar.kind} ${visible(oneLine(text, 100))}, ${duration(bar.to - bar.from)}`}>${pixels > 34 && html`<bdi>${visible(oneLine(text, 80))}</bdi>`}</button>`;
}

function Chosen({ bar, session }) {
  if (!bar) return html`<div class="chosen-bar faint">Choose a bar to see what it is and go to its record.</div>`;
  return html`<div class="chosen-bar" role="status"><strong>${bar.kind}</strong> <bdi dir="auto">${visible(oneLine(bar.label, 200))}</bdi>
    <span class="num faint">${clock(bar.from)} – ${bar.end === null ? "now" : clock(bar.to)}</span><span class="num">${duration(bar.to - bar.from)}</span>
    ${bar.count > 1 && html`<span class="num">${exact(bar.count)} together, busy ${duration(bar.busy_ms)}${bar.failed ? `, ${bar.failed} failed` : ""}</span>`}
    ${bar.count === 1 && bar.outcome && html`<span class=${badness(bar) ? "bad-text" : "faint"}>${visible(bar.outcome)}</span>`}
    ${bar.seq !== null && bar.seq !== undefined && html`<a href=${href({ session: session.session_id, tab: "conversation", seq: bar.seq })}>in the conversation</a><a href=${href({ session: session.session_id, tab: "records", seq: bar.seq })}>record ${bar.seq}</a>`}</div>`;
}

/** Where the time of what is in view went. */
function Longest({ bars, shown, chosen, choose }) {
  const inView = (bar) => Math.min(bar.to, shown.to) - Math.max(bar.from, shown.from);
  const found = bars.filter((bar) => bar.count === 1 && !["turn", "user"].includes(bar.kind) && inView(bar) > 0).sort((one, other) => inView(other) - inView(one)).slice(0, MOST_LONGEST);
  if (!found.length) return null;
  const most = inView(found[0]);
  return html`<div class="longest"><h2>Longest in view</h2>${found.map((bar) => html`<button class=${bar.id === chosen ? "chosen" : ""} onClick=${() => choose(bar.id)}>
    <span class="num faint">${clock(bar.from, 0)}</span><span class=${`meter kind-${shade(bar)}`}><span style=${{ width: `${(inView(bar) / most) * 100}%`, ...tint(bar) }}></span></span><span class="num">${duration(bar.to - bar.from)}</span><bdi dir="auto">${visible(oneLine(bar.label, 160))}</bdi></button>`)}</div>`;
}

export function Timeline({ session }) {
  const [found, error, look] = useAnalysis(session);
  const [view, setView] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [width, setWidth] = useState(1000);
  const place = useRef(null);
  const timeline = found?.timeline;
  const [whole, lanes] = useMemo(() => {
    if (!timeline?.bars.length) return [null, []];
    const begin = milliseconds(timeline.start);
    const finish = Math.max(begin + 1, milliseconds(timeline.end) || begin + 1);
    const bars = timeline.bars.map((bar) => {
      const from = milliseconds(bar.start);
      return { ...bar, from, to: bar.end === null ? finish : Math.max(from, milliseconds(bar.end)) };
    });
    const made = LANES.map(([name, kinds]) => {
      const mine = bars.filter((bar) => kinds.includes(bar.kind)).sort((one, other) => one.from - other.from);
      const [lines, count] = stacked(mine);
      return { name, bars: mine, lines, height: 20 + count * LINE };
    });
    return [{ from: begin, to: finish }, made.filter((lane) => lane.bars.length)];
  }, [timeline]);
  useLayoutEffect(() => {
    if (!place.current) return undefined;
    const observer = new ResizeObserver(() => place.current && setWidth(place.current.clientWidth));
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [whole === null]);
  const shown = view ?? whole;
  const zoom = (factor, at = 0.5) => {
    if (!whole) return;
    const span = Math.min(whole.to - whole.from, Math.max(2, (shown.to - shown.from) / factor));
    const middle = shown.from + (shown.to - shown.from) * at;
    move(middle - span * at, span);
  };
  const move = (from, span) => {
    const start = Math.max(whole.from, Math.min(from, whole.to - span));
    setView(span >= whole.to - whole.from ? null : { from: start, to: start + span });
  };
  const pan = (share) => whole && move(shown.from + (shown.to - shown.from) * share, shown.to - shown.from);
  useKeys((key) => {
    if (key === "+" || key === "=") return zoom(1.6), true;
    if (key === "-") return zoom(1 / 1.6), true;
    if (key === "0") return setView(null), true;
    if (key === "ArrowLeft" || key === "h") return pan(-0.2), true;
    if (key === "ArrowRight" || key === "l") return pan(0.2), true;
    if (key === "j" || key === "k") {
      const all = lanes.flatMap((lane) => lane.bars).sort((one, other) => one.from - other.from);
      const at = all.findIndex((bar) => bar.id === chosen);
      const next = all[Math.min(all.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)))];
      if (next) {
        setChosen(next.id);
        if (next.from < shown.from || next.from > shown.to) move(next.from - (shown.to - shown.from) / 2, shown.to - shown.from);
      }
      return true;
    }
    return false;
  }, found !== null);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const wheel = (event) => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      const at = (event.clientX - element.getBoundingClientRect().left) / element.clientWidth;
      if (event.ctrlKey || event.metaKey) zoom(event.deltaY < 0 ? 1.25 : 0.8, at);
      else pan(event.deltaX / element.clientWidth);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });
  const drag = (down) => {
    if (down.button || down.target.closest(".bar")) return;
    const from = shown.from;
    const span = shown.to - shown.from;
    const pull = (event) => move(from - ((event.clientX - down.clientX) / width) * span, span);
    const ended = ["pointerup", "pointercancel"]; // cancelled: a finger scrolls the page instead
    const drop = () => {
      removeEventListener("pointermove", pull);
      for (const name of ended) removeEventListener(name, drop);
    };
    addEventListener("pointermove", pull);
    for (const name of ended) addEventListener(name, drop);
  };
  if (!found) return error ? html`<${Failure} error=${error.message} retry=${look} />` : html`<div class="loading" aria-busy="true">Reading the session…</div>`;
  if (!whole) return html`<${Empty} title="Nothing to show yet">Turns, tools and waiting appear here as bars.<//>`;
  const span = shown.to - shown.from;
  const percent = (at) => ((at - shown.from) / span) * 100;
  const all = lanes.flatMap((lane) => lane.bars);
  return html`<section class="timeline"><${Partial} found=${found} session=${session} />
    <div class="tools"><button onClick=${() => zoom(1.6)} aria-label="Nearer">+</button><button onClick=${() => zoom(1 / 1.6)} aria-label="Farther">−</button>
      <button onClick=${() => pan(-0.4)} disabled=${!view} aria-label="Earlier">←</button><button onClick=${() => pan(0.4)} disabled=${!view} aria-label="Later">→</button>
      <button onClick=${() => setView(null)} disabled=${!view}>All</button><span class="num">${duration(span)}</span>
      <span class="legend">${LEGEND.map(([kind, name]) => html`<span class=${`kind-${kind}`}>${name}</span>`)}</span></div>
    <div class="lanes" ref=${place} onPointerDown=${drag} role="group" aria-label="Timeline">
      ${ticks(shown.from, shown.to, width).map(({ at }) => html`<span class="grid" style=${{ left: `${percent(at)}%` }}></span>`)}
      <div class="axis" aria-hidden="true">${ticks(shown.from, shown.to, width).map(({ at, text }) => html`<span class="tick" style=${{ left: `${percent(at)}%` }}>${text}</span>`)}</div>
      ${lanes.map((lane) => {
        const drawn = new Set();
        return html`<div class="lane" style=${{ height: `${lane.height}px` }}><span class="lane-name">${lane.name}</span>
          ${lane.bars.map((bar, index) => {
            if (bar.to < shown.from || bar.from > shown.to) return null;
            const left = Math.max(-1, percent(bar.from));
            const right = Math.min(101, percent(bar.to));
            const pixel = `${lane.lines[index]} ${Math.round((left * width) / 200)}`;
            if (((right - left) * width) / 100 < 2) {
              if (drawn.has(pixel) && bar.id !== chosen) return null; // there is one on this very spot
              drawn.add(pixel);
            }
            return html`<${Bar} key=${bar.id} bar=${bar} left=${left} width=${right - left} pixels=${((right - left) * width) / 100} top=${18 + lane.lines[index] * LINE} chosen=${bar.id === chosen} choose=${() => setChosen(bar.id)} />`;
          })}</div>`;
      })}
    </div>
    <${Chosen} bar=${all.find((bar) => bar.id === chosen)} session=${session} />
    <${Longest} bars=${all} shown=${shown} chosen=${chosen} choose=${setChosen} />
    ${timeline.resolution_ms > 0 && html`<p class="faint num">${timeline.resolution_ms < whole.to - whole.from ? `Bars shorter than ${duration(timeline.resolution_ms)} are` : "Short bars are"} put together with their neighbours.</p>`}
  </section>`;
}
