// A session in a few words, as lists show it.
import { command, isOver, milliseconds, oneLine } from "./format.js";

const BAD = ["invalid", "malformed", "unknown"];

/** What a session is called: its name, its first prompt, or its command. */
export const title = (one) => one.name || (one.prompt && oneLine(one.prompt, 120)) || (one.command?.length ? oneLine(command(one.command), 120) : one.session_id);

/** The folder that a session works in. */
export const project = (one) => one.cwd?.split("/").filter(Boolean).pop() ?? "";

/** Where a session works: of a fleet, the host too. */
export const place = (one) => [one.host, project(one)].filter(Boolean).join(": ");

/** What is wrong with a session's record: {invalid: 2, ...} */
export function problems(one) {
  const found = {};
  for (const verdicts of Object.values(one.counts ?? {})) {
    for (const name of BAD) if (verdicts[name]) found[name] = (found[name] ?? 0) + verdicts[name];
  }
  if (one.lost_records) found.lost = one.lost_records;
  return found;
}

/** How long a session's command ran, so far if it goes on. */
export const length = (one, now) => (isOver(one) ? one.duration_ms : Math.max(one.duration_ms, now - milliseconds(one.started_at)));
