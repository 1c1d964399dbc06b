// A session as a conversation: who said what, which tools ran, who had to allow it, what it took.
import { html, useCallback, useEffect, useKeys, useMemo, useRedraw, useRef, useState, Empty, Failure, Text } from "./ui.js";
import { clock, cost, count, day, duration, exact, oneLine, visible } from "./format.js";
import { Paged, events, live } from "./api.js";
import { List, MOST_ROWS, afterwards } from "./virtual.js";
import { Prose, Sentence } from "./prose.js";
import { Tree } from "./json.js";
import { href } from "./router.js";

const TYPES = [
  "session_started", "run_started", "assistant_message", "tool_started", "tool_completed", "tool_failed",
  "permission_requested", "permission_resolved", "run_completed", "run_failed", "run_interrupted", "task_started",
  "task_completed", "task_failed", "task_stopped", "notification", "api_retry", "rate_limited", "compaction",
  "validation_failed", "protocol_drift", "recording_gap", "error", "command_received", "session_ended",
];
const TEXT = 4000;
const LINES = 12;

/** What a tool is called with, in a line. */
export function summary(tool, input) {
  if (!input || typeof input !== "object") return oneLine(input ?? "");
  const telling = ["command", "file_path", "path", "pattern", "query", "url", "description", "prompt", "skill", "subject"];
  const name = telling.find((one) => typeof input[one] === "string");
  if (tool === "Grep" && input.path) return oneLine(`${input.pattern}  in ${input.path}`);
  return oneLine(name ? input[name] : Object.keys(input).length ? JSON.stringify(input) : "");
}

/** The text of a tool's result or of a message's content; blocks that are no text by their type. */
export function plain(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return content === null || content === undefined ? "" : JSON.stringify(content, null, 2);
  return content.map((block) => (typeof block === "string" ? block : block?.type === "text" ? block.text : `[${block?.type ?? "block"}]`)).join("\n");
}

/** A text of which the first lines are shown. */
function Folded({ text, class: name = "", lines = LINES }) {
  const [open, setOpen] = useState(false);
  const all = visible(text).replace(/\n+$/, "");
  const parts = all.split("\n");
  const long = parts.length > lines || all.length > 1500;
  const shown = open || !long ? all : parts.slice(0, lines).join("\n").slice(0, 1500);
  return html`<div class=${`folded ${name}`}>
    <div class="text" dir="auto">${shown}</div>
    ${long && html`<button class="quiet fold" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>${open ? "Show less" : parts.length > lines ? `Show ${exact(parts.length - lines)} more lines` : "Show all"}</button>`}
  </div>`;
}

function Change({ before, after }) {
  const side = (text, sign) => visible(text).split("\n").slice(0, 60).map((line) => html`<div class=${sign === "+" ? "added" : "removed"}><span class="sign" aria-hidden="true">${sign}</span><bdi dir="auto">${line}</bdi></div>`);
  return html`<div class="change code">${side(before, "−")}${side(after, "+")}</div>`;
}

function Call({ data, result }) {
  const [open, setOpen] = useState(false);
  const input = data.input;
  const isEdit = typeof input?.old_string === "string" && typeof input?.new_string === "string";
  const state = result === undefined ? html`<span class="running" title="no result yet">…</span>` : result.event_type === "tool_failed" ? html`<span class="bad">failed</span>` : null;
  return html`<div class="call">
    <button class="call-head" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>
      <span class="mark">${open ? "▾" : "▸"}</span><bdi class="tool">${visible(data.tool)}</bdi>
      <bdi class="call-summary" dir="auto">${visible(summary(data.tool, input))}</bdi>
      <span class="figures">${state} ${result && duration(result.data.duration_ms)}</span>
    </button>
    ${open && html`<div class="call-input">${isEdit ? html`<${Change} before=${input.old_string} after=${input.new_string} />` : html`<${Tree} value=${input} />`}</div>`}
  </div>`;
}

const failed = (data) => data.errors?.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n");

function usage(data) {
  const used = data.usage ?? {};
  const input = (used.input_tokens ?? 0) + (used.cache_read_input_tokens ?? 0) + (used.cache_creation_input_tokens ?? 0);
  return input || used.output_tokens ? `${count(input)} in · ${count(used.output_tokens ?? 0)} out` : "";
}

