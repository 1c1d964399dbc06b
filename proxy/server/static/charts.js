// Bars over time, or by number, in the page's own colours.
import { html, useState } from "./ui.js";
import { clock, day } from "./format.js";

const LABELS = 6;
const hour = (seconds) => clock(seconds * 1000, 0).slice(0, 5);

/** The hour, or at midnight the day. */
const moment = (seconds) => (hour(seconds) === "00:00" ? day(seconds * 1000) : hour(seconds));

/** Round values from 0 to the largest, three or four of them. */
function rounds(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => index * step);
}

/** Which bars are named below: at even distances, of times at whole hours of the day. */
function named(times, x) {
  const step = Math.max(1, Math.ceil(times.length / LABELS));
  if (x) return times.map((_, index) => index).filter((index) => index % step === 0);
  const hours = [1, 2, 3, 6, 12, 24, 48, 120].find((one) => one * 3600 >= ((times[1] ?? 0) - times[0]) * step) ?? 120;
  const days = hours >= 24 ? hours / 24 : 0;
  return times.map((_, index) => index).filter((index) => {
    const at = new Date(times[index] * 1000);
    return days ? at.getHours() === 0 && Math.round(times[index] / 86400) % days === 0 : at.getHours() % hours === 0 && at.getMinutes() === 0;
  });
}

/** A chart of `values` at `times` (seconds), or by number when `x` says what is counted; `format` spells a value. */
export function Chart({ times, values, label, colour, format, axis = format, x }) {
  const [at, setAt] = useState(-1);
  const most = Math.max(0, ...values);
  const top = most > 0 ? most * 1.05 : 1;
  const width = 100 / times.length;
  const step = times.length > 1 ? times[1] - times[0] : 3600;
  const name = (index) => (x ? `${x} ${times[index]}` : `${day(times[index] * 1000)}, ${hour(times[index])} – ${hour(times[index] + step)}`);
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(Math.min(times.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * times.length))));
  };
  return html`<div class="chart" role="img" aria-label=${`${label} over ${x ? `${x}s` : "time"}, at most ${format(most)}`}>
    <div class="plot" onPointerMove=${point} onPointerLeave=${() => setAt(-1)}>
      ${rounds(top).map((value) => html`<span class="level" style=${{ bottom: `${(value / top) * 100}%` }}><span class="num">${axis(value)}</span></span>`)}
      ${values.map((value, index) => value > 0 && html`<span class=${`value ${index === at ? "at" : ""}`} style=${{ left: `${index * width}%`, width: `${width}%`, height: `${(value / top) * 100}%`, "--c": `var(${colour})` }}></span>`)}
      ${at >= 0 && html`<span class="tip" style=${{ left: `${Math.min(85, Math.max(15, (at + 0.5) * width))}%` }}>${`${name(at)}\n${format(values[at] ?? 0)} ${label}`}</span>`}
    </div>
    <div class="below">${named(times, x).map((index) => html`<span class="num" style=${{ left: `${(index + 0.5) * width}%` }}>${x ? times[index] : moment(times[index])}</span>`)}</div>
  </div>`;
}
