// Charts over time, in the page's own colours.
import { html, useEffect, useRef } from "./ui.js";
import { clock, day } from "./format.js";
import uPlot from "./vendor/uplot.js";

const colour = (name) => {
  // A canvas knows no `light-dark()`: the browser is asked what the colour is now.
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

const hour = (seconds) => clock(seconds * 1000, 0).slice(0, 5);

/** The hour, or at midnight the day. */
const moment = (seconds) => (hour(seconds) === "00:00" ? day(seconds * 1000) : hour(seconds));

const shown = (one, value) => (value === null || value === undefined ? "–" : (one.format ?? String)(value));

/** A note at the bar under the pointer: of when it is, and how much. */
function note(series, name) {
  const element = document.createElement("div");
  element.className = "tip";
  element.hidden = true;
  const look = (plot) => {
    const { idx: index, left } = plot.cursor;
    element.hidden = index === null || index === undefined || left < 0;
    if (element.hidden) return;
    const at = plot.data[0][index];
    element.textContent = [name(at), ...series.map((one) => `${shown(one, one.values[index])} ${one.label}`)].join("\n");
    const half = element.offsetWidth / 2;
    element.style.left = `${Math.max(half, Math.min(plot.valToPos(at, "x"), plot.over.clientWidth - half))}px`;
  };
  return { hooks: { init: (plot) => plot.over.append(element), setCursor: look } };
}

const clear = (shade) => shade.replace(/^rgb\((.*)\)$/, "rgba($1, .22)");

/**
 * Bars over time, or by number when `x` is what is counted. `times` are seconds; `series` are {label, colour, values,
 * format}; `axis` spells the values at the side.
 */
export function Chart({ times, series, height = 150, axis, x }) {
  const place = useRef(null);
  const key = JSON.stringify([times.length, times[times.length - 1], series.map((one) => [one.label, one.values.length, one.values.reduce((sum, value) => sum + (value ?? 0), 0)])]);
  useEffect(() => {
    let plot = null;
    const draw = () => {
      plot?.destroy();
      const step = times.length > 1 ? times[1] - times[0] : 1;
      const plain = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
      const name = (at) => (x ? `${x} ${at}` : `${day(at * 1000)}, ${hour(at)} – ${hour(at + step)}`);
      const below = (value) => (x ? (Number.isInteger(value) ? value : "") : moment(value));
      plot = new uPlot({
        width: place.current.clientWidth,
        height,
        padding: [8, 8, 0, 0],
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        legend: { show: false },
        plugins: [note(series, name)],
        scales: { x: { time: !x, range: (_, least, most) => [least - step / 2, most + step / 2] }, y: { range: (_, least, most) => [0, most > 0 ? most * 1.05 : 1] } },
        axes: [{ ...plain, grid: { show: false }, size: 26, space: 62, label: x, labelFont: plain.font, labelSize: 14, labelGap: 0, values: (_, splits) => splits.map(below) }, { ...plain, size: 52, values: (_, splits) => splits.map((value) => (axis ?? String)(value)) }],
        series: [{}, ...series.map((one) => {
          const stroke = colour(one.colour);
          return { label: one.label, stroke, fill: clear(stroke), width: 1.5, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 40], align: 0 }) };
        })],
      }, [times, ...series.map((one) => one.values.map((value) => value || null))], place.current);
    };
    draw();
    const observer = new ResizeObserver(() => place.current && plot?.setSize({ width: place.current.clientWidth, height }));
    observer.observe(place.current);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("themechange", draw);
    scheme.addEventListener("change", draw);
    return () => {
      observer.disconnect();
      removeEventListener("themechange", draw);
      scheme.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [key, height]);
  return html`<div class="chart" ref=${place} role="img" aria-label=${series.map((one) => `${one.label} over ${x ? `${x}s` : "time"}, at most ${shown(one, Math.max(0, ...one.values))}`).join(", ")}></div>`;
}