function Ended({ type, data }) {
  const word = { run_completed: "Turn completed", run_failed: "Turn failed", run_interrupted: "Turn interrupted" }[type];
  const figures = [duration(data.duration_ms), cost(data.cost_usd), data.turns ? `${data.turns} ${data.turns === 1 ? "call" : "calls"} of the model` : "", usage(data)];
  const mark = { run_completed: "good", run_failed: "bad", run_interrupted: "warn" }[type];
  return html`<div class=${`ended ${mark}`}><span class="word">${word}</span><span class="figures">${figures.filter(Boolean).join(" · ")}</span>
    ${type !== "run_completed" && failed(data) && html`<${Folded} text=${failed(data)} class="mono bad-text" />`}</div>`;
}

function asked(command) {
  switch (command?.action) {
    case "interrupt": return "The client interrupts";
    case "set_model": return `The client sets the model: ${command.model}`;
    case "set_permission_mode": return `The client sets the permission mode: ${command.mode}`;
    case "stop_task": return "The client stops a task";
    case "prompt": return command.queued ? `Queued: ${command.prompt}` : "";
    default: return "";
  }
}

const note = (word, text, mark = "", Shown = Text) => html`<div class=${`note ${mark}`}><span class="word">${word}</span> <${Shown} value=${text} /></div>`;

/** What is shown of an event; null: nothing. */
function content(event, results, before) {
  const { event_type: type, data } = event;
  switch (type) {
    case "session_started":
      return note("Session started", data.command ? data.command.join(" ") : data.name ?? "");
    case "session_ended":
      return note("Session ended", `${data.signal ?? (data.exit_code === null ? data.reason ?? "no exit status" : `exit status ${data.exit_code}`)} after ${duration(data.duration_ms)}`, data.signal || data.exit_code ? "warn" : "");
    case "run_started":
      return html`<div class="prompt"><div class="who">user</div>${data.prompt ? html`<${Prose} text=${data.prompt} />` : html`<span class="faint">${data.unprompted ? "A turn that Claude Code began by itself" : `The prompt is on ${data.prompt_on ?? "another way"}`}</span>`}</div>`;
    case "assistant_message":
      return html`<div class="answer">${data.thinking ? html`<details class="thinking"><summary>thinking <span class="faint">${visible(oneLine(data.thinking, 120))}</span></summary><div class="text" dir="auto">${visible(data.thinking)}</div></details>` : data.thinking === "" && !data.text ? html`<span class="faint">thinking, not shown by the model</span>` : null}${data.text && html`<${Prose} text=${data.text} />`}</div>`;
    case "tool_started":
      return html`<${Call} data=${data} result=${results.get(data.tool_use_id)} />`;
    case "tool_completed":
    case "tool_failed":
      return html`<div class=${`result ${type === "tool_failed" ? "failed" : ""}`}>${before?.data.tool_use_id !== data.tool_use_id && html`<span class="result-head"><bdi>${visible(data.tool ?? "result")}</bdi>${type === "tool_failed" ? " failed" : ""} <span class="faint">${duration(data.duration_ms)}</span></span>`}<${Folded} text=${plain(data.result)} class="mono" lines=${8} /></div>`;
    case "permission_requested":
      return note(`May it use ${data.tool}?`, summary(data.tool, data.input), "warn");
    case "permission_resolved":
      return note(data.decision === "allow" ? "Allowed" : data.outcome === "cancelled" ? "Withdrawn" : "Denied", `${data.tool ?? ""} after ${duration(data.waiting_ms)}`, data.decision === "allow" ? "good" : "bad");
    case "run_completed":
    case "run_failed":
    case "run_interrupted":
      return html`<${Ended} type=${type} data=${data} />`;
    case "task_started":
      return note("Task started", data.description ?? data.task_id);
    case "task_completed":
    case "task_failed":
    case "task_stopped":
      return note(`Task ${type.slice(5)}`, data.summary ?? data.task_id, type === "task_failed" ? "bad" : "");
    case "notification":
      return data.text ? note(data.kind ?? "note", data.text) : null;
    case "api_retry":
      return note("The API is asked again", [`attempt ${data.attempt ?? "?"} of ${data.max_retries ?? "?"}`, data.error_status ?? data.error, data.retry_delay_ms && `after ${duration(data.retry_delay_ms)}`].filter(Boolean).join(", "), "warn");
    case "rate_limited":
      return data.limit?.status === "allowed" ? null : note("Rate limit", `${data.limit?.status ?? ""} ${data.limit?.rateLimitType ?? ""}`, "warn");
    case "compaction":
      return note("Conversation compacted", [data.trigger, data.pre_tokens && `${count(data.pre_tokens)} tokens before`, duration(data.duration_ms)].filter(Boolean).join(", "));
    case "validation_failed":
      return note(`${data.stream}: ${data.verdict}${data.held_back ? ", held back" : ""}`, data.errors?.map((one) => (one.path ? `${one.path}: ${one.message}` : one.message)).join("\n") || data.raw, "bad", Sentence);
    case "protocol_drift":
      return note(`${data.stream}: unknown`, [data.type, data.subtype].filter(Boolean).join("/"), "warn");
    case "recording_gap":
      return note("Gap in the record", `${exact(data.lost_records)} records are missing: ${data.reason ?? ""}`, "bad");
    case "error":
      return note("Error", [data.source, data.error].filter(Boolean).join(": "), "bad");
    case "command_received": {
      const said = asked(data.command);
      return said ? note("→", said) : null;
    }
    default:
      return html`<div class="note"><span class="word">${visible(type)}</span> <${Tree} value=${data} opened=${1} /></div>`;
  }
}

