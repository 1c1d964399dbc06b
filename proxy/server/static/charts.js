// Charts over time, in the page's own colours.
import { html, useEffect, useRef } from "./ui.js";
import { clock, dateTime } from "./format.js";
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

/** The hour, or at midnight the day. */
function moment(seconds) {
  const date = new Date(seconds * 1000);
  return date.getHours() || date.getMinutes() ? clock(date, 0).slice(0, 5) : dateTime(date).split(",")[0];
}

const clear = (shade) => shade.replace(/^rgb\((.*)\)$/, "rgba($1, .22)");

/**
 * Bars or lines over time. `times` are seconds; `series` are {label, colour, values, format, line, scale}.
 */
export function Chart({ times, series, height = 150, axis, bars = true, x }) {
  const place = useRef(null);
  const key = JSON.stringify([times.length, times[times.length - 1], series.map((one) => [one.label, one.values.length, one.values.reduce((sum, value) => sum + (value ?? 0), 0)])]);
  useEffect(() => {
    let plot = null;
    const draw = () => {
      plot?.destroy();
      const faint = colour("--faint");
      const line = colour("--line");
      const step = times.length > 1 ? times[1] - times[0] : 1;
      const plain = { stroke: faint, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
      plot = new uPlot({
        width: place.current.clientWidth,
        height,
        padding: [8, 8, 0, 0],
        cursor: { points: { size: 6 }, drag: { x: false, y: false } },
        legend: { live: true },
        scales: { x: { time: x !== "count", range: (_, least, most) => [least - step / 2, most + step / 2] } },
        axes: [{ ...plain, grid: { show: false }, size: 26, space: 62, values: (_, splits) => splits.map(x === "count" ? (value) => (Number.isInteger(value) ? value : "") : moment) }, { ...plain, size: 52, values: (_, splits) => splits.map((value) => (axis ?? String)(value)) }],
        series: [
          x === "count" ? { label: "turn" } : { value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
          ...series.map((one) => {
            const stroke = colour(one.colour);
            return { label: one.label, stroke, fill: clear(stroke), width: 1.5, points: { show: false }, value: (_, value) => (value === null || value === undefined ? "–" : (one.format ?? String)(value)), paths: bars ? uPlot.paths.bars({ size: [0.8, 40], align: 0 }) : undefined };
          }),
        ],
      }, [times, ...series.map((one) => one.values)], place.current);
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
  return html`<div class="chart" ref=${place} role="img" aria-label=${series.map((one) => one.label).join(", ")}></div>`;
}
