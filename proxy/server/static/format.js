// Figures, moments and texts as people read them.

const pad = (number, digits = 2) => String(Math.floor(number)).padStart(digits, "0");

/** A number with so many digits behind its point, a half rounded up, as the command line rounds. */
const rounded = (number, digits, useGrouping = false) => number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping });

/** 840 ms, 12.3 s, 4 m 05 s, 2 h 10 m, 3 d 04 h: as the command line has them, which a test holds. */
export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "";
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (Math.round(seconds * 10) < 600) return `${rounded(seconds, 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${pad(whole % 60)} s`;
  const hours = Math.floor(whole / 3600);
  return hours < 48 ? `${hours} h ${pad((whole / 60) % 60)} m` : `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

/** As `duration`, in whole seconds: for what counts up. */
export const elapsed = (ms) => (ms < 60000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : duration(ms));

/** $0.0022, $0.42, $1,234.50 */
export function cost(usd) {
  if (usd === null || usd === undefined) return "";
  const digits = usd === 0 || usd >= 0.1 ? 2 : 4;
  const least = 10 ** -digits;
  return usd > 0 && usd < least / 2 ? `<$${rounded(least, digits)}` : `$${rounded(usd, digits, true)}`;
}

/** An amount at the side of a chart: round, so in as few digits as it has. */
export const dollars = (usd) => `$${Number(usd.toPrecision(6))}`;

/** 950, 12.3 k, 4.5 M */
export function count(number) {
  if (number === null || number === undefined) return "";
  if (number >= 999950) return `${rounded(number / 1e6, 1, true)} M`;
  return number >= 10000 ? `${rounded(number / 1e3, 1)} k` : String(number);
}

export const exact = (number) => (number ?? 0).toLocaleString("en");

export function bytes(number) {
  if (number < 1000) return `${number} B`;
  if (number < 1e6) return `${(number / 1e3).toFixed(1)} KB`;
  return `${(number / 1e6).toFixed(1)} MB`;
}

export const percent = (share) => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;

export const milliseconds = (stamp) => (stamp ? Date.parse(stamp) : NaN);

/** A moment; null also for the very beginning of time, which stands for an unknown one. */
function known(stamp) {
  const date = new Date(stamp);
  return date.getTime() ? date : null;
}

/** 12:03:05.123, in the reader's zone */
export function clock(stamp, digits = 3) {
  const date = known(stamp);
  if (!date) return "";
  const whole = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return digits ? `${whole}.${pad(date.getMilliseconds(), 3)}` : whole;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Nov 23 */
export function day(stamp) {
  const date = known(stamp);
  return !date ? "" : `${MONTHS[date.getMonth()]} ${date.getDate()}`;
}

/** 12:03 today, Nov 23 12:03, Nov 23 2025 */
export function dateTime(stamp) {
  const date = known(stamp);
  if (!date) return "";
  const now = new Date();
  const time = clock(stamp, 0);
  if (date.toDateString() === now.toDateString() && time !== "00:00:00") return time;
  return date.getFullYear() === now.getFullYear() ? `${day(date)}, ${time.slice(0, 5)}` : `${day(date)}, ${date.getFullYear()}`;
}

// Characters that a terminal or the direction of writing would act upon are shown instead.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** A text with its control characters made visible. */
export const visible = (text) =>
  String(text ?? "").replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return char === "\r" ? "" : String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });

/** One line of at most so many characters. */
export function oneLine(text, longest = 300) {
  const line = String(text ?? "").slice(0, longest * 2).replace(/\s+/g, " ").trim();
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

/** The words of a command line, with its program's name alone. */
export const command = (words) => [words[0]?.split("/").pop(), ...words.slice(1)].join(" ");

/** Whether a session is over: it has ended, failed, or is known to have ended though the server still reads its log. */
export const isOver = (one) => one.catching_up || one.state === "ended" || one.state === "failed";