/** How deep in subagents an event is: by the calls that it belongs to, as far as they have been seen. */
function depthOf(parent, parents) {
  let depth = 0;
  for (let at = parent; at && depth < 5; at = parents.get(at)) depth += 1;
  return depth;
}

function Row({ event, before, first, session, parents, results, chosen }) {
  const inside = content(event, results, before);
  if (inside === null) return null;
  const { data } = event;
  const parent = data.parent_tool_use_id ?? (data.tool_use_id && parents.get(data.tool_use_id));
  const depth = depthOf(parent, parents);
  const at = { session: session.session_id, tab: "records", seq: data.seq };
  return html`<article class=${`event event-${event.event_type} ${chosen ? "chosen" : ""} depth-${depth}`} aria-current=${chosen ? "true" : undefined}>
    <a class="when num" href=${data.seq === undefined ? undefined : href(at)} title=${`${event.timestamp}\nrecord ${data.seq}`}>${(first || (before && day(before.timestamp) !== day(event.timestamp))) && html`<span class="day">${day(event.timestamp)}</span> `}${clock(event.timestamp, 0)}${depth > 0 && event.event_type !== "tool_completed" && html`<span class="sub">subagent</span>`}</a>
    <div class="what">${inside}${event.shortened && html`<a class="quiet" href=${href(at)}>Shortened; the whole record ${data.seq}</a>`}</div>
  </article>`;
}

export function Conversation({ session, query, go, running }) {
  const redraw = useRedraw();
  const handle = useRef(null);
  const [chosen, setChosen] = useState(-1);
  const [base, setBase] = useState(0);
  const [following, setFollowing] = useState(true);
  const mine = session.kind === "monitoring";
  const parents = useMemo(() => new Map(), [session.session_id]);
  const results = useMemo(() => new Map(), [session.session_id]);
  const types = mine ? "" : TYPES.join(",");
  const list = useMemo(() => new Paged(async (offset, limit, signal) => {
    const found = await events(session.session_id, { offset, limit, max_text: TEXT, event_types: types }, signal);
    for (const { event_type: type, data } of found.events) {
      if (type === "tool_started" && data.tool_use_id) parents.set(data.tool_use_id, data.parent_tool_use_id ?? null);
      if ((type === "tool_completed" || type === "tool_failed") && data.tool_use_id) results.set(data.tool_use_id, { event_type: type, data: { duration_ms: data.duration_ms } });
    }
    return { items: found.events, total: found.total };
  }, redraw), [session.session_id]);
  useEffect(() => {
    const stop = live.on((heard, reopened) => {
      if (reopened || heard.some((event) => event.session_id === session.session_id)) list.refresh();
    });
    return () => { stop(); list.close(); };
  }, [list]);
  useEffect(() => { list.refresh(); }, [list, session.events]); // also what the index takes in late, of which nothing is heard
  const rows = Math.max(0, Math.min(list.total - base, MOST_ROWS));
  const seen = useCallback((first, last) => list.ensure(base + first, base + last), [list, base]);
  const wanted = query.seq === undefined ? null : Number(query.seq);
  const item = async (index, signal) => list.item(index) ?? (await events(session.session_id, { offset: index, limit: 1, max_text: 200, event_types: types }, signal)).events[0];
  const toRecord = async () => {
    const from = location.hash;
    const event = await item(chosen).catch(() => null);
    if (event && location.hash === from) go({ tab: "records", seq: event.data.seq }); // who has gone elsewhere meanwhile stays there
  };
  useEffect(() => {
    if (wanted === null || !list.known) return undefined;
    const asking = new AbortController();
    find((index) => item(index, asking.signal), list.total, wanted).then((index) => {
      if (index < 0 || asking.signal.aborted) return;
      const start = index >= MOST_ROWS ? index - 1000 : 0;
      setBase(start);
      setChosen(index);
      afterwards(() => handle.current?.scrollTo(index - start));
    }, () => {});
    return () => asking.abort();
  }, [wanted, list, list.known]);
  const toEnd = () => {
    setBase(Math.max(0, list.total - MOST_ROWS));
    setChosen(list.total - 1);
    afterwards(() => handle.current?.toEnd());
  };
  const toBeginning = () => {
    setBase(0);
    setChosen(0);
    afterwards(() => handle.current?.scrollTo(0, "start"));
  };
  useKeys((key) => {
    const step = { j: 1, k: -1, n: 1, p: -1 }[key];
    if (step && rows) {
      const next = step_to(list, chosen, step, base, rows);
      setChosen(next);
      if (!handle.current?.inView(next - base)) handle.current?.scrollTo(next - base, "center");
      return true;
    }
    if (key === "Enter" && chosen >= 0) {
      document.querySelector(".event.chosen [aria-expanded], .event.chosen summary")?.click();
      return true;
    }
    if (key === "r" && chosen >= 0) return toRecord(), true;
    if (key === "G") return toEnd(), true;
    if (key === "g") return toBeginning(), true;
    return false;
  }, list.known);
  if (!list.known) return list.error ? html`<${Failure} error=${list.error} retry=${() => list.refresh()} />` : html`<div class="loading" aria-busy="true">Reading the conversation…</div>`;
  if (!list.total) return html`<${Empty} title="Nothing was said yet">What passes in this session appears here as it happens.<//>`;
  return html`<section class="conversation">
    ${list.total > MOST_ROWS && html`<div class="stretch">${exact(base + 1)} to ${exact(base + rows)} of ${exact(list.total)}
      <button disabled=${base === 0} onClick=${() => setBase(Math.max(0, base - MOST_ROWS))}>Earlier</button>
      <button disabled=${base + rows >= list.total} onClick=${() => setBase(base + MOST_ROWS)}>Later</button></div>`}
    <${List} key=${session.session_id} count=${rows} estimate=${64} seen=${seen} handle=${handle} follow=${running} followed=${setFollowing} label="Conversation"
      row=${(index) => {
        const event = list.item(base + index);
        return event ? html`<${Row} event=${event} before=${list.item(base + index - 1)} first=${base + index === 0} session=${session} parents=${parents} results=${results} chosen=${base + index === chosen} />` : html`<div class="event placeholder"></div>`;
      }} />
    <div class="foot"><span class="num">${exact(list.total)} ${list.total === 1 ? "entry" : "entries"}</span>
      <button class="quiet" onClick=${toBeginning}>Beginning</button>
      ${running && following ? html`<span class="link link-open" role="status">following</span>` : html`<button class="quiet" onClick=${toEnd}>${running ? "End, and follow" : "End"}</button>`}</div>
  </section>`;
}

/** The next event from one on that shows something. */
function step_to(list, from, step, base, rows) {
  let at = from;
  for (let tries = 0; tries < 200; tries += 1) {
    const next = Math.min(base + rows - 1, Math.max(base, at + step));
    if (next === at) return from < 0 ? base : from;
    at = next;
    const event = list.item(at);
    if (!event || content(event, new Map()) !== null) return at;
  }
  return at;
}

/** Where in the list the first event of a record, or of a later one, is. */
async function find(item, total, seq) {
  let low = 0;
  let high = total;
  while (low < high) {
    const middle = (low + high) >> 1;
    const found = await item(middle);
    if (found && (found.data.seq ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return Math.min(low, total - 1);
}
