// Made from the schemas by generate_types.py; do not edit.

/** The names of all schemas, such as "stdout" or "messages/user". */
export declare const names: string[];
/** One schema by name, as it is in its file. */
export declare function schema(name: string): object;
/** All schemas, to be given to a validator that follows references. */
export declare function schemas(): object[];

/** Answer: action. What has become of an action so far. */
export type ApiActionAnswer = {
  action_id: string;
  /** Its record. */
  seq: number;
  /** `sent` until the wire shows its effect. */
  state: "confirmed" | "failed" | "sent";
  effect?: string | null;
  error?: string | null;
};

/** Request: action. Body of `POST /api/v1/monitoring/sessions/{session_id}/actions`: one action, and what it takes. */
export type ApiActionRequest = {
  action: "allow" | "deny" | "interrupt" | "mode" | "model" | "pause" | "resume" | "stop";
  /** The same key again, of the same client, is the same action: it is not done twice. */
  key?: string | null;
  /** Of `allow` and `deny`: the question. */
  request_id?: string | null;
  /** Of `deny`: what the model is told. */
  message?: string | null;
  /** Of `deny`: ends the turn too. */
  stop_turn?: boolean | null;
  /** Of `allow`: the tool's input, in place of its own. */
  updated_input?: { [key: string]: unknown } | null;
  /** Of `allow`: for the rest of the session. */
  remember?: boolean | null;
  /** Of `mode` and `model`. */
  value?: string | null;
  /** Of `stop`. */
  how?: "drain" | "end" | "term" | null;
};

/** Answer: actions. Actions on a session, newest first. */
export type ApiActionsAnswer = {
  actions: Array<{
    action_id: string;
    action: string;
    args: { [key: string]: unknown };
    /** Its author: `kind` (`api`, `command`, `rule`), `name`, `address`. */
    by: { [key: string]: unknown };
    /** Its record. */
    seq: number;
    requested_at: string;
    /** `sent` until the wire shows its effect. */
    state: "confirmed" | "failed" | "refused" | "sent";
    /** What it led to, such as `ran` or `nothing_running`. */
    effect: string | null;
    /** Why it failed or was refused. */
    error: string | null;
    /** From its record to what confirms it. */
    took_ms: number | null;
  }>;
  /** How many there are in all. */
  total: number;
};

/** Answer: analysis. What a session did, where its time and money went, and what stands out. */
export type ApiAnalysis = {
  session_id: string;
  name: string | null;
  state: "compacting" | "ended" | "executing" | "failed" | "idle" | "starting" | "waiting";
  model: string | null;
  claude_code_version: string | null;
  started_at: string | null;
  ended_at: string | null;
  /** How long the command ran, so far if it goes on. */
  duration_ms: number;
  /** Events that were analysed. */
  events: number;
  /** Counts of the whole session, as the status shows them. */
  totals: {
    /** Results of Claude Code. */
    turns: number;
    /** Calls of tools, whatever became of them. */
    tool_calls: number;
    /** Calls that ended in an error, without those that were denied or interrupted. */
    tool_failures: number;
    /** Calls that never ran, because somebody, a hook or a rule refused them. */
    tool_denials: number;
    subagents: number;
  };
  /** False: the session has more events than these; `monitoring.max_events_per_session` bounds the index. */
  complete: boolean;
  /** What it did, where time and money went, what went wrong and where it waited: a sentence each. */
  summary: Array<string>;
  /** In which order things happened. */
  sequence: {
    length: number;
    /** Events by type. */
    kinds: { [key: string]: number };
    patterns: Array<ApiPattern>;
    /** The same for the tools that were called. */
    tool_patterns: Array<ApiPattern>;
  };
  /** Where the time went. */
  time: {
    total_ms: number;
    /** Largest first. They add up to the whole. */
    activities: Array<{
      /** What the session waited for. */
      activity: "background" | "compacting" | "model" | "permission" | "starting" | "subagents" | "tools" | "turn" | "user";
      ms: number;
      share: number;
      /** How long each stretch of it was. */
      spans: ApiFigures;
    }>;
    turns: ApiFigures;
    /** Between one event and the next. */
    gaps: ApiFigures;
  };
  /** What states the session was in. */
  states: {
    transitions: Array<{
      from: string;
      to: string;
      count: number;
      /** Of the changes that leave the same state. */
      share: number;
    }>;
    time: Array<{
      state: string;
      entered: number;
      ms: number;
      share: number;
    }>;
  };
  commands: Array<{
    action: string;
    count: number;
    outcomes: { [key: string]: number };
  }>;
  tools: Array<{
    tool: string;
    calls: number;
    completed: number;
    failed: number;
    /** Never ran, because somebody, a hook or a rule refused them; not failed. */
    denied: number;
    /** Cut off by an interrupt; not failed. */
    interrupted: number;
    /** Without a result, so far or for ever. */
    unfinished: number;
    /** Failed calls of all. */
    failure_rate: number;
    /** From the call to its result, without the time that its permission took. */
    duration: ApiFigures;
  }>;
  /** What the caller was asked about tools. */
  permissions: {
    requested: number;
    allowed: number;
    denied: number;
    cancelled: number;
    unanswered: number;
    waiting: ApiFigures;
  };
  /** The newest 500. */
  subagents: Array<{
    /** The id of its bar. */
    id: string;
    kind: string | null;
    description: string;
    /** How it ended; `unfinished` when what it was a part of ended before it. */
    outcome: "open" | "completed" | "failed" | "limited" | "blocked" | "denied" | "interrupted" | "stopped" | "allowed" | "cancelled" | "unfinished";
    /** The record in the session's log; null for events of a client's own. */
    seq: number | null;
    started_at: string;
    ended_at: string | null;
    duration_ms: number;
    tool_calls: number;
    tool_failures: number;
    /** As Claude Code states it; null when it says nothing. */
    total_tokens: number | null;
  }>;
  /** The newest 500. */
  turns: Array<{
    run_id: string;
    /** The record in the session's log; null for events of a client's own. */
    seq: number | null;
    /** Its beginning. */
    prompt: string;
    /** How it ended; `unfinished` when what it was a part of ended before it. */
    outcome: "open" | "completed" | "failed" | "limited" | "blocked" | "denied" | "interrupted" | "stopped" | "allowed" | "cancelled" | "unfinished";
    started_at: string;
    ended_at: string | null;
    duration_ms: number;
    /** Milliseconds by activity. */
    activities: { [key: string]: number };
    tool_calls: number;
    tool_failures: number;
    cost_usd: number | null;
    /** Of the main agent: `input`, `output`, `cache_read`, `cache_creation`. */
    tokens: { [key: string]: number };
    errors: Array<string>;
  }>;
  /** Of all. */
  turn_outcomes: { [key: string]: number };
  /** What it cost, as Claude Code states it. */
  cost: {
    total_usd: number | null;
    /** `input`, `output`, `cache_read`, `cache_creation`. */
    tokens: { [key: string]: number };
    per_turn: ApiFigures;
    by_model: Array<{
      model: string;
      cost_usd: number | null;
      /** `input`, `output`, `cache_read`, `cache_creation`. */
      tokens: { [key: string]: number };
    }>;
    by_agent: Array<{
      /** `others`: subagents and helpers of Claude Code's own; `unstated`: of any, in turns that were cut short. */
      agent: "main" | "others" | "unstated";
      /** `input`, `output`, `cache_read`, `cache_creation`. */
      tokens: { [key: string]: number };
    }>;
  };
  /** At most 200, in order of time; of more, the most severe and then the first. */
  anomalies: Array<ApiAnomaly>;
  /** Of all, by kind. */
  anomaly_counts: { [key: string]: number };
  /** Bars on an axis of time, by their start. */
  timeline: {
    start: string | null;
    /** The last moment that is known; of a session that goes on, this moment. */
    end: string | null;
    /** By their start, at most 2000. */
    bars: Array<ApiBar>;
    /** Bars that are shorter were put together with their neighbours; 0: none was. */
    resolution_ms: number;
  };
};

/** Anomaly. Something that stands out in a session. */
export type ApiAnomaly = {
  /** Which kind; the analysis page of the documentation has all of them with their thresholds. */
  kind: string;
  severity: "critical" | "info" | "warning";
  /** The record in the session's log; null for events of a client's own. */
  seq: number | null;
  time: string;
  /** What a person needs to know. */
  sentence: string;
  /** What shows an anomaly: the records, and the figures that the sentence rests on. */
  evidence: {
    /** The records that show it, `seq` first, at most 20. */
    records: Array<number>;
    /** The figures that the sentence rests on. */
    facts: { [key: string]: unknown };
  };
};

/** Answer. Every JSON answer of the HTTP API: what was asked for, or a sentence that says what went wrong. */
export type ApiAnswer = {
  success: boolean;
  data?: unknown;
  error?: string;
};

/** Answer: approvals. Calls of a session with their approvals, in the order of their results. */
export type ApiApprovalsAnswer = {
  approvals: Array<ApiApprovedCall>;
  /** How many calls lie before the first of these. */
  offset: number;
  /** Calls that have a result, of what the server has read. */
  total: number;
  /** How many of all of them, by who decided and how: `{"caller": {"deny": 1}}`. */
  counts: { [key: string]: { [key: string]: number } };
};

/** Approved call. A call of a tool, and its approval. */
export type ApiApprovedCall = {
  tool_use_id: string | null;
  tool: string | null;
  /** The number of the record with its result. */
  seq: number | null;
  /** Who or what allowed or denied a call. */
  approval: {
    /** `none`: it was not decided. */
    decision: "allow" | "deny" | "none";
    by: "api" | "caller" | "harmless" | "hook" | "interrupt" | "mode" | "nobody" | "policy" | "rule" | "unknown";
    /** How long a caller's yes holds. */
    lasting: "always" | "once" | "session" | null;
    /** The permission mode at that time. */
    mode: string | null;
    /** How long the answer took. */
    waited_ms: number | null;
    /** Why Claude Code asked, or what the answer said. */
    reason: string | null;
    /** What Claude Code itself says. */
    source: { [key: string]: unknown } | null;
    /** The numbers of the records: question, answer, result. */
    evidence: Array<number>;
  };
};

/** Bar. One bar of a session's timeline. */
export type ApiBar = {
  id: string;
  kind: "background" | "compacting" | "model" | "permission" | "subagent" | "task" | "tool" | "turn" | "user";
  start: string;
  /** Null while it goes on. */
  end: string | null;
  /** From the session: may hold anything. */
  label: string;
  /** The record that it begins with; null for events of a client's own. */
  seq: number | null;
  /** The id of the bar that it is a part of: a turn or a subagent. */
  parent: string | null;
  /** How it ended; `unfinished` when what it was a part of ended before it. */
  outcome: "open" | "completed" | "failed" | "limited" | "blocked" | "denied" | "interrupted" | "stopped" | "allowed" | "cancelled" | "unfinished";
  /** How many bars this one stands for; more than 1 where they were too small to be shown. */
  count: number;
  /** How many of them failed. */
  failed: number;
  /** How long they lasted, added up. */
  busy_ms: number;
};

/** Answer: check of a wrapper. A check as it is now: its progress, and in the end its report or the reason why there is none. */
export type ApiComplianceAnswer = {
  run_id: string;
  state: "cancelled" | "completed" | "failed" | "running" | "waiting";
  /** As it was asked for. */
  wrapper: string;
  /** Scenarios in all; null until it runs. */
  total: number | null;
  /** Scenarios that have ended. */
  completed: number;
  /** Those that have ended, in the order in which they did. */
  scenarios: Array<ApiComplianceOutcome>;
  report: ApiComplianceReport | null;
  /** Why there is no report. */
  error: string | null;
};

/** Outcome of a scenario. How one scenario of a check ended: what was expected, what came, and why it matters. */
export type ApiComplianceOutcome = {
  /** With its group, as in `behaviour/exit-status`. */
  name: string;
  group: "behaviour" | "performance" | "schema";
  title: string;
  /** Why it matters. */
  why: string;
  /** Its points. */
  weight: number;
  /** `skipped` counts for nothing: it cannot be asked of the real `claude`. */
  verdict: "failed" | "passed" | "skipped";
  duration_ms: number;
  problems: Array<{
    expected: string;
    came: string;
  }>;
  /** Two medians and their ratio. */
  measured: {
    /** The median without the wrapper. */
    bare: number;
    /** The median with it. */
    wrapped: number;
    unit: string;
    ratio: number;
    limit: number;
  } | null;
};

/** Report of a check. A whole check of a program that stands in for `claude`, as `claude-proxy check --json` gives it. */
export type ApiComplianceReport = {
  /** Its command line; empty for the bare stand-in. */
  wrapper: string;
  /** Whether claude is its first argument. */
  as_argument: boolean;
  /** The real `claude` that was used, null for the stand-in. */
  claude: string | null;
  /** Of claude-proxy. */
  version: string;
  started_at: string;
  duration_ms: number;
  threshold: number;
  score: number;
  passed: boolean;
  groups: Array<{
    group: "behaviour" | "performance" | "schema";
    /** What it counts for in the overall score. */
    weight: number;
    /** Per cent of the points; null where no scenario was run. */
    score: number | null;
    points: number;
    of: number;
  }>;
  scenarios: Array<ApiComplianceOutcome>;
  /** What this system did not let the check see: a sentence each. */
  unseen: Array<string>;
};

/** Request: check of a wrapper. Body of `POST /api/v1/compliance/runs`: what `claude-proxy check` takes on its command line. */
export type ApiComplianceRequest = {
  /** A program, by its path or as a name on the server's PATH. */
  wrapper: string;
  /** Arguments of its own. */
  arguments?: Array<string>;
  /** Names or patterns; none: all. */
  scenarios?: Array<string>;
  /** Whether claude is its first argument; null: that is found out. */
  as_argument?: boolean | null;
  /** Further variables in which it looks for claude. */
  variables?: Array<string>;
  /** The score that it is to reach. */
  threshold?: number;
};

/** Answer: conversation. A page of what a session says to people. What was recorded may hold anything: escape it. */
export type ApiConversationAnswer = {
  entries: Array<{
    timestamp: string;
    parts: Array<{
      kind: "answer" | "call" | "client" | "note" | "output" | "permission" | "problem" | "prompt" | "result" | "session" | "task" | "thinking" | "turn";
      /** Who says it, or what it is, in a word or two: `user`, `claude`, `tool`, `turn ended`. */
      label: string;
      /** What it is about, in a few words: the name of a tool, how a turn ended. */
      title?: string;
      /** Of a tool call: what it does, in one line. */
      summary?: string;
      text?: string;
      form?: "code" | "markdown" | "plain";
      /** Of code: its language, as a fence of Markdown names it. */
      language?: string;
      /** Of a change of a file: lines, each behind `-`, `+`, a blank, or `@` where lines are left out. */
      diff?: Array<Array<string>>;
      /** Further values of a tool's input or of an event that is not known here. */
      fields?: { [key: string]: unknown };
      /** Of a result: who or what allowed or denied the call, as in `by caller`; empty where nobody needed to. */
      decided?: string;
      /** Durations, costs and counts, as people read them. */
      figures?: Array<string>;
      tone?: "" | "bad" | "faint" | "good" | "warn";
      /** How many lines of the text are worth showing before a reader asks for more; 0: all. */
      lines?: number;
    }>;
    /** The kind of event; empty for a line. */
    event?: string;
    seq?: number | null;
    /** How many subagents deep it happened. */
    depth?: number;
    tool_use_id?: string | null;
    /** Whether something was taken from its texts and values; the record has it whole. */
    shortened?: boolean;
  }>;
  /** How many entries lie before the first of these. */
  offset: number;
  total: number;
};

/** Answer: costs. What was spent at a centre, also on sessions that are not there any more; on a single machine nothing is told. */
export type ApiCostsAnswer = {
  costs: Array<{
    team: string;
    /** In UTC. */
    day: string;
    /** Empty for what results state and name no model for. */
    model: string;
    sessions: number;
    /** In US dollars. */
    cost: number;
  }>;
};

/** Answer: drift. What passed in a session that the specification does not have: types, subtypes, fields, blocks and values. */
export type ApiDriftAnswer = {
  /** Each thing once, in the order in which they were first seen, at most 1000. Long names and values are cut. */
  drift: Array<{
    kind: "block" | "field" | "subtype" | "type" | "value";
    stream: "stdin" | "stdout";
    /** Of the message. */
    type: string;
    /** Of the message, or, in a reply, what was asked for. */
    subtype: string | null;
    /** A JSON pointer into the message, with `*` for list positions and for keys that are data. */
    path: string;
    /** The unknown type, tag or value; a field has none. */
    value?: string | null;
    first_seen: string;
    session_id: string;
    /** The first record that has it. */
    seq: number;
    claude_code_version: string | null;
    /** How often it was seen. */
    count: number;
  }>;
  /** How often something was seen that is not listed, because so much else is. */
  unlisted: number;
  /** Whether the log was looked through to its end. A long one takes several questions: ask again, and the search goes on. */
  complete: boolean;
};

/** Event of the API. One event of a session, as queries, streams and sockets give it. */
export type ApiEvent = {
  event_type: string;
  /** RFC 3339, with a zone. */
  timestamp: string;
  /** The session, as this proxy names it. */
  session_id: string;
  /** For events derived from messages, an object that is valid under `events`. */
  data: { [key: string]: unknown };
};

/** Answer: event. What became of a posted event. */
export type ApiEventAnswer = {
  /** The session, as this proxy names it. */
  session_id: string;
  event_type: string;
  /** False where the session's capture options leave it out. */
  recorded: boolean;
};

/** Request: event. Body of `POST /api/v1/monitoring/events`: records one event of a client's own. */
export type ApiEventRequest = {
  /** Letters, digits, `_`, `-` and dots, at most 128. */
  event_type: string;
  data: { [key: string]: unknown };
  /** The session, as this proxy names it. */
  session_id: string;
};

/** Answer: events. A page of events. */
export type ApiEventsAnswer = {
  events: Array<ApiEvent>;
  /** How many events fit the query in all; not with `after`. */
  total?: number | null;
  /** To be given as `after`: it goes on behind what was there when this was answered, or, with `after`, behind these events. */
  after: string;
  /** With `start_time`, across sessions: up to there nothing earlier will come. */
  settled_until?: string | null;
  /** With `after`: why events before these may be missing. */
  gap?: string | null;
};

/** Figures. What a set of values looks like. All but `count`, `total` and `distribution` are null when there is none. */
export type ApiFigures = {
  count: number;
  total: number;
  mean: number | null;
  median: number | null;
  /** The 95th percentile. */
  p95: number | null;
  min: number | null;
  max: number | null;
  /** The standard deviation of the values themselves, not of a larger set that they would be a sample of. */
  deviation: number | null;
  /** How many values lie above the bucket before and not above `up_to`; empty buckets are left out. */
  distribution: Array<{
    up_to: number;
    count: number;
  }>;
};

/** Answer: greeting of a host. The centre's answer to `Hello`. */
export type ApiFleetGreeting = {
  version: string;
  /** Another one where the centre has lost what it once had: everything is to be compared then. */
  epoch: string;
  /** How many pushes of the host the centre has counted. Fewer than before: it was restored to an older state. */
  pushes: number;
  /** Bytes of records, not compressed, that the centre takes at once. */
  longest_push: number;
  /** Whether it takes what rules found; a centre of an older version does not. */
  takes_firings: boolean;
  /** Of the sessions that were named: those that the centre has otherwise, and how many lines of each it has. */
  differing: { [key: string]: number };
  /** Those that were erased, and are never to be sent again. */
  forgotten: Array<string>;
};

/** Request: greeting of a host. A host says that it is there: at first, and then every few seconds. */
export type ApiFleetHello = {
  protocol: number;
  /** Of claude-proxy. */
  version: string;
  /** What people call the host. */
  name: string;
  /** By the host's clock. */
  sent_at: string;
  /** The newest one that the host was told. */
  epoch: string | null;
  /** How many pushes of the host the centre has counted, as the host was told last. */
  pushes: number;
  /** Those that are not over, or all of them in several pieces, where the centre is to say what it lacks. */
  sessions: { [key: string]: {
    /** Lines of the log that the centre has acknowledged. */
    lines: number;
    running: boolean;
    /** How much of what rules found the centre has acknowledged. */
    firings: number;
  } };
};

/** Answer: records of a host. What was sent is stored. */
export type ApiFleetRecordsAnswer = {
  /** Lines of the log that the centre has. */
  next_line: number;
  epoch: string;
  pushes: number;
};

/** Gap in a stream. A notice in a live stream: here events may be missing. Over the WebSocket the same fields are in a frame with the `type` `gap`. */
export type ApiGap = {
  /** The `id` of the last event, or of the place, before it. */
  after: string;
  /** Why, as a sentence. */
  reason: string;
};

/** Answer: health. Whether the server is well. */
export type ApiHealthAnswer = {
  /** The worst of the checks. */
  status: "degraded" | "healthy" | "unhealthy";
  version: string;
  /** One for each thing that the server needs: `status`, figures, and a `message` where it is not healthy. */
  checks: { [key: string]: { [key: string]: unknown } };
};

/** Answer: hosts. The hosts of a fleet, by name; on a single machine there are none. */
export type ApiHostsAnswer = {
  hosts: Array<{
    host_id: string;
    name: string;
    team: string;
    /** Of its claude-proxy. */
    version: string;
    /** Whether it was heard just now. */
    reachable: boolean;
    heard_at: string;
    /** Its clock less the centre's, as far as the network lets it be told. */
    clock_offset_ms: number;
    sessions: number;
    live_sessions: number;
    /** Lines of its logs that came again and were others: the first ones stay. */
    rewritten_lines: number;
  }>;
};

/** Answer: liveness. This process answers. */
export type ApiLiveAnswer = {
  status: "alive";
  version: string;
};

/** Answer: metrics. What happened in a period, over all sessions. */
export type ApiMetrics = {
  /** As asked for. */
  start_time: string | null;
  /** As asked for. */
  end_time: string | null;
  /** All events. */
  events: {
    total: number;
    by_type: { [key: string]: number };
    /** Hours without events are left out. */
    by_hour: Array<{
      /** Its beginning. */
      hour: string;
      total: number;
      by_type: { [key: string]: number };
    }>;
  };
  /** The sessions that had something to do with the period. */
  sessions: {
    /** That had events in the period. */
    total: number;
    started: number;
    ended: number;
    /** Whose wrapper was killed. */
    failed: number;
    /** Not over now. */
    active: number;
    /** What became of those that ended in the period. */
    outcomes: { [key: string]: number };
    duration: ApiFigures;
  };
  /** The turns that ended, with a result but for those that are `unfinished`: they are not in the total. */
  runs: {
    /** Turns whose result came in the period. */
    total: number;
    completed: number;
    failed: number;
    limited: number;
    blocked: number;
    interrupted: number;
    /** Cut off without a result, or interrupted at a terminal; not in the total. */
    unfinished: number;
    /** Failed turns of all that ended. */
    error_rate: number;
    duration: ApiFigures;
  };
  /** The tool calls that were made. */
  tools: {
    /** Calls that were made in the period. */
    total: number;
    failed: number;
    /** Never ran; not failed. */
    denied: number;
    error_rate: number;
    by_tool: Array<{
      tool: string;
      calls: number;
      failed: number;
      denied: number;
      failure_rate: number;
      duration: ApiFigures;
    }>;
  };
  /** The events that say that something went wrong. */
  errors: {
    /** Events that say that something went wrong. */
    total: number;
    by_type: { [key: string]: number };
    /** Of all events. */
    rate: number;
  };
  /** What the turns and, at a terminal, the conversations cost that ended in the period. */
  cost: {
    total_usd: number;
    per_turn: ApiFigures;
    /** `input`, `output`, `cache_read`, `cache_creation`. */
    tokens: { [key: string]: number };
    by_hour: Array<{
      hour: string;
      cost_usd: number;
      turns: number;
    }>;
  };
};

/** Answer: monitoring status. Counts, and how long the server has been running. */
export type ApiMonitoringStatusAnswer = {
  active_sessions: number;
  total_sessions: number;
  total_events: number;
  /** Who listens to live events now. */
  subscribers: number;
  uptime_seconds: number;
  /** What starts a server for the same data directory again, for a shell. */
  serve_command: string;
};

/** Answer: overview. What there is, and what happened in the last 24 hours. */
export type ApiOverview = {
  generated_at: string;
  active_sessions: number;
  total_sessions: number;
  total_events: number;
  last_24_hours: ApiMetrics;
  /** The newest 20. */
  sessions: Array<ApiSession>;
};

/** Pattern. Two to five steps that repeat in a sequence. */
export type ApiPattern = {
  steps: Array<string>;
  /** Occurrences that do not overlap. */
  count: number;
  /** Of the whole sequence. */
  share: number;
};

/** Answer: questions. Questions for permission that are open, oldest first. */
export type ApiQuestionsAnswer = {
  questions: Array<{
    /** What an answer names. */
    request_id: string;
    tool: string | null;
    tool_use_id: string | null;
    /** The tool's input, whole, as it is on record: credentials are replaced there. */
    input: unknown;
    /** Why Claude Code asks. */
    reason: string | null;
    /** Rules that Claude Code suggests to remember. */
    suggestions: Array<unknown>;
    since: string;
    /** The record of the question. */
    seq: number;
    /** It is held back from the caller, because the session is paused. */
    held: boolean;
  }>;
};

/** Answer: readiness. Whether requests should be sent to the server now. */
export type ApiReadyAnswer = {
  status: "not_ready" | "ready";
  /** Why not. */
  message?: string | null;
};

/** Answer: records. A page of a session's records, and how many there are in all. */
export type ApiRecordsAnswer = {
  /** As in the log, with long values shortened. */
  records: Array<{
    bom?: boolean;
    eol?: string;
    errors?: Array<unknown>;
    event?: { [key: string]: unknown };
    forwarded?: boolean;
    message?: unknown;
    origin?: unknown;
    /** What it says, in one line. */
    preview?: string;
    raw?: string;
    raw_base64?: string;
    redacted?: unknown;
    /** Null for a line that is no record. */
    seq: number | null;
    /** The session, as this proxy names it. */
    session_id?: string;
    /** Whether long values were shortened. */
    shortened: boolean;
    /** Bytes of the record in the log. */
    size: number;
    /** Why a line is no record. */
    skipped?: string;
    /** `log` for a line that is no record. */
    stream: string;
    truncated?: boolean;
    ts?: string;
    /** Type and subtype of a message, or the type of an event. */
    type: string;
    verdict?: string;
  }>;
  /** How many records that fit the query lie before the first of these. */
  position: number;
  /** Records that fit the query. */
  total: number;
  /** Records that were looked at. */
  searched: number;
  /** Whether those are all. A long log takes several questions: ask again, and the search goes on. */
  complete: boolean;
  /** How many records of each kind the log holds, as far as it was looked at. */
  kinds: Array<{
    count: number;
    stream: string;
    type: string;
    verdict: string;
  }>;
};

/** Answer: the head of a sealed log. The head of a session's log. */
export type ApiSealAnswer = {
  session_id: string;
  /** Null: the session is not sealed. */
  head: {
    bytes: number;
    records: number;
    /** Of these bytes, in hexadecimal digits. */
    sha256: string;
    /** When the session ended: nothing may follow these bytes. Null while it runs, or when its wrapper was killed. */
    ended: string | null;
  } | null;
};

/** Answer: search. Sessions in which a text was said, newest first. A session that is looked through for several answers is in each of them, with other records. */
export type ApiSearchAnswer = {
  sessions: Array<{
    /** The session, as this proxy names it. */
    session_id: string;
    /** The first of them. */
    records: Array<{
      seq: number;
      ts: string;
      stream: string;
      /** What stands around the text, in one line. What was recorded may hold anything: escape it. */
      snippet: string;
    }>;
    /** How many records hold it, of those that were looked through for this answer. */
    total: number;
  }>;
  /** Sessions that were looked through to their end for this answer. */
  searched: number;
  /** Sessions that there are. */
  total: number;
  /** Whether all that is recorded of these sessions could be read: false while the server still takes in logs, and where one cannot be read. */
  complete: boolean;
  /** Asked for with it, the search goes on; null when all were looked through. */
  after: string | null;
};

/** Session. One session as the status shows it. */
export type ApiSession = {
  /** The session, as this proxy names it. */
  session_id: string;
  name: string | null;
  /** The beginning of the first prompt. */
  prompt: string | null;
  /** `wrapped` for a command, `monitoring` for events of a client's own. */
  kind: string;
  /** `followed`: an interactive session, which is recorded beside and not relayed. */
  mode: "followed" | "relayed";
  /** Whether what is said in the session is recorded. */
  recording: {
    state: "not recorded" | "recorded" | "states alone";
    /** A sentence that says why it is not, or not all. */
    why: string | null;
  };
  state: "compacting" | "ended" | "executing" | "failed" | "idle" | "starting" | "waiting";
  /** A shell runs in the background of an idle interactive session. */
  background: boolean;
  /** The command is stopped, as by Ctrl-Z. */
  suspended: boolean;
  /** What became of it; null while it is not over, and where nothing was recorded that tells. */
  outcome: "blocked" | "crashed" | "failed" | "interrupted" | "limited" | "ok" | null;
  /** A sentence that says why, unless the outcome is `ok`. */
  outcome_reason: string | null;
  state_since: string | null;
  /** Null once it is over. */
  state_for_ms: number | null;
  /** From what the state is known. */
  evidence: {
    /** The message in it, as in `system/init`. */
    message: string;
    /** The record. */
    seq: number;
    /** Whether Claude Code stated it or it had to be inferred; of an interactive session, where it was read. */
    source: "inferred" | "registry" | "stated" | "transcript";
  };
  waits_for: Array<{
    description?: string;
    for_ms: number;
    /** Of an answer: what Claude Code asks. */
    kind?: string;
    /** The same in words, for people. */
    label: string;
    method?: string | null;
    /** Of Claude Code: what the caller asks. */
    request?: string;
    request_id?: string;
    /** Of a tool: `client` when it is one of the caller's own. */
    runs_in?: "claude" | "client";
    /** The record since which it is waited for. */
    seq: number;
    server?: string | null;
    since: string | null;
    task_id?: string;
    tool?: string | null;
    tool_use_id?: string;
    /** An answer of the caller, a tool, the caller's own MCP server, a task, the model, the end of a turn of which nothing else is printed; or Claude Code, for its answer to a request of the caller. */
    what: "answer" | "claude" | "client" | "model" | "task" | "tool" | "turn";
  }>;
  /** Known ways to hang that it shows; hints, not verdicts. */
  warnings: Array<{
    kind: string;
    message: string;
  }>;
  pid: number | null;
  command: Array<string>;
  cwd: string | null;
  started_at: string | null;
  last_event_at: string | null;
  last_record_at: string | null;
  ended_at: string | null;
  exit_code: number | null;
  /** The signal that ended it, as in `SIGTERM`. */
  signal: string | null;
  model: string | null;
  claude_code_version: string | null;
  /** The session, as Claude Code names it. */
  claude_session_id: string | null;
  permission_mode: string | null;
  /** What others may do to it. */
  acting: {
    /** The actions that it takes as it is now. */
    can: Array<string>;
    /** As it was given at the start, and is never raised. */
    grant: "full" | "off" | "restrain";
    paused: boolean;
  };
  /** What failed at the start, such as an MCP server: a sentence each. */
  problems: Array<string>;
  /** The turn that goes on. */
  run_id: string | null;
  /** How long the command ran, so far if it goes on. */
  duration_ms: number;
  /** Results of Claude Code; of an interactive session turns of its prompts that were not interrupted. */
  turns: number;
  /** Calls of tools, whatever became of them. */
  tool_calls: number;
  /** Calls that ended in an error, without those that were denied or interrupted. */
  tool_failures: number;
  /** Calls that never ran, because somebody, a hook or a rule refused them. */
  tool_denials: number;
  subagents: number;
  /** What all turns cost, in US dollars; null until a result states it. */
  cost: number | null;
  /** A sentence that says why the cost of an interactive session is not known, or not all of it. */
  cost_reason: string | null;
  /** What was spent on each model, in US dollars, as far as results say it. */
  cost_by_model: { [key: string]: number };
  /** Of all models, by kind; empty until a result states them. */
  tokens: { [key: string]: number };
  /** Messages by stream and verdict. */
  counts: { [key: string]: { [key: string]: number } };
  /** Records that could not be written. */
  lost_records: number;
  events: number;
  /** Where its log is, on the server's machine; a centre's sessions have theirs elsewhere. */
  log: string | null;
  /** Of a fleet: the machine on which it runs or ran. */
  host?: string;
  /** Of a fleet: the team of that machine. */
  team?: string;
  /** Of a fleet: whether the machine was heard just now. If not, all else is as it was when it was heard last. */
  reachable?: boolean;
  /** Of a fleet: when the machine was heard last. */
  heard_at?: string;
  /** How much of the log is read. */
  read_share: number;
  /** The session is over, and its log is not read to the end yet: all figures are of what is read. */
  catching_up: boolean;
};

/** Answer: session. A session for events of a client's own, just started. */
export type ApiSessionAnswer = {
  /** The session, as this proxy names it. */
  session_id: string;
  session_name: string | null;
  /** What a session for events of a client's own is to record. */
  capture_options: {
    capture_commands?: boolean;
    capture_events?: boolean;
    capture_states?: boolean;
  };
};

/** Request: session. Body of `POST /api/v1/monitoring/sessions`: starts a session for events of a client's own. */
export type ApiSessionRequest = {
  session_name?: string | null;
  /** What a session for events of a client's own is to record. */
  capture_options?: {
    capture_commands?: boolean;
    capture_events?: boolean;
    capture_states?: boolean;
  };
};

/** Answer: sessions. A page of sessions, newest first. */
export type ApiSessionsAnswer = {
  sessions: Array<ApiSession>;
  /** How many there are in all. */
  total: number;
};

/** Answer: specifications. What schemas there are. */
export type ApiSpecificationsAnswer = {
  count: number;
  specifications: Array<{
    name: string;
    type: string;
    version: string;
    title: string;
  }>;
};

/** Answer: status. The sessions that are running now. */
export type ApiStatusAnswer = {
  active_sessions: number;
  sessions: Array<ApiSession>;
};

/** Answer: stop. A session for events of a client's own that was stopped. */
export type ApiStopAnswer = {
  /** The session, as this proxy names it. */
  session_id: string;
  stopped: boolean;
};

/** Answer: validation. The judgement on one message. */
export type ApiValidationAnswer = {
  /** False only for `invalid` data. */
  valid: boolean;
  verdict: "invalid" | "malformed" | "text" | "unknown" | "valid";
  /** Sentences. */
  validation_errors: Array<string>;
  errors: Array<{
    /** JSON pointer into the message, empty for the whole of it. */
    path: string;
    /** A sentence for a person. */
    message: string;
    /** The JSON Schema keyword, or the rule, that was not met. */
    keyword: string;
  }>;
  /** As it came with the request. */
  request_id: unknown;
};

/** Request: validation of many. Body of `POST /api/v1/validation/batch`; the answers come in the same order. */
export type ApiValidationBatchRequest = {
  requests: Array<ApiValidationRequest>;
};

/** Request: validation. Body of `POST /api/v1/validation/validate`: one message, and the schema to judge it by. */
export type ApiValidationRequest = {
  /** `commands`, `events`, `stdin`, `stdout`, or the name of any other schema. */
  schema_type: string;
  data: unknown;
  /** Comes back in the answer, as it is. */
  request_id?: unknown;
};

/** Command. What a client wants Claude Code to do, in the stable vocabulary of this project. Every message on standard input is one of these actions; `request` stands for control requests that have no action of their own. The vocabulary is closed, extra fields are allowed. */
export type Commands = {
  /** What is to be done. */
  action: "prompt" | "interrupt" | "initialize" | "set_model" | "set_permission_mode" | "set_max_thinking_tokens" | "stop_task" | "rewind_files" | "request" | "respond" | "cancel" | "keep_alive" | "update_environment";
  /** What the user says. */
  prompt?: string;
  /** The prompt's content blocks, when it is more than text. */
  content?: Array<unknown>;
  /** How it is to be done. The same may stand beside the prompt. */
  options?: {
    /** How long it may take, in milliseconds. */
    timeout?: number;
    /** Who answers; null for the default. */
    model?: string | null;
  };
  /** How long it may take, in milliseconds. */
  timeout?: number;
  /** RFC 3339, with a zone. */
  timestamp?: string;
  /** The session, as this proxy names it. */
  session_id?: string;
  /** The turn that this concerns. */
  run_id?: string;
  /** The control request that this is, answers or withdraws. */
  request_id?: string;
  /** For `set_model`; null for the default. */
  model?: string | null;
  /** For `set_permission_mode`. */
  mode?: string;
  max_thinking_tokens?: number | null;
  /** For `stop_task`. */
  task_id?: string;
  /** For `initialize`: the schema that structured output is to keep. */
  json_schema?: { [key: string]: unknown };
  /** For `rewind_files`. */
  user_message_id?: string;
  /** For `request`: the subtype of the control request. */
  subtype?: string;
  /** For `respond`. */
  outcome?: "success" | "error";
  /** For `respond` to a question about a tool. */
  decision?: "allow" | "deny";
  /** For `update_environment`: the names, never the values. */
  variables?: Array<string>;
};

/** Configuration. The configuration file, once read from YAML. Every key may be left out; a key that is not here is an error. */
export type Config = {
  /** The server's address and what it takes. */
  api?: {
    /** Address the server listens on. */
    host?: string;
    /** Port the server listens on; 0 picks a free one. */
    port?: number;
    /** Processes beside the server for what is processor-bound: large validations and analyses. */
    workers?: number;
    /** Time for head and body of a request to arrive, and for a first request on a connection. */
    timeout?: number;
    /** Largest body of a request. */
    max_request_size?: number | string;
    /** Connections that the server holds, and no more than half of the files that it may open; further ones get 503. */
    max_connections?: number;
    /** How long a background server stays after the last session has ended and nobody listens. */
    linger?: number;
  } | null;
  /** What the server keeps, and for how long. */
  monitoring?: {
    /** Events of a session that the server indexes. */
    max_events_per_session?: number;
    /** Time without an event after which a monitoring session is stopped. */
    session_timeout?: number;
    /** Time between two looks for what has expired. */
    cleanup_interval?: number;
    /** How long a session is kept after it was last written to; none: for ever. */
    retention_days?: number | null;
  } | null;
  /** How messages are judged. */
  validation?: {
    /** As `--validation`. */
    mode?: "enforce" | "observe" | "off" | false;
    /** Whether the server keeps compiled schemas, or reads and compiles them for each request. */
    cache_schemas?: boolean;
    /** Largest `data` of a validation request. */
    max_validation_size?: number | string;
    /** Large validations at once; further ones wait. */
    concurrent_validations?: number;
  } | null;
  /** Schemas of your own, for validation. */
  schemas?: {
    /** Folder of JSON Schema files: `NAME.json` is the schema type `user/NAME`; none: there are none. */
    directory?: string | null;
  } | null;
  /** What is kept out of the record. */
  redaction?: {
    /** As `--redact`. */
    mode?: "off" | "on" | "strict" | boolean;
    /** What is replaced too, in texts. */
    patterns?: Array<string> | string;
    /** Fields and variables whose values are replaced too. */
    fields?: Array<string> | string;
  } | null;
  /** What is recorded of an interactive `claude`. */
  interactive?: {
    /** As `--interactive`. */
    mode?: "off" | "record" | "status" | false;
  } | null;
  /** What others may do to a session. */
  acting?: {
    /** As `--act`. */
    grant?: "full" | "off" | "restrain";
    /** Actions that one client of the server (a token, or an address without one) may ask for, refused ones too. */
    rate?: string;
  } | null;
  /** What is done about sessions that run away: each further key is a rule, under a name of your own. */
  rules?: {
    /** Whether rules do what they say, or only tell what they would do. */
    mode?: "act" | "dry_run";
    /** Time between two questions for the running cost of a turn, where a rule needs it. */
    ask_every?: number;
  } | null;
  /** Permission rules that are in force for a session. */
  policy?: {
    /** As `--policy`. */
    file?: string | null;
    /** What becomes of a session in which the policy cannot be put in force: it is stopped before its first prompt, or its log says so. */
    on_failure?: "stop" | "tell";
  } | null;
  /** Who may ask the server, and how often. */
  security?: {
    /** Requests of one client (a token, or an address without one), counted from the first request of each stretch of time; none: no limit. */
    rate_limit?: string | null;
    /** Whether `allowed_origins` is in force. */
    enable_cors?: boolean;
    /** Other origins whose pages may ask, post and listen, where `enable_cors` is `true`. */
    allowed_origins?: Array<string> | string;
    /** Names that requests may have in `Host`, besides addresses, `localhost` and `api.host`. */
    allowed_hosts?: Array<string> | string;
    /** Whether the same user on this machine needs no token. */
    local_access?: boolean;
    /** Bearer tokens with all scopes, besides those of `claude-proxy token`. */
    tokens?: Array<string> | string;
    /** Certificate chain in PEM: the server speaks HTTPS; read again when it changes. */
    tls_certificate?: string | null;
    /** The certificate's private key in PEM, without a password. */
    tls_key?: string | null;
  } | null;
  /** Where things are kept. */
  storage?: {
    /** As `--data-dir`. */
    data_directory?: string | null;
    /** Largest size of all logs together: beyond, the oldest sessions go; none: no limit. */
    max_total_size?: number | null | string;
    /** Free disk space below which the server is degraded and makes no copies; nor, below 100 MB, an index. */
    min_free_space?: number | string;
    /** Whether copies of the logs are made. */
    backup_enabled?: boolean;
    /** Time between two copies. */
    backup_interval?: number;
    /** Copies that are kept: beyond, the oldest go. */
    backups_kept?: number;
    /** As `--seal`. */
    seal?: "off" | "on" | boolean;
    /** The PostgreSQL database of a centre, to which the hosts of a fleet push; none: this machine's own sessions. */
    url?: string | null;
    /** Whether the database tells of new events at once; `false` behind a pooler in transaction mode. */
    listen?: boolean;
  } | null;
  /** Where the seals of sessions go besides `seals.jsonl`. */
  seal?: {
    /** Where each line of `seals.jsonl` is posted, and the newest checkpoint of live sessions each minute; none: nowhere. */
    send_to?: string | null;
    /** Whether the same goes to the journal of systemd. */
    journal?: boolean;
  } | null;
  /** Where to what is recorded is sent, and what of it. */
  ship?: {
    /** The centre to which everything is sent that is recorded; none: it stays here. */
    to?: string | null;
    /** Token for it, of the scope `push`. */
    token?: string | null;
    /** What leaves: everything; without what people and models wrote; or what sessions cost, and how they ended. */
    content?: "figures" | "full" | "texts_removed";
    /** What is replaced too, before it leaves, in texts; known credentials are anyway. */
    redact?: Array<string> | string;
    /** Time for which records are gathered to be sent together. */
    gather?: number;
    /** About how much is sent at once. */
    piece?: number | string;
    /** Most bytes sent in a second; none: no limit. */
    rate?: number | null | string;
    /** Least time for which a log is kept after it was last written to, so that a centre that was restored to an older state gets it again. One that is not acknowledged is kept longer: see `storage.max_total_size`. */
    keep?: number;
    /** How long a background server stays for what is not sent yet while the centre is away. */
    linger?: number;
  } | null;
  /** Traces and metrics for OpenTelemetry. */
  otlp?: {
    /** Where traces and metrics are sent over OTLP/HTTP, without `/v1/traces`; none: as `OTEL_EXPORTER_OTLP_ENDPOINT` says, else nowhere. */
    endpoint?: string | null;
    /** Whether prompts, answers, and what tools take and give are sent, too. */
    content?: boolean;
  } | null;
  /** What the server says of itself. */
  logging?: {
    /** Least level that is logged. */
    level?: "DEBUG" | "ERROR" | "INFO" | "WARNING" | "debug" | "info" | "warning" | "error";
    /** One JSON object a line, or text; `auto`: text on a terminal, else JSON. */
    format?: "auto" | "console" | "json";
  } | null;
  /** Whom the server tells. */
  alerts?: {
    /** Where alerts are posted; none: nobody is told. */
    webhook_url?: string | null;
    /** Whether to tell of requests and jobs that a fault of ours failed. */
    server_error?: boolean;
    /** Whether to tell of wrappers that died, and commands that ended in a turn. */
    session_failed?: boolean;
    /** Wait for a permission or another answer of the caller that is told; none: never. */
    permission_wait?: number | null;
    /** Silence of Claude Code in the middle of a turn that is told; none: never. */
    model_wait?: number | null;
    /** Time of a tool that is told; none: never. */
    tool_wait?: number | null;
    /** Wait for the command's exit after its only turn that is told; none: never. */
    exit_wait?: number | null;
    /** Invalid and malformed messages of a session from which on it is told; none: never. */
    invalid_messages?: number | null;
    /** Whether to tell of lines that could not be recorded. */
    recording_gap?: boolean;
    /** Cost of a session in US dollars beyond which it is told; none: never. */
    session_budget?: number | null;
    /** Whether to tell that a rule of `rules` has fired. */
    rule?: boolean;
    /** Whether to tell of a disk below `storage.min_free_space`. */
    disk_low?: boolean;
  } | null;
  /** Checks of wrappers that clients ask the server for: they run programs. */
  compliance?: {
    /** Whether clients may have programs checked, which runs them. */
    enabled?: boolean;
    /** Checks at once; further ones wait. */
    concurrent_runs?: number;
  } | null;
};

/** Advisor result block. The outcome of a question to an advisor model by the API itself. */
export type ContentAdvisorToolResult = {
  type: "advisor_tool_result";
  tool_use_id: string;
  content: {
    error_code?: "max_uses_exceeded" | "prompt_too_long" | "too_many_requests" | "overloaded" | "unavailable" | "execution_time_exceeded" | "model_not_found" | (string & {});
    type?: "advisor_tool_result_error" | "advisor_result" | "advisor_redacted_result" | (string & {});
    stop_reason?: string | null;
    text?: string;
    encrypted_content?: string;
  };
  caller?: { [key: string]: unknown } | null;
};

/** Message of the API. An answer of the Messages API, as far as it has come. Claude Code passes on what the API sent, and makes messages of its own with the model `<synthetic>`. */
export type ContentApiMessage = {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: Array<ContentAssistantBlock>;
  stop_reason: "end_turn" | "max_tokens" | "stop_sequence" | "tool_use" | "pause_turn" | "compaction" | "refusal" | "model_context_window_exceeded" | (string & {}) | null;
  stop_sequence: string | null;
  usage: SharedUsage;
  container?: {
    id: string;
    expires_at: string;
    skills?: Array<{
      skill_id: string;
      type: "anthropic" | "custom" | (string & {});
      version: string;
    }> | null;
  } | null;
  context_management?: {
    applied_edits: Array<{
      cleared_input_tokens?: number;
      cleared_tool_uses?: number;
      type: "clear_tool_uses_20250919" | "clear_thinking_20251015" | (string & {});
      cleared_thinking_turns?: number;
    }>;
  } | null;
  diagnostics?: {
    cache_miss_reason?: {
      cache_missed_input_tokens?: number;
      type?: "model_changed" | "system_changed" | "tools_changed" | "messages_changed" | "previous_message_not_found" | "unavailable" | (string & {});
    } | null;
  } | null;
  stop_details?: {
    type: "refusal" | (string & {});
    category: "cyber" | "bio" | "frontier_llm" | "reasoning_extraction" | "general_harms" | (string & {}) | null;
    explanation: string | null;
    fallback_credit_token?: string | null;
    fallback_has_prefill_claim?: boolean | null;
    recommended_model?: string | null;
  } | null;
  input_transformations?: Array<{
    path?: string;
    reason?: "model_binding_mismatch" | "prefix_binding_mismatch" | "organization_binding_mismatch" | "end_user_binding_mismatch" | (string & {});
    type?: "thinking_dropped" | "thinking_mismatch_allowed" | (string & {});
  }> | null;
};

/** Block of an assistant message. Blocks that the model's messages are made of. */
export type ContentAssistantBlock = (ContentText | ContentThinking | ContentRedactedThinking | ContentToolUse | ContentServerToolUse | ContentMcpToolUse | ContentMcpToolResult | ContentWebSearchToolResult | ContentWebFetchToolResult | ContentAdvisorToolResult | ContentCodeExecutionToolResult | ContentBashCodeExecutionToolResult | ContentTextEditorCodeExecutionToolResult | ContentToolSearchToolResult | ContentContainerUpload | ContentCompaction | ContentFallback | ContentMcpToolListing);

/** Bash code execution result block. The outcome of a run of a shell command by the API itself. */
export type ContentBashCodeExecutionToolResult = {
  type: "bash_code_execution_tool_result";
  tool_use_id: string;
  content: {
    error_code?: "invalid_tool_input" | "unavailable" | "too_many_requests" | "execution_time_exceeded" | "output_file_too_large" | (string & {});
    type?: "bash_code_execution_tool_result_error" | "bash_code_execution_result" | (string & {});
    content?: Array<{
      file_id?: string;
      type?: "bash_code_execution_output" | (string & {});
    }>;
    return_code?: number;
    stderr?: string;
    stdout?: string;
  };
  caller?: { [key: string]: unknown } | null;
};

/** Citation. The place in a source that a stretch of text rests on. */
export type ContentCitation = {
  type: "char_location" | "page_location" | "content_block_location" | "web_search_result_location" | "search_result_location" | (string & {});
  cited_text: string;
  document_title?: string | null;
  title?: string | null;
  url?: string;
  source?: string;
  document_index?: number;
  end_char_index?: number;
  file_id?: string | null;
  start_char_index?: number;
  end_page_number?: number;
  start_page_number?: number;
  end_block_index?: number;
  start_block_index?: number;
  encrypted_index?: string;
  search_result_index?: number;
};

/** Code execution result block. The outcome of a run of code by the API itself. */
export type ContentCodeExecutionToolResult = {
  type: "code_execution_tool_result";
  tool_use_id: string;
  content: {
    error_code?: "invalid_tool_input" | "unavailable" | "too_many_requests" | "execution_time_exceeded" | (string & {});
    type?: "code_execution_tool_result_error" | "code_execution_result" | "encrypted_code_execution_result" | (string & {});
    content?: Array<{
      file_id?: string;
      type?: "code_execution_output" | (string & {});
    }>;
    return_code?: number;
    stderr?: string;
    stdout?: string;
    encrypted_stdout?: string;
  };
  caller?: { [key: string]: unknown } | null;
};

/** Compaction block. The API's own summary of what it dropped from the context. */
export type ContentCompaction = {
  type: "compaction";
  content: string | null;
  encrypted_content: string | null;
  signature?: string | null;
  tool_changes?: unknown;
};

/** Container upload block. A file that was put into the API's container. */
export type ContentContainerUpload = {
  type: "container_upload";
  file_id: string;
};

/** Document block. A document in a user message or a tool result. */
export type ContentDocument = {
  type: "document";
  source: ContentMediaSource;
  title?: string | null;
  context?: string | null;
  citations?: {
    enabled?: boolean;
  } | null;
  cache_control?: SharedCacheControl | null;
};

/** Fallback block. Another model took over after a refusal. */
export type ContentFallback = {
  type: "fallback";
  from: {
    model: string;
  };
  to: {
    model: string;
  };
  trigger: {
    type: "refusal" | (string & {});
    category?: "cyber" | "bio" | "frontier_llm" | "reasoning_extraction" | "general_harms" | (string & {}) | null;
  };
};

/** Image block. A picture in a user message or a tool result. */
export type ContentImage = {
  type: "image";
  source: ContentMediaSource;
  transformations?: {
    oversized_image?: "downsize" | "error" | (string & {});
  } | null;
  cache_control?: SharedCacheControl | null;
};

/** MCP tool listing block. The tools of an MCP server that the API is connected to. */
export type ContentMcpToolListing = {
  type: "mcp_tool_listing";
  mcp_server_name: string;
  tools: Array<{
    name: string;
    input_schema: { [key: string]: unknown };
    description?: string | null;
  }>;
};

/** MCP tool result block. The result of a tool of an MCP server that the API is connected to. */
export type ContentMcpToolResult = {
  type: "mcp_tool_result";
  tool_use_id: string;
  is_error: boolean;
  content: Array<ContentText> | string;
};

/** MCP tool use block. The model calls a tool of an MCP server that the API is connected to. */
export type ContentMcpToolUse = {
  type: "mcp_tool_use";
  id: string;
  name: string;
  server_name: string;
  input: unknown;
};

/** Media source. Where the bytes of an image or a document are. */
export type ContentMediaSource = (ContentSourceBase64 | ContentSourceUrl | ContentSourceFile | ContentSourceText | ContentSourceContent);

/** Redacted thinking block. Thinking that the API gives only encrypted. */
export type ContentRedactedThinking = {
  type: "redacted_thinking";
  data: string;
};

/** Search result block. A passage found by a search, which the model can cite. */
export type ContentSearchResult = {
  type: "search_result";
  source: string;
  title: string;
  content: Array<ContentText>;
  citations?: {
    enabled?: boolean;
  } | null;
  cache_control?: SharedCacheControl | null;
};

/** Server tool use block. The model calls a tool that the API runs itself. */
export type ContentServerToolUse = {
  type: "server_tool_use";
  id: string;
  name: "advisor" | "web_search" | "web_fetch" | "code_execution" | "bash_code_execution" | "text_editor_code_execution" | "tool_search_tool_regex" | "tool_search_tool_bm25" | (string & {});
  /** Releases up to 2.1.20 leave it the text that it was streamed as. */
  input: { [key: string]: unknown } | string;
  caller?: {
    type?: "direct" | "code_execution_20250825" | "code_execution_20260120" | (string & {});
    tool_id?: string;
  } | null;
};

/** Source: base64. The bytes themselves. */
export type ContentSourceBase64 = {
  type: "base64";
  media_type: "image/jpeg" | "image/png" | "image/gif" | "image/webp" | "application/pdf" | (string & {});
  data: string;
};

/** Source: blocks. A document made of content blocks. */
export type ContentSourceContent = {
  type: "content";
  content: Array<{
    text?: string;
    type?: "text" | "image" | (string & {});
    cache_control?: {
      type?: "ephemeral" | (string & {});
      ttl?: "5m" | "1h" | (string & {});
    } | null;
    citations?: Array<{
      cited_text?: string;
      document_index?: number;
      document_title?: string | null;
      end_char_index?: number;
      start_char_index?: number;
      type?: "char_location" | "page_location" | "content_block_location" | "web_search_result_location" | "search_result_location" | (string & {});
      end_page_number?: number;
      start_page_number?: number;
      end_block_index?: number;
      start_block_index?: number;
      encrypted_index?: string;
      title?: string | null;
      url?: string;
      search_result_index?: number;
      source?: string;
    }> | null;
    source?: {
      data?: string;
      media_type?: "image/jpeg" | "image/png" | "image/gif" | "image/webp" | (string & {});
      type?: "base64" | "url" | "file" | (string & {});
      url?: string;
      file_id?: string;
    };
    transformations?: {
      oversized_image?: "downsize" | "error" | (string & {});
    } | null;
  }> | string;
};

/** Source: uploaded file. A file that was uploaded to the API. */
export type ContentSourceFile = {
  type: "file";
  file_id: string;
};

/** Source: plain text. A document that is plain text. */
export type ContentSourceText = {
  type: "text";
  media_type: "text/plain" | (string & {});
  data: string;
};

/** Source: URL. The address to fetch it from. */
export type ContentSourceUrl = {
  type: "url";
  url: string;
};

/** Text block. Text of a message. */
export type ContentText = {
  type: "text";
  text: string;
  citations?: Array<ContentCitation> | null;
  cache_control?: SharedCacheControl | null;
};

/** Text editor code execution result block. The outcome of a edit of a file by the API itself. */
export type ContentTextEditorCodeExecutionToolResult = {
  type: "text_editor_code_execution_tool_result";
  tool_use_id: string;
  content: {
    error_code?: "invalid_tool_input" | "unavailable" | "too_many_requests" | "execution_time_exceeded" | "file_not_found" | (string & {});
    error_message?: string | null;
    type?: "text_editor_code_execution_tool_result_error" | "text_editor_code_execution_view_result" | "text_editor_code_execution_create_result" | "text_editor_code_execution_str_replace_result" | (string & {});
    content?: string;
    file_type?: "text" | "image" | "pdf" | (string & {});
    num_lines?: number | null;
    start_line?: number | null;
    total_lines?: number | null;
    is_file_update?: boolean;
    lines?: Array<string> | null;
    new_lines?: number | null;
    new_start?: number | null;
    old_lines?: number | null;
    old_start?: number | null;
  };
  caller?: { [key: string]: unknown } | null;
};

/** Thinking block. The model's thinking, signed so that it can be given back to the API. */
export type ContentThinking = {
  type: "thinking";
  thinking: string;
  signature: string;
};

/** Tool reference block. Names a tool that a tool search found. */
export type ContentToolReference = {
  type: "tool_reference";
  tool_name: string;
  cache_control?: SharedCacheControl | null;
};

/** Tool result block. What a tool gave; it answers the `tool_use` of that id. `is_error` is often left out when all went well. */
export type ContentToolResult = {
  type: "tool_result";
  tool_use_id?: SharedToolUseId;
  content?: Array<ContentToolResultBlock> | string | null;
  is_error?: boolean | null;
  toolset_name?: string | null;
  cache_control?: SharedCacheControl | null;
};

/** Block of a tool result. Blocks that a tool result is made of. */
export type ContentToolResultBlock = (ContentText | ContentImage | ContentDocument | ContentSearchResult | ContentToolReference);

/** Server tool error. Why a tool that the API ran failed. */
export type ContentToolResultError = {
  type: "web_search_tool_result_error" | (string & {});
  error_code: "invalid_tool_input" | "unavailable" | "max_uses_exceeded" | "too_many_requests" | "query_too_long" | "request_too_large" | (string & {});
  error_message?: string | null;
};

/** Tool search result block. The outcome of a search for tools by the API itself. */
export type ContentToolSearchToolResult = {
  type: "tool_search_tool_result";
  tool_use_id: string;
  content: {
    error_code?: "invalid_tool_input" | "unavailable" | "too_many_requests" | "execution_time_exceeded" | (string & {});
    error_message?: string | null;
    type?: "tool_search_tool_result_error" | "tool_search_tool_search_result" | (string & {});
    tool_references?: Array<{
      tool_name?: string;
      type?: "tool_reference" | (string & {});
    }>;
  };
  caller?: { [key: string]: unknown } | null;
};

/** Tool use block. The model calls a tool; the result comes back as a `tool_result` with this id. */
export type ContentToolUse = {
  type: "tool_use";
  id: string;
  name: string;
  /** Arguments of the tool, by its own schema. */
  input: unknown;
  caller?: {
    type?: "direct" | "code_execution_20250825" | "code_execution_20260120" | (string & {});
    tool_id?: string;
  } | null;
  toolset_name?: string | null;
  cache_control?: SharedCacheControl | null;
};

/** Block of a user message. Blocks that user messages are made of. */
export type ContentUserBlock = (ContentText | ContentImage | ContentDocument | ContentSearchResult | ContentToolResult);

/** Web fetch result block. The outcome of a fetch of a web page by the API itself. */
export type ContentWebFetchToolResult = {
  type: "web_fetch_tool_result";
  tool_use_id: string;
  content: {
    error_code?: "invalid_tool_input" | "url_too_long" | "url_not_allowed" | "url_not_in_prior_context" | "url_not_accessible" | "unsupported_content_type" | "too_many_requests" | "max_uses_exceeded" | "unavailable" | "content_too_large" | (string & {});
    type?: "web_fetch_tool_result_error" | "web_fetch_result" | (string & {});
    content?: {
      citations?: {
        enabled?: boolean;
      } | null;
      source?: {
        data?: string;
        media_type?: "application/pdf" | "text/plain" | (string & {});
        type?: "base64" | "text" | (string & {});
      };
      title?: string | null;
      type?: "document" | (string & {});
    };
    retrieved_at?: string | null;
    url?: string;
  };
  caller?: {
    type?: "direct" | "code_execution_20250825" | "code_execution_20260120" | (string & {});
    tool_id?: string;
  } | null;
};

/** Web search result. One page that a web search found. */
export type ContentWebSearchResult = {
  type: "web_search_result";
  title: string;
  url: string;
  encrypted_content: string;
  page_age?: string | null;
};

/** Web search result block. What a web search of the API found, or why it failed. */
export type ContentWebSearchToolResult = {
  type: "web_search_tool_result";
  tool_use_id: string;
  content: Array<ContentWebSearchResult> | ContentToolResultError;
  caller?: {
    type?: "direct" | "code_execution_20250825" | "code_execution_20260120" | (string & {});
    tool_id?: string;
  } | null;
};

/** State of an MCP server. Whether a server is connected, and what it offers. `config` carries credentials by definition. */
export type ControlMcpServerStatus = {
  name: string;
  status: "connected" | "failed" | "needs-auth" | "pending" | "disabled" | (string & {});
  serverInfo?: {
    name: string;
    version: string;
  } | null;
  error?: string | null;
  config?: {
    type?: "stdio" | "sse" | "http" | "sdk" | "claudeai-proxy" | (string & {});
    command?: string;
    args?: Array<string>;
    env?: { [key: string]: string };
    timeout?: number;
    alwaysLoad?: boolean;
    url?: string;
    headers?: { [key: string]: string };
    tools?: Array<{
      name?: string;
      permission_policy?: "always_allow" | "always_ask" | "always_deny" | (string & {});
      org_max_permission?: "allow" | "ask" | "blocked" | (string & {});
    }>;
    name?: string;
    id?: string;
  } | null;
  scope?: string | null;
  source?: string | null;
  transport?: string | null;
  tools?: Array<{
    name: string;
    description?: string | null;
    annotations?: {
      readOnly?: boolean;
      destructive?: boolean;
      openWorld?: boolean;
    } | null;
    _meta?: { [key: string]: unknown };
  }> | null;
};

/** Model. A model that the session can use, and what it can do. */
export type ControlModel = {
  value: string;
  displayName: string;
  description: string;
  supportsThinkingOff?: boolean;
  resolvedModel?: string;
  supportsEffort?: boolean;
  supportedEffortLevels?: Array<"low" | "medium" | "high" | "xhigh" | "max" | (string & {})>;
  supportsAdaptiveThinking?: boolean;
  supportsFastMode?: boolean;
  supportsAutoMode?: boolean;
};

/** Body of a control request. What is asked. `subtype` says what, and who may ask it. */
export type ControlRequestBody = (ControlRequestsCanUseTool | ControlRequestsHookCallback | ControlRequestsMcpMessage | ControlRequestsElicitation | ControlRequestsRequestUserDialog | ControlRequestsInitialize | ControlRequestsInterrupt | ControlRequestsSetPermissionMode | ControlRequestsSetModel | ControlRequestsSetMaxThinkingTokens | ControlRequestsRenameSession | ControlRequestsSetColor | ControlRequestsMcpStatus | ControlRequestsMcpReconnect | ControlRequestsMcpToggle | ControlRequestsMcpSetServers | ControlRequestsMcpCall | ControlRequestsMcpReadResource | ControlRequestsGetContextUsage | ControlRequestsGetSessionCost | ControlRequestsListModels | ControlRequestsGetUsage | ControlRequestsGetBinaryVersion | ControlRequestsGetSettings | ControlRequestsGetHooksListing | ControlRequestsListPermissionRules | ControlRequestsApplyFlagSettings | ControlRequestsUpdateSettings | ControlRequestsFileSuggestions | ControlRequestsReadFile | ControlRequestsSeedReadState | ControlRequestsRewindFiles | ControlRequestsCancelAsyncMessage | ControlRequestsRegisterRepoRoot | ControlRequestsReloadPlugins | ControlRequestsReloadSkills | ControlRequestsReloadOutputStyles | ControlRequestsSetHasSubscribers | ControlRequestsStopTask | ControlRequestsBackgroundTasks | ControlRequestsGetTaskOutput | ControlRequestsGenerateSessionTitle | ControlRequestsSideQuestion | ControlRequestsGetStatus | ControlRequestsGetPlan | ControlRequestsGetMemoryDialog | ControlRequestsGetSkillsDialog | ControlRequestsGetSandboxDialog | ControlRequestsGetChromeDialog | ControlRequestsGetChromeBrowsers | ControlRequestsSelectChromeBrowser | ControlRequestsExportConversation | ControlRequestsMessageRated | ControlRequestsSetPromptSuggestionsPaused | ControlRequestsPromptDraftActivity | ControlRequestsSetCwd | ControlRequestsClaimSession | ControlRequestsRemoteControl | ControlRequestsSubmitFeedback | ControlRequestsSubmitSurveyFeedback | ControlRequestsUltrareviewLaunch | ControlRequestsChannelEnable | ControlRequestsMcpAuthenticate | ControlRequestsMcpClearAuth | ControlRequestsMcpOauthCallbackUrl | ControlRequestsSetMcpPermissionModeOverride | ControlRequestsSetChromeBrowserHints | ControlRequestsClaudeAuthenticate | ControlRequestsClaudeOauthCallback | ControlRequestsClaudeOauthWaitForCompletion | ControlRequestsEndSession);

/** Control request: apply flag settings. The client asks Claude Code to lay settings over those of the files, for this session. `env` carries credentials by definition. */
export type ControlRequestsApplyFlagSettings = {
  subtype: "apply_flag_settings";
  settings: { [key: string]: unknown };
};

/** Control request: background tasks. The client asks Claude Code to move the running task, or the one of a tool call, to the background. */
export type ControlRequestsBackgroundTasks = {
  subtype: "background_tasks";
  tool_use_id?: string | null;
};

/** Control request: can use tool. Claude Code asks the client whether a tool may be used; the turn waits for the answer. */
export type ControlRequestsCanUseTool = {
  subtype: "can_use_tool";
  tool_name: string;
  input: { [key: string]: unknown };
  tool_use_id?: SharedToolUseId;
  permission_suggestions?: Array<SharedPermissionUpdate>;
  blocked_path?: string | null;
  decision_reason?: string | null;
  decision_reason_type?: "rule" | "mode" | "subcommandResults" | "permissionPromptTool" | "hook" | "asyncAgent" | "sandboxOverride" | "workingDir" | "safetyCheck" | "classifier" | "other" | (string & {}) | null;
  title?: string | null;
  display_name?: string | null;
  description?: string | null;
  agent_id?: string | null;
  mcp_server?: {
    name: string;
    source: string;
  } | null;
  classifier_approvable?: boolean;
  suppress_always_allow_rule?: boolean;
  default_to_no?: boolean;
  requires_user_interaction?: boolean;
  matched_ask_rule?: {
    source: string;
    tool_name: string;
    rule_content?: string | null;
  } | null;
  server_policy_ask_only?: boolean;
  decision_reason_rule_source?: string | null;
  decision_reason_hook_event?: string | null;
  decision_reason_hook_source?: string | null;
};

/** Control request: cancel async message. The client asks Claude Code to drop a user message that still waits for its turn. */
export type ControlRequestsCancelAsyncMessage = {
  subtype: "cancel_async_message";
  message_uuid: string;
};

/** Control request: channel enable. The client asks Claude Code to switch an MCP server's channel on. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsChannelEnable = {
  subtype: "channel_enable";
  serverName: string;
};

/** Control request: claim session. The client asks Claude Code to take the session over. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsClaimSession = {
  subtype: "claim_session";
};

/** Control request: claude authenticate. The client asks Claude Code to sign in. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsClaudeAuthenticate = {
  subtype: "claude_authenticate";
};

/** Control request: claude oauth callback. The client asks Claude Code to end signing in with what the browser came back with. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsClaudeOauthCallback = {
  subtype: "claude_oauth_callback";
};

/** Control request: claude oauth wait for completion. The client asks Claude Code to tell when signing in is done. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsClaudeOauthWaitForCompletion = {
  subtype: "claude_oauth_wait_for_completion";
};

/** Control request: elicitation. Claude Code asks the client for something that an MCP server wants to know from the user. */
export type ControlRequestsElicitation = {
  subtype: "elicitation";
  mcp_server_name: string;
  message: string;
  mode?: "form" | "url" | (string & {});
  url?: string;
  elicitation_id?: string;
  requested_schema?: { [key: string]: unknown };
  property_order?: Array<string>;
  title?: string;
  display_name?: string;
  description?: string;
};

/** Control request: end session. The client asks Claude Code to end the session. Claude Code knows it, though no public types have it. */
export type ControlRequestsEndSession = {
  subtype: "end_session";
  reason?: string | null;
};

/** Control request: export conversation. The client asks Claude Code for the conversation as text. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsExportConversation = {
  subtype: "export_conversation";
};

/** Control request: file suggestions. The client asks Claude Code which files fit what the user is typing. */
export type ControlRequestsFileSuggestions = {
  subtype: "file_suggestions";
  query: string;
};

/** Control request: generate session title. The client asks Claude Code for a title that fits a description. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGenerateSessionTitle = {
  subtype: "generate_session_title";
  description: string;
  persist?: boolean | null;
};

/** Control request: get binary version. The client asks Claude Code which version it is. */
export type ControlRequestsGetBinaryVersion = {
  subtype: "get_binary_version";
};

/** Control request: get chrome browsers. The client asks Claude Code which Chrome browsers there are. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetChromeBrowsers = {
  subtype: "get_chrome_browsers";
};

/** Control request: get chrome dialog. The client asks Claude Code what the Chrome dialog shows. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetChromeDialog = {
  subtype: "get_chrome_dialog";
};

/** Control request: get context usage. The client asks Claude Code what fills the context window. */
export type ControlRequestsGetContextUsage = {
  subtype: "get_context_usage";
  detail?: "summary" | "full" | (string & {}) | null;
};

/** Control request: get hooks listing. The client asks Claude Code which hooks there are. */
export type ControlRequestsGetHooksListing = {
  subtype: "get_hooks_listing";
};

/** Control request: get memory dialog. The client asks Claude Code what the memory dialog shows. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetMemoryDialog = {
  subtype: "get_memory_dialog";
};

/** Control request: get plan. The client asks Claude Code for the plan of plan mode. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetPlan = {
  subtype: "get_plan";
};

/** Control request: get sandbox dialog. The client asks Claude Code what the sandbox dialog shows. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetSandboxDialog = {
  subtype: "get_sandbox_dialog";
};

/** Control request: get session cost. The client asks Claude Code what the session has cost. */
export type ControlRequestsGetSessionCost = {
  subtype: "get_session_cost";
};

/** Control request: get settings. The client asks Claude Code which settings hold. */
export type ControlRequestsGetSettings = {
  subtype: "get_settings";
};

/** Control request: get skills dialog. The client asks Claude Code what the skills dialog shows. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetSkillsDialog = {
  subtype: "get_skills_dialog";
};

/** Control request: get status. The client asks Claude Code what `/status` shows. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsGetStatus = {
  subtype: "get_status";
};

/** Control request: get task output. The client asks Claude Code what a task has printed. */
export type ControlRequestsGetTaskOutput = {
  subtype: "get_task_output";
  task_id: string;
};

/** Control request: get usage. The client asks Claude Code how much of the account's limits is used. */
export type ControlRequestsGetUsage = {
  subtype: "get_usage";
  skip_behaviors?: boolean | null;
};

/** Control request: hook callback. Claude Code asks the client what a hook that the client registered has to say; `{}` means nothing. */
export type ControlRequestsHookCallback = {
  subtype: "hook_callback";
  callback_id: string;
  input: HooksInput;
  tool_use_id?: SharedToolUseId;
};

/** Control request: initialize. The client asks Claude Code to prepare the session: hooks, servers, prompts, agents. The first line of an SDK, and it may come again. */
export type ControlRequestsInitialize = {
  subtype: "initialize";
  hooks?: { [key: string]: Array<{
    hookCallbackIds: Array<string>;
    matcher?: string | null;
    timeout?: number | null;
    onFailure?: "continue" | "block" | (string & {}) | null;
  }> } | null;
  sdkMcpServers?: Array<string> | null;
  sdkMcpServerConfigs?: { [key: string]: {
    timeout?: number | null;
    tools?: Array<SharedMcpToolPolicy> | null;
  } } | null;
  sdkMcpServerManifests?: { [key: string]: {
    initializeResult?: { [key: string]: unknown };
    toolsListResult?: { [key: string]: unknown } | null;
  } } | null;
  sdkMcpServerManifestsOrigin?: "host_per_send" | (string & {}) | null;
  jsonSchema?: { [key: string]: unknown } | null;
  systemPrompt?: Array<string> | string | null;
  appendSystemPrompt?: string | null;
  systemPromptSnapshot?: boolean | null;
  planModeInstructions?: string | null;
  toolAliases?: { [key: string]: string } | null;
  excludeDynamicSections?: boolean | null;
  agents?: { [key: string]: {
    description: string;
    prompt: string;
    tools?: Array<string>;
    disallowedTools?: Array<string>;
    model?: string;
    mcpServers?: Array<{ [key: string]: SharedMcpServerConfig } | string>;
    skills?: Array<string>;
    criticalSystemReminder_EXPERIMENTAL?: string | null;
    initialPrompt?: string;
    maxTurns?: number;
    background?: boolean;
    memory?: "user" | "project" | "local" | (string & {});
    effort?: "low" | "medium" | "high" | "xhigh" | "max" | (string & {}) | number;
    permissionMode?: "default" | "acceptEdits" | "bypassPermissions" | "plan" | "dontAsk" | "auto" | (string & {});
    color?: string | null;
    autoCompactWindow?: number;
    omitClaudeMd?: boolean;
    observer?: string;
    observerMessage?: string;
  } } | null;
  title?: string | null;
  skills?: Array<string> | string;
  promptSuggestions?: boolean | null;
  agentProgressSummaries?: boolean | null;
  forwardSubagentText?: boolean | null;
  supportedDialogKinds?: Array<string> | null;
  perTaskStopAffordance?: boolean | null;
  plugins?: Array<{
    type: "local" | (string & {});
    path: string;
    skipMcpDiscovery?: boolean;
  }> | null;
  mcpServers?: { [key: string]: SharedMcpServerConfig } | null;
};

/** Control request: interrupt. The client asks Claude Code to stop the running turn, which then ends with an error result. */
export type ControlRequestsInterrupt = {
  subtype: "interrupt";
  cancel_queued?: boolean | null;
};

/** Control request: list models. The client asks Claude Code which models there are. */
export type ControlRequestsListModels = {
  subtype: "list_models";
};

/** Control request: list permission rules. The client asks Claude Code which permission rules hold. */
export type ControlRequestsListPermissionRules = {
  subtype: "list_permission_rules";
};

/** Control request: mcp authenticate. The client asks Claude Code to sign in to an MCP server. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsMcpAuthenticate = {
  subtype: "mcp_authenticate";
  serverName: string;
};

/** Control request: mcp call. The client asks Claude Code to call a tool of an MCP server, outside any turn. */
export type ControlRequestsMcpCall = {
  subtype: "mcp_call";
  tool: string;
  arguments?: { [key: string]: unknown } | null;
  expires_at?: string | null;
  timeout_ms?: number | null;
  result_not_for_model?: boolean | null;
  /** Since 2.1.332: a failure that the tool itself tells of is given as its result, with `isError`, and not as an error of the request. */
  soft_error_result?: boolean | null;
  check_permissions?: boolean;
  input_files?: Array<{
    name: string;
    lane_path: string;
  }> | null;
  output_files?: Array<{
    name: string;
    lane_path: string;
    if_match?: string | null;
  }> | null;
};

/** Control request: mcp clear auth. The client asks Claude Code to forget how it signed in to an MCP server. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsMcpClearAuth = {
  subtype: "mcp_clear_auth";
  serverName: string;
};

/** Control request: mcp message. Either side asks the other to pass a JSON-RPC message on to or from an MCP server that lives in the client. */
export type ControlRequestsMcpMessage = {
  subtype: "mcp_message";
  server_name: string;
  message: SharedJsonRpc;
};

/** Control request: mcp oauth callback url. The client asks Claude Code to end signing in to an MCP server with the URL that the browser came back to. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsMcpOauthCallbackUrl = {
  subtype: "mcp_oauth_callback_url";
  serverName: string;
  callbackUrl: string;
};

/** Control request: mcp read resource. The client asks Claude Code for a `ui://` resource of an MCP server. */
export type ControlRequestsMcpReadResource = {
  subtype: "mcp_read_resource";
  serverName: string;
  uri: string;
};

/** Control request: mcp reconnect. The client asks Claude Code to connect to an MCP server again. */
export type ControlRequestsMcpReconnect = {
  subtype: "mcp_reconnect";
  serverName: string;
};

/** Control request: mcp set servers. The client asks Claude Code to replace the MCP servers that the client manages. */
export type ControlRequestsMcpSetServers = {
  subtype: "mcp_set_servers";
  servers: { [key: string]: SharedMcpServerConfig };
};

/** Control request: mcp status. The client asks Claude Code how its MCP servers are. */
export type ControlRequestsMcpStatus = {
  subtype: "mcp_status";
  liveReply?: boolean | null;
};

/** Control request: mcp toggle. The client asks Claude Code to switch an MCP server on or off. */
export type ControlRequestsMcpToggle = {
  subtype: "mcp_toggle";
  serverName: string;
  enabled: boolean;
};

/** Control request: message rated. The client asks Claude Code to note how the user rated a message. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsMessageRated = {
  subtype: "message_rated";
};

/** Control request: prompt draft activity. Since 2.1.332: the client says that a prompt is being typed, at its first key and now and then while that goes on, so that Claude Code may get ready for it. It carries none of the text. Acknowledged without a payload. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsPromptDraftActivity = {
  subtype: "prompt_draft_activity";
};

/** Control request: read file. The client asks Claude Code for the contents of a file. */
export type ControlRequestsReadFile = {
  subtype: "read_file";
  path: string;
  max_bytes?: number | null;
  encoding?: "utf-8" | "base64" | (string & {}) | null;
};

/** Control request: register repo root. The client asks Claude Code to work in another repository as well. */
export type ControlRequestsRegisterRepoRoot = {
  subtype: "register_repo_root";
  directory: string;
  reload_claude_md?: boolean | null;
  reload_plugins?: boolean | null;
  reload_skills?: boolean | null;
};

/** Control request: reload output styles. The client asks Claude Code to read the output styles again. */
export type ControlRequestsReloadOutputStyles = {
  subtype: "reload_output_styles";
};

/** Control request: reload plugins. The client asks Claude Code to read the plugins again. */
export type ControlRequestsReloadPlugins = {
  subtype: "reload_plugins";
  hold_on_cache_impact?: boolean | null;
  add_plugins?: Array<{
    type?: "local" | (string & {});
    path?: string;
    skipMcpDiscovery?: boolean;
  }> | null;
  refuse_if_busy?: boolean | null;
};

/** Control request: reload skills. The client asks Claude Code to read the skills again. */
export type ControlRequestsReloadSkills = {
  subtype: "reload_skills";
};

/** Control request: remote control. The client asks Claude Code to open the session to remote control. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsRemoteControl = {
  subtype: "remote_control";
};

/** Control request: rename session. The client asks Claude Code to give the session a title. */
export type ControlRequestsRenameSession = {
  subtype: "rename_session";
  title: string;
  source?: "remote" | "host" | (string & {}) | null;
  session_id?: string;
};

/** Control request: request user dialog. Claude Code asks the client to show the user a dialog of one of the kinds that the client named in `initialize`. */
export type ControlRequestsRequestUserDialog = {
  subtype: "request_user_dialog";
  dialog_kind: string;
  payload: { [key: string]: unknown };
  tool_use_id?: SharedToolUseId;
};

/** Control request: rewind files. The client asks Claude Code to put files back to what they were before a user message. */
export type ControlRequestsRewindFiles = {
  subtype: "rewind_files";
  user_message_id: string;
  dry_run?: boolean | null;
};

/** Control request: seed read state. The client asks Claude Code to take a file as read, so that it may be edited. */
export type ControlRequestsSeedReadState = {
  subtype: "seed_read_state";
  path: string;
  mtime: number;
};

/** Control request: select chrome browser. The client asks Claude Code to use a certain Chrome browser. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSelectChromeBrowser = {
  subtype: "select_chrome_browser";
};

/** Control request: set chrome browser hints. The client asks Claude Code to note what is known of the Chrome browser. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSetChromeBrowserHints = {
  subtype: "set_chrome_browser_hints";
};

/** Control request: set color. The client asks Claude Code to give the session a colour. Print mode refuses it. */
export type ControlRequestsSetColor = {
  subtype: "set_color";
  color: string;
};

/** Control request: set cwd. The client asks Claude Code to work in another directory. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSetCwd = {
  subtype: "set_cwd";
  path: string;
};

/** Control request: set has subscribers. The client asks Claude Code to know whether anybody follows the session. */
export type ControlRequestsSetHasSubscribers = {
  subtype: "set_has_subscribers";
  has_subscribers: boolean | null;
};

/** Control request: set max thinking tokens. The client asks Claude Code to change how much the model may think; null takes the default again. */
export type ControlRequestsSetMaxThinkingTokens = {
  subtype: "set_max_thinking_tokens";
  max_thinking_tokens?: number | null;
  thinking_display?: "summarized" | "omitted" | "highlights" | (string & {}) | null;
};

/** Control request: set mcp permission mode override. The client asks Claude Code to set another permission mode for an MCP server. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSetMcpPermissionModeOverride = {
  subtype: "set_mcp_permission_mode_override";
  serverName?: string;
  mode?: string | null;
};

/** Control request: set model. The client asks Claude Code to use another model from the next turn on; null or nothing takes the default again. */
export type ControlRequestsSetModel = {
  subtype: "set_model";
  model?: string | null;
};

/** Control request: set permission mode. The client asks Claude Code to change how permissions are decided. An unknown mode gets an error. */
export type ControlRequestsSetPermissionMode = {
  subtype: "set_permission_mode";
  mode: "default" | "acceptEdits" | "bypassPermissions" | "plan" | "dontAsk" | "auto" | (string & {});
  ultraplan?: boolean | null;
};

/** Control request: set prompt suggestions paused. The client asks Claude Code to pause prompt suggestions, or go on with them. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSetPromptSuggestionsPaused = {
  subtype: "set_prompt_suggestions_paused";
  paused: boolean;
};

/** Control request: side question. The client asks Claude Code a question beside the conversation. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSideQuestion = {
  subtype: "side_question";
  question: string;
  history?: unknown;
};

/** Control request: stop task. The client asks Claude Code to stop a task. */
export type ControlRequestsStopTask = {
  subtype: "stop_task";
  task_id: string;
};

/** Control request: submit feedback. The client asks Claude Code to pass feedback on. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSubmitFeedback = {
  subtype: "submit_feedback";
};

/** Control request: submit survey feedback. The client asks Claude Code to pass an answer to a survey on. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsSubmitSurveyFeedback = {
  subtype: "submit_survey_feedback";
};

/** Control request: ultrareview launch. The client asks Claude Code to start a large review. The TypeScript SDK sends it, though its public types do not have it. */
export type ControlRequestsUltrareviewLaunch = {
  subtype: "ultrareview_launch";
};

/** Control request: update settings. The client asks Claude Code to write settings to a file. `env` carries credentials by definition. */
export type ControlRequestsUpdateSettings = {
  subtype: "update_settings";
  source: "localSettings" | "userSettings" | (string & {});
  settings: { [key: string]: unknown };
};

/** Body of a control response. The outcome of a control request. */
export type ControlResponseBody = (ControlResponseSuccess | ControlResponseError);

/** Body of a control response: error. What was asked could not be done. */
export type ControlResponseError = {
  subtype: "error";
  request_id: string;
  error: string;
  error_code?: "unsupported_request" | "invalid_mode" | "bypass_not_launched" | (string & {}) | null;
  pending_permission_requests?: Array<{ [key: string]: unknown }> | null;
  pending_user_dialog_requests?: Array<{ [key: string]: unknown }> | null;
  pending_elicitation_requests?: Array<{ [key: string]: unknown }> | null;
};

/** Body of a control response: success. What was asked was done. The payload depends on the request: see `control/responses`. */
export type ControlResponseSuccess = {
  subtype: "success";
  request_id: string;
  response?: { [key: string]: unknown } | null;
  pending_permission_requests?: Array<{ [key: string]: unknown }> | null;
  pending_user_dialog_requests?: Array<{ [key: string]: unknown }> | null;
  pending_elicitation_requests?: Array<{ [key: string]: unknown }> | null;
};

/** Reply to apply flag settings. Nothing but the acknowledgement. */
export type ControlResponsesApplyFlagSettings = { [key: string]: unknown };

/** Reply to background tasks. Nothing but the acknowledgement. */
export type ControlResponsesBackgroundTasks = { [key: string]: unknown };

/** Reply to can use tool. Whether the tool may be used. */
export type ControlResponsesCanUseTool = (ControlResponsesCanUseToolAllow | ControlResponsesCanUseToolDeny);

/** Reply to can use tool: allow. The tool may be used, perhaps with other arguments, and perhaps with new rules for the next time. */
export type ControlResponsesCanUseToolAllow = {
  behavior: "allow";
  updatedInput?: { [key: string]: unknown } | null;
  updatedPermissions?: Array<SharedPermissionUpdate> | null;
  toolUseID?: string | null;
  decisionClassification?: "user_temporary" | "user_permanent" | "user_reject" | (string & {}) | null;
};

/** Reply to can use tool: deny. The tool may not be used; the model is told why, or the turn ends. */
export type ControlResponsesCanUseToolDeny = {
  behavior: "deny";
  message: string;
  interrupt?: boolean | null;
  toolUseID?: string | null;
  decisionClassification?: "user_temporary" | "user_permanent" | "user_reject" | (string & {}) | null;
};

/** Reply to cancel async message. Whether it was in time. */
export type ControlResponsesCancelAsyncMessage = {
  cancelled: boolean;
  message_uuid?: string;
};

/** Reply to elicitation. What the user answered. */
export type ControlResponsesElicitation = {
  action: "accept" | "decline" | "cancel";
  content?: { [key: string]: unknown } | null;
  /** As in the result of MCP that this is made from; Claude Code passes it over. */
  _meta?: { [key: string]: unknown };
};

/** Reply to export conversation. The conversation as text. */
export type ControlResponsesExportConversation = {
  text: string;
  default_filename?: string;
};

/** Reply to file suggestions. The files. */
export type ControlResponsesFileSuggestions = {
  suggestions: Array<unknown>;
  cwd: string;
};

/** Reply to generate session title. The title, if one could be made. */
export type ControlResponsesGenerateSessionTitle = {
  title: string | null;
};

/** Reply to get binary version. The version. */
export type ControlResponsesGetBinaryVersion = {
  version: string;
  buildTime: string;
  oldestDesktopSdk?: string;
};

/** Reply to get context usage. Tokens by category. */
export type ControlResponsesGetContextUsage = {
  categories: Array<{
    name: string;
    tokens: number;
    color?: string;
    id?: "system_prompt" | "system_tools" | "mcp_tools" | "mcp_instructions" | "mcp_tools_deferred" | "system_tools_deferred" | "custom_agents" | "memory_files" | "skills" | "messages" | "autocompact_buffer" | "compact_buffer" | "free_space" | (string & {});
    isDeferred?: boolean;
    kind?: "used" | "free" | "buffer" | "deferred" | (string & {});
  }>;
  totalTokens: number;
  maxTokens: number;
  percentage: number;
  gridRows: Array<Array<{
    color: string;
    isFilled: boolean;
    categoryName: string;
    tokens: number;
    percentage: number;
    squareFullness: number;
  }>>;
  model: string;
  memoryFiles: Array<{
    path: string;
    type: string;
    tokens: number;
  }>;
  mcpTools: Array<{
    name: string;
    serverName: string;
    tokens: number;
    isLoaded?: boolean;
  }>;
  agents: Array<{
    agentType: string;
    source: string;
    pluginId?: string;
    path?: string;
    tokens: number;
  }>;
  apiUsage?: {
    input_tokens: number;
    output_tokens: number;
    cache_creation_input_tokens: number;
    cache_read_input_tokens: number;
  } | null;
  rawMaxTokens?: number;
  autoCompactThreshold?: number | null;
  isAutoCompactEnabled?: boolean;
  autocompactSource?: string;
  mcpInstructions?: Array<{
    serverName: string;
    tokens: number;
  }>;
  deferredBuiltinTools?: Array<{
    name: string;
    tokens: number;
    isLoaded: boolean;
  }>;
  systemTools?: Array<{
    name: string;
    tokens: number;
  }>;
  systemPromptSections?: Array<{
    name: string;
    tokens: number;
  }>;
  slashCommands?: {
    totalCommands: number;
    includedCommands: number;
    tokens: number;
  };
  skills?: {
    totalSkills: number;
    includedSkills: number;
    tokens: number;
    skillFrontmatter: Array<{
      name: string;
      source: string;
      pluginName?: string;
      pluginId?: string;
      path?: string;
      tokens: number;
    }>;
  };
  messageBreakdown?: {
    toolCallTokens: number;
    toolResultTokens: number;
    attachmentTokens: number;
    assistantMessageTokens: number;
    userMessageTokens: number;
    redirectedContextTokens: number;
    unattributedTokens: number;
    toolCallsByType: Array<{
      name: string;
      callTokens: number;
      resultTokens: number;
    }>;
    attachmentsByType: Array<{
      name: string;
      tokens: number;
    }>;
  };
};

/** Reply to get hooks listing. The hooks that are configured in settings, and every event that a hook may be configured for. Those that the client registered itself are not among them. */
export type ControlResponsesGetHooksListing = {
  events: Array<{
    name: HooksEventName;
    summary: string;
    supportsMatcher: boolean;
    hookCount: number;
  }>;
  hooks: Array<{
    event: HooksEventName;
    matcher: string;
    source: string;
    sourceLabel: string;
    pluginName?: string;
    type: string;
    displayText: string;
    commandText: string;
    contentLabel: string;
    condition?: string;
    timeout?: number;
    statusMessage?: string;
    runsOnce?: boolean;
    runsInBackground?: boolean;
    disabled?: boolean;
    editable?: {
      matcher: string;
      config: { [key: string]: unknown };
      headersRedacted?: boolean;
    };
  }>;
  eventCatalog?: Array<{
    name: HooksEventName;
    summary: string;
    supportsMatcher: boolean;
  }>;
  policy?: {
    disabledByPolicy: boolean;
    managedOnly: boolean;
    pluginOnly: boolean;
    allDisabled: boolean;
    policyHookCount: number;
    policyUnreadable?: boolean;
  };
  safeMode?: {
    managedHooksStillApply: boolean;
    exitHint: string;
  };
  bareMode?: {
    exitHint: string;
  };
  errors?: Array<{
    file?: string;
    path: string;
    message: string;
  }>;
};

/** Reply to get memory dialog. What the memory dialog shows. */
export type ControlResponsesGetMemoryDialog = {
  files: Array<unknown>;
  folders?: Array<unknown>;
  memories?: Array<unknown>;
  auto_memory?: { [key: string]: unknown };
  auto_dream?: { [key: string]: unknown };
};

/** Reply to get plan. The plan, if there is one. */
export type ControlResponsesGetPlan = {
  exists: boolean;
  plan?: string | null;
  path?: string | null;
};

/** Reply to get sandbox dialog. What the sandbox dialog shows. */
export type ControlResponsesGetSandboxDialog = {
  supported: boolean;
  locked?: boolean;
  overrides_locked?: boolean;
  policy_origins?: Array<unknown>;
  enabled?: boolean;
  enabled_in_settings?: boolean;
  mode?: string;
  auto_allow_available?: boolean;
  no_sandbox_allowed?: boolean;
  unsandboxed_fallback?: boolean;
  dependencies?: { [key: string]: unknown };
  excluded_commands?: Array<unknown>;
  restrictions?: { [key: string]: unknown };
};

/** Reply to get session cost. A text for people. */
export type ControlResponsesGetSessionCost = {
  text: string;
};

/** Reply to get settings. The settings, by source and together. `env` carries credentials by definition. */
export type ControlResponsesGetSettings = {
  effective: { [key: string]: unknown };
  sources: Array<unknown>;
  applied?: { [key: string]: unknown };
  served_settings_state?: string;
};

/** Reply to get skills dialog. What the skills dialog shows. */
export type ControlResponsesGetSkillsDialog = {
  skills: Array<unknown>;
};

/** Reply to get status. What `/status` shows. */
export type ControlResponsesGetStatus = {
  sections: Array<{
    title: string;
    rows: Array<{
      label: string;
      value: unknown;
    }>;
  }>;
};

/** Reply to get task output. The output. */
export type ControlResponsesGetTaskOutput = {
  output: string;
  total_bytes: number;
  truncated: boolean;
};

/** Reply to get usage. Usage of the session and of the account. */
export type ControlResponsesGetUsage = {
  session: {
    total_cost_usd: number;
    total_api_duration_ms: number;
    total_duration_ms: number;
    total_lines_added: number;
    total_lines_removed: number;
    model_usage: { [key: string]: {
      inputTokens: number;
      outputTokens: number;
      thinkingTokens?: number;
      cacheReadInputTokens: number;
      cacheCreationInputTokens: number;
      cacheCreationEphemeral5mInputTokens?: number;
      cacheCreationEphemeral1hInputTokens?: number;
      webSearchRequests: number;
      costUSD: number;
      contextWindow: number;
      maxOutputTokens: number;
      canonicalModel?: string;
      provider?: string;
      costBasis?: "list" | "managed" | "unknown" | (string & {});
    } };
  };
  subscription_type: string | null;
  rate_limits_available: boolean;
  rate_limits?: {
    five_hour?: {
      utilization: number | null;
      resets_at: string | null;
    } | null;
    seven_day?: {
      utilization: number | null;
      resets_at: string | null;
    } | null;
    seven_day_oauth_apps?: {
      utilization: number | null;
      resets_at: string | null;
    } | null;
    seven_day_opus?: {
      utilization: number | null;
      resets_at: string | null;
    } | null;
    seven_day_sonnet?: {
      utilization: number | null;
      resets_at: string | null;
    } | null;
    model_scoped?: Array<{
      display_name: string;
      utilization: number | null;
      resets_at: string | null;
    }>;
    extra_usage?: {
      is_enabled: boolean;
      monthly_limit: number | null;
      used_credits: number | null;
      utilization: number | null;
      currency?: string | null;
    } | null;
  } | null;
  behaviors?: unknown;
};

/** Reply to hook callback. What the hook decides. */
export type ControlResponsesHookCallback = HooksOutput;

/** Reply to initialize. What the session offers: commands, agents, models. */
export type ControlResponsesInitialize = {
  commands: Array<SharedSlashCommand>;
  agents: Array<{
    name: string;
    description: string;
    model?: string;
  }>;
  output_style: string;
  available_output_styles: Array<string>;
  models: Array<ControlModel>;
  account: {
    email?: string;
    organization?: string;
    subscriptionType?: string;
    tokenSource?: string;
    apiKeySource?: string;
    apiProvider?: "firstParty" | "bedrock" | "vertex" | "foundry" | "anthropicAws" | "anthropicGoogleCloud" | "mantle" | "gateway" | (string & {});
  };
  hooks_applied?: boolean;
  hook_on_failure_supported?: boolean;
  claude_code_version?: string;
  pid?: number;
  /** Since 2.1.332. */
  sandbox_enabled?: boolean;
  current_permission_mode?: string;
  fast_mode_state?: "off" | "cooldown" | "on" | (string & {});
  user_output_styles_dir?: string;
  hooks_when_unanswered_kept?: number;
  other_hook_ask_outranks_host?: boolean;
  feedback_mode?: {
    kind: string;
  };
  analytics_disabled?: boolean;
  remote_control_auto_enable?: boolean;
  remote_control_auto_connect_default?: boolean;
  remote_control_available?: boolean;
  remote_control_auto_on_by_default?: boolean;
  ide_rc_auto_enable_gate?: boolean;
  session_state?: "idle" | "running" | "requires_action" | (string & {});
  capabilities?: Array<SharedCapability>;
  plugins_applied?: boolean;
  mcp_servers_applied?: boolean;
  sdk_mcp_manifests_parked?: { [key: string]: "parked" | "already_connected" | "protocol_version_mismatch" | "malformed" | "not_honoured" | (string & {}) };
  fast_mode_disabled_reason?: "free" | "preference" | "extra_usage_disabled" | "network_error" | "unknown" | "not_first_party" | "disabled_by_env" | "model_not_allowed" | "sdk_opt_in_required" | "pending" | (string & {});
};

/** Reply to interrupt. Which messages still wait for a turn. */
export type ControlResponsesInterrupt = {
  still_queued?: Array<string>;
  cancelled?: Array<string>;
};

/** Reply to list models. The models. */
export type ControlResponsesListModels = {
  models: Array<ControlModel>;
};

/** Reply to list permission rules. The rules. */
export type ControlResponsesListPermissionRules = {
  state: {
    rules: Array<{
      behavior: "allow" | "deny" | "ask" | (string & {});
      source: "userSettings" | "projectSettings" | "localSettings" | "flagSettings" | "policySettings" | "cliArg" | "command" | "session" | "mcpMount" | "toolsNarrowing" | "mcpServerPolicy" | "hostCredential" | (string & {});
      rule: string;
      description?: {
        prefix: string;
        emphasis?: string;
        suffix?: string;
      };
      editability: "persistent" | "session" | "readonly" | (string & {});
      notInEffect?: boolean;
    }>;
    workspaceDirectories: Array<{
      path: string;
      source: string;
    }>;
    originalCwd: string;
    managedOnly: boolean;
    errors?: Array<{
      file?: string;
      path: string;
      message: string;
    }>;
    withheld?: boolean;
  };
};

/** Reply to mcp call. The tool's result, as MCP gives it, and what became of the files when the request had a deadline or files. */
export type ControlResponsesMcpCall = {
  content: string | Array<unknown>;
  structuredContent?: unknown;
  isError?: boolean;
  _meta?: { [key: string]: unknown };
  staging?: {
    ok: boolean;
    outputs?: Array<{
      lane_path: string;
      etag: string;
      bytes: number;
    }>;
    inputs_used?: Array<{
      lane_path: string;
      etag: string;
    }>;
    error_code?: "expired" | "input_missing" | "output_too_large" | "output_conflict" | "timeout" | "tool_error" | (string & {});
    detail?: string;
    retryable?: boolean;
  };
};

/** Reply to mcp message. The MCP server's reply, when the CLI asked; nothing when the client did. */
export type ControlResponsesMcpMessage = {
  mcp_response?: SharedJsonRpc;
};

/** Reply to mcp read resource. The resource. */
export type ControlResponsesMcpReadResource = {
  contents: Array<{
    uri: string;
    mimeType?: string | null;
    text?: string | null;
    blob?: string | null;
    _meta?: { [key: string]: unknown };
  }>;
};

/** Reply to mcp reconnect. Nothing but the acknowledgement. */
export type ControlResponsesMcpReconnect = { [key: string]: unknown };

/** Reply to mcp set servers. What changed. */
export type ControlResponsesMcpSetServers = {
  added: Array<string>;
  removed: Array<string>;
  errors: { [key: string]: string };
};

/** Reply to mcp status. Each server's state. */
export type ControlResponsesMcpStatus = {
  mcpServers: Array<ControlMcpServerStatus>;
};

/** Reply to mcp toggle. Nothing but the acknowledgement. */
export type ControlResponsesMcpToggle = { [key: string]: unknown };

/** Reply to read file. The contents, perhaps only their beginning. */
export type ControlResponsesReadFile = {
  contents: string;
  absPath: string;
  truncated?: boolean;
  encoding?: "base64" | (string & {});
  lossy?: boolean;
  requested_path?: string;
};

/** Reply to register repo root. Nothing but the acknowledgement. */
export type ControlResponsesRegisterRepoRoot = { [key: string]: unknown };

/** Reply to reload output styles. The styles. */
export type ControlResponsesReloadOutputStyles = {
  available_output_styles: Array<string>;
};

/** Reply to reload plugins. What the plugins offer now. */
export type ControlResponsesReloadPlugins = {
  commands: Array<{
    name: string;
    description: string;
    argumentHint: string;
    aliases?: Array<string>;
    builtin?: boolean;
  }>;
  agents: Array<{
    name: string;
    description: string;
    model?: string;
  }>;
  plugins: Array<{
    name: string;
    path: string;
    source?: string;
    version?: string;
  }>;
  mcpServers: Array<{
    name: string;
    status: "connected" | "failed" | "needs-auth" | "pending" | "disabled" | (string & {});
    serverInfo?: {
      name: string;
      version: string;
    };
    error?: string;
    config?: {
      type?: "stdio" | "sse" | "http" | "sdk" | "claudeai-proxy" | (string & {});
      command?: string;
      args?: Array<string>;
      env?: { [key: string]: string };
      timeout?: number;
      alwaysLoad?: boolean;
      url?: string;
      headers?: { [key: string]: string };
      tools?: Array<{
        name: string;
        permission_policy?: "always_allow" | "always_ask" | "always_deny" | (string & {});
        org_max_permission?: "allow" | "ask" | "blocked" | (string & {});
      }>;
      name?: string;
      id?: string;
    };
    scope?: string;
    source?: string;
    tools?: Array<{
      name: string;
      description?: string;
      annotations?: {
        readOnly?: boolean;
        destructive?: boolean;
        openWorld?: boolean;
      };
      _meta?: { [key: string]: unknown };
    }>;
  }>;
  error_count: number;
  held?: boolean;
  cache_impact?: {
    mcp_servers_added: Array<string>;
    mcp_servers_removed: Array<string>;
    lsp_tool_change: "adds" | "may-add" | "removes" | "may-remove" | (string & {}) | null;
  };
};

/** Reply to reload skills. The skills. */
export type ControlResponsesReloadSkills = {
  skills: Array<{
    name: string;
    description: string;
    argumentHint: string;
    aliases?: Array<string>;
    builtin?: boolean;
  }>;
};

/** Reply to rename session. Nothing but the acknowledgement. */
export type ControlResponsesRenameSession = { [key: string]: unknown };

/** Reply to request user dialog. How the dialog ended. */
export type ControlResponsesRequestUserDialog = {
  behavior: string;
  result?: unknown;
};

/** Reply to rewind files. What was, or would be, put back. */
export type ControlResponsesRewindFiles = {
  canRewind: boolean;
  error?: string | null;
  filesChanged?: Array<string> | null;
  insertions?: number | null;
  deletions?: number | null;
  skippedLinks?: number | null;
};

/** Reply to seed read state. Nothing but the acknowledgement. */
export type ControlResponsesSeedReadState = { [key: string]: unknown };

/** Reply to set color. Nothing but the acknowledgement. */
export type ControlResponsesSetColor = { [key: string]: unknown };

/** Reply to set cwd. Where the session works now. */
export type ControlResponsesSetCwd = {
  status: string;
  cwd?: string;
  changed?: boolean;
  transcript_relocated?: boolean;
};

/** Reply to set has subscribers. Nothing but the acknowledgement. */
export type ControlResponsesSetHasSubscribers = { [key: string]: unknown };

/** Reply to set max thinking tokens. Nothing but the acknowledgement. */
export type ControlResponsesSetMaxThinkingTokens = { [key: string]: unknown };

/** Reply to set mcp permission mode override. What is odd about it, if anything. */
export type ControlResponsesSetMcpPermissionModeOverride = {
  warning?: string;
};

/** Reply to set model. The model that holds now. */
export type ControlResponsesSetModel = {
  model?: string | null;
};

/** Reply to set permission mode. The mode that holds now, which may be another than was asked for. */
export type ControlResponsesSetPermissionMode = {
  mode?: "default" | "acceptEdits" | "bypassPermissions" | "plan" | "dontAsk" | "auto" | (string & {});
};

/** Reply to side question. The answer. */
export type ControlResponsesSideQuestion = {
  response: string | null;
  synthetic?: boolean;
};

/** Reply to stop task. Nothing but the acknowledgement. */
export type ControlResponsesStopTask = { [key: string]: unknown };

/** Reply to update settings. Nothing but the acknowledgement. */
export type ControlResponsesUpdateSettings = { [key: string]: unknown };

/** Event. What happened in a session, in the stable vocabulary of this project, as derived from the wire. The vocabulary is closed, extra fields are allowed. */
export type Events = {
  /** What happened. */
  event: "session_started" | "session_ended" | "session_initialized" | "run_started" | "run_completed" | "run_failed" | "run_interrupted" | "assistant_message" | "tool_started" | "tool_progress" | "tool_completed" | "tool_failed" | "tool_denied" | "permission_requested" | "permission_resolved" | "command_received" | "task_started" | "task_progress" | "task_updated" | "task_completed" | "task_failed" | "task_stopped" | "hook_started" | "hook_completed" | "notification" | "api_retry" | "rate_limited" | "compaction" | "cost_updated" | "status_changed" | "validation_failed" | "protocol_drift" | "recording_gap" | "error" | "action_requested" | "action_confirmed" | "action_failed" | "action_refused" | "rule_fired" | "policy_applied" | "policy_failed";
  /** RFC 3339, with a zone. */
  timestamp: string;
  /** When it happened, where the record says so: it is recorded later, in an interactive session. */
  at?: string;
  /** The session's state after the event. */
  state?: "starting" | "idle" | "executing" | "waiting" | "compacting" | "ended" | "failed";
  /** The session, as this proxy names it. */
  session_id?: string;
  /** The turn that it belongs to, if it belongs to one. */
  run_id?: string | null;
  /** The record in the session log that the event comes from. */
  seq?: number;
  /** What is done to the session, such as `interrupt`. */
  action?: string;
  /** The action. */
  action_id?: string;
  /** How long the command had been running before there was a log. */
  age_ms?: number | null;
  /** The subagent that asks. */
  agent_id?: unknown;
  /** Kinds of subagents, as Claude Code names them. */
  agents?: unknown;
  /** The run of the prompt that waited: what came since its start belongs to this one. */
  ahead_of?: string;
  /** HTTP status of the API's error. */
  api_error_status?: unknown;
  /** Who or what allowed or denied the call: `decision` (`allow`, `deny`, `none`), `by`, `lasting` (`once`, `session`, `always` or null), `mode`, `waited_ms`, `reason`, `source` (what Claude Code says), `evidence` (the numbers of the records). */
  approval?: { [key: string]: unknown };
  /** What an action takes. */
  args?: { [key: string]: unknown };
  /** Which attempt failed, from 1. */
  attempt?: unknown;
  /** The path that needs the permission. */
  blocked_path?: unknown;
  /** Who has answered, if not the caller: `api`. Of an action: its author. */
  by?: unknown;
  /** What a monitoring session records. */
  capture_options?: unknown;
  /** It is the first, or another one than before. */
  changed?: boolean;
  claude_code_version?: string | null;
  /** The session, as Claude Code names it. */
  claude_session_id?: string | null;
  /** With `command_received` an object that is valid under `commands`, with `session_started` the command line. */
  command?: unknown;
  /** Why a compaction failed. */
  compact_error?: unknown;
  /** What became of a compaction. */
  compact_result?: unknown;
  /** US dollars: of the turn; with `session_ended` of all turns. */
  cost_usd?: number | null;
  /** Lines by stream and verdict, up to here. */
  counts?: { [key: string]: unknown };
  /** The working directory. */
  cwd?: unknown;
  /** How the caller answered. */
  decision?: "allow" | "deny";
  /** Why Claude Code asks. */
  decision_reason?: unknown;
  /** How many subagents deep it is. */
  depth?: number;
  /** What a task does. */
  description?: unknown;
  /** What a rule does: `tell`, `deny`, `pause`, `interrupt` or `stop`. */
  do?: string;
  /** Rules that ask and that were left out, as nobody could be asked. */
  dropped_ask_rules?: unknown;
  /** How long it took by the log's clock, in milliseconds. */
  duration_ms?: number | null;
  /** What an action led to: `ran`, `did_not_run`, `nothing_running`, `exited`. */
  effect?: unknown;
  /** How long a tool has been running, as Claude Code says it. */
  elapsed_time_seconds?: unknown;
  /** What went wrong. */
  error?: unknown;
  /** HTTP status of the API's error. */
  error_status?: unknown;
  /** What went wrong: sentences of a turn, objects of a verdict. */
  errors?: Array<unknown>;
  /** The numbers of the records that show it. */
  evidence?: Array<number>;
  exit_code?: number | null;
  /** The model that is used instead. */
  fallback_model?: unknown;
  /** The call that began the task has not returned: its caller waits. */
  foreground?: boolean;
  /** The line was not passed on. */
  held_back?: boolean;
  /** What the hook was called for. */
  hook_event?: unknown;
  /** The call of the hook. */
  hook_id?: unknown;
  /** The hook. */
  hook_name?: unknown;
  /** What a tool is called with. */
  input?: unknown;
  /** The call was interrupted. */
  interrupted?: boolean;
  /** The remark, as Claude Code names it. */
  key?: unknown;
  /** Of a session: `wrapped` or `monitoring`. Of a remark: what it is about. */
  kind?: string;
  /** Why a value is not as good as it could be. */
  known?: string;
  /** The tool that a task used last. */
  last_tool_name?: unknown;
  /** How important a remark is. */
  level?: unknown;
  /** The limit, as Claude Code tells it. */
  limit?: { [key: string]: unknown };
  /** Bytes that are not on record. */
  lost_bytes?: unknown;
  /** Lines that are not on record. */
  lost_records?: unknown;
  /** How often the API is asked again at most. */
  max_retries?: unknown;
  /** MCP servers and their status, as Claude Code tells them. */
  mcp_servers?: unknown;
  /** The answer that a message is a part of. */
  message_id?: string;
  /** `followed`: an interactive session, which is recorded beside and not relayed. Of a rule: `dry_run` or `act`. */
  mode?: unknown;
  model?: string | null;
  /** What each model took in the session so far: tokens by kind, and `cost_usd`. */
  model_usage?: { [key: string]: unknown };
  /** What the session is called. */
  name?: unknown;
  /** The first event that shows a subagent. */
  new_subagent?: boolean;
  /** Whose message began the turn, if not the caller's, such as `task-notification`. */
  origin?: string;
  /** The model that was to be used. */
  original_model?: unknown;
  /** Of a turn or session: `ok`, `failed`, `limited`, `blocked`, `interrupted` or `crashed`; null where nothing was recorded that tells. Of a hook: as Claude Code says it. Of a permission without an answer: `cancelled`. */
  outcome?: string | null;
  /** A sentence that says why, unless it is `ok`. */
  outcome_reason?: string | null;
  /** What a hook printed. */
  output?: unknown;
  /** What the command prints at its end in place of messages. */
  output_format?: "text" | "json";
  /** The task of the subagent that began it. */
  parent_task_id?: string;
  /** The call of the subagent that it belongs to. */
  parent_tool_use_id?: string | null;
  /** What changed of a task. */
  patch?: { [key: string]: unknown };
  /** The new permission mode. */
  permissionMode?: unknown;
  /** The tool calls of the turn that were denied. */
  permission_denials?: unknown;
  permission_mode?: string | null;
  /** The command's process. */
  pid?: unknown;
  /** Tokens of the conversation after it was compacted. */
  post_tokens?: unknown;
  /** Tokens of the conversation before it was compacted. */
  pre_tokens?: unknown;
  /** How urgent a remark is. */
  priority?: unknown;
  /** What failed at the start: a sentence each. */
  problems?: Array<string>;
  /** What is asked. */
  prompt?: string;
  /** Where the prompt is that the record does not have as a message. */
  prompt_on?: string;
  /** The record of the prompt. */
  prompt_seq?: number;
  /** The beginning of a line that is no JSON. */
  raw?: string;
  /** Why a session ended, or lines were lost. */
  reason?: unknown;
  /** Refusals since the last such event. */
  refusals?: unknown;
  /** Why nothing is done: the session was started without a grant. */
  refused?: string;
  /** The kind of the request that was refused. */
  request?: string;
  /** The control request. */
  request_id?: string | null;
  /** Of a turn: the answer. Of a tool: its result. */
  result?: unknown;
  /** How long is waited until the API is asked again. */
  retry_delay_ms?: unknown;
  /** How many permission rules a policy has. */
  rules?: unknown;
  /** The rule of the configuration that has fired. */
  rule?: string;
  /** The tools that run. */
  running?: Array<string>;
  /** Of the policy's file. */
  sha256?: unknown;
  signal?: number | string | null;
  /** Skills, as Claude Code names them. */
  skills?: unknown;
  /** What tells it. */
  source?: string;
  /** The status, as Claude Code says it. */
  status?: unknown;
  /** Why the model stopped. */
  stop_reason?: unknown;
  /** Where the line passed. */
  stream?: string;
  /** The answer in the structure that was asked for. */
  structured_output?: unknown;
  /** The kind of a subagent. */
  subagent_type?: unknown;
  /** The `subtype` of the message. Of a turn that no message ends: `success`, `interrupted` or `error`. */
  subtype?: unknown;
  /** What a task did. */
  summary?: unknown;
  /** The task. */
  task_id?: string;
  /** The kind of a task. */
  task_type?: unknown;
  /** Why the turn ended, as Claude Code says it. */
  terminal_reason?: unknown;
  /** What is said. */
  text?: string;
  /** What the model thought. */
  thinking?: string;
  /** Tokens of the turn, or of all turns, by kind, subagents included. */
  tokens?: { [key: string]: unknown };
  /** Name of the tool. */
  tool?: string;
  /** The call of the tool. */
  tool_use_id?: string;
  /** Tools, as Claude Code names them. */
  tools?: Array<unknown>;
  /** US dollars of all turns of the session so far. */
  total_cost_usd?: number | null;
  /** The caller's `TRACEPARENT`: the span that the session belongs to. */
  traceparent?: string;
  /** What caused it. */
  trigger?: unknown;
  /** Of a turn: `num_turns` as Claude Code counts them. Of a session: the figure `turns`. */
  turns?: number | null;
  /** The `type` of the message. */
  type?: unknown;
  /** Claude Code began the turn by itself. */
  unprompted?: boolean;
  /** Tokens that the turn's main agent, a task, or one call of the model took; of a call, `output_tokens` only where they are known. */
  usage?: { [key: string]: unknown } | null;
  /** How lines are judged: `observe`, `enforce` or `off`. */
  validation?: unknown;
  /** What was reached of a rule's limit. */
  value?: number;
  verdict?: "valid" | "invalid" | "unknown" | "malformed" | "text";
  /** Versions of claude-proxy and Python. */
  versions?: unknown;
  /** What Claude Code waits for, as its registry says it. */
  waiting_for?: unknown;
  /** How long the caller took to answer. */
  waiting_ms?: number;
  /** The limit of a rule is near, and not reached. */
  warning?: boolean;
  /** The condition of a rule, and its limit. */
  when?: { [key: string]: unknown };
  /** The part of claude-proxy that failed. */
  where?: unknown;
  /** Why a policy is not in force. */
  why?: unknown;
};

/** Hook input: base. What every hook is told: where it is called, and for whom. `agent_id` and `agent_type` are a subagent's. */
export type HooksBase = {
  session_id: string;
  transcript_path: string;
  cwd: string;
  prompt_id?: string | null;
  permission_mode?: string | null;
  effort?: {
    level: string;
  } | null;
  agent_id?: string | null;
  agent_type?: string | null;
};

/** Hook event. When a hook is called. `PreSkillShellCommand` is there since 2.1.332. */
export type HooksEventName = "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "PostToolBatch" | "PermissionDenied" | "Notification" | "UserPromptSubmit" | "UserPromptExpansion" | "SessionStart" | "SessionEnd" | "Stop" | "StopFailure" | "SubagentStart" | "SubagentStop" | "PreCompact" | "PostCompact" | "PreModelSwitch" | "PostModelSwitch" | "PermissionRequest" | "Setup" | "TeammateIdle" | "TaskCreated" | "TaskCompleted" | "Elicitation" | "ElicitationResult" | "ConfigChange" | "InstructionsLoaded" | "WorktreeCreate" | "WorktreeRemove" | "CwdChanged" | "FileChanged" | "DirectoryAdded" | "MessageDisplay" | "PreSkillShellCommand" | (string & {});

/** Hook input. What a hook is told. `hook_event_name` says what happened; every event has the session, its transcript and directory. */
export type HooksInput = (HooksInputsPreToolUse | HooksInputsPostToolUse | HooksInputsPostToolUseFailure | HooksInputsPostToolBatch | HooksInputsPermissionRequest | HooksInputsPermissionDenied | HooksInputsNotification | HooksInputsUserPromptSubmit | HooksInputsUserPromptExpansion | HooksInputsSessionStart | HooksInputsSessionEnd | HooksInputsStop | HooksInputsStopFailure | HooksInputsSubagentStart | HooksInputsSubagentStop | HooksInputsPreCompact | HooksInputsPostCompact | HooksInputsPreModelSwitch | HooksInputsPostModelSwitch | HooksInputsSetup | HooksInputsTeammateIdle | HooksInputsTaskCreated | HooksInputsTaskCompleted | HooksInputsElicitation | HooksInputsElicitationResult | HooksInputsConfigChange | HooksInputsInstructionsLoaded | HooksInputsWorktreeCreate | HooksInputsWorktreeRemove | HooksInputsCwdChanged | HooksInputsFileChanged | HooksInputsDirectoryAdded | HooksInputsMessageDisplay | HooksInputsPreSkillShellCommand);

/** Hook input: ConfigChange. A configuration file changed. */
export type HooksInputsConfigChange = HooksBase & {
  hook_event_name: "ConfigChange";
  source: "user_settings" | "project_settings" | "local_settings" | "policy_settings" | "skills" | (string & {});
  file_path?: string | null;
};

/** Hook input: CwdChanged. The working directory changed. */
export type HooksInputsCwdChanged = HooksBase & {
  hook_event_name: "CwdChanged";
  old_cwd: string;
  new_cwd: string;
};

/** Hook input: DirectoryAdded. A working directory was added. */
export type HooksInputsDirectoryAdded = HooksBase & {
  hook_event_name: "DirectoryAdded";
  directory: string;
  source: "slash_command" | "register_repo_root" | (string & {});
};

/** Hook input: Elicitation. An MCP server wants to know something from the user. */
export type HooksInputsElicitation = HooksBase & {
  hook_event_name: "Elicitation";
  mcp_server_name: string;
  message: string;
  mode?: "form" | "url" | (string & {}) | null;
  url?: string | null;
  elicitation_id?: string | null;
  requested_schema?: { [key: string]: unknown } | null;
};

/** Hook input: ElicitationResult. The user answered an MCP server. */
export type HooksInputsElicitationResult = HooksBase & {
  hook_event_name: "ElicitationResult";
  mcp_server_name: string;
  action: "accept" | "decline" | "cancel" | (string & {});
  elicitation_id?: string | null;
  mode?: "form" | "url" | (string & {}) | null;
  content?: { [key: string]: unknown } | null;
};

/** Hook input: FileChanged. A watched file changed. */
export type HooksInputsFileChanged = HooksBase & {
  hook_event_name: "FileChanged";
  file_path: string;
  event: "change" | "add" | "unlink" | (string & {});
};

/** Hook input: InstructionsLoaded. Instructions were read from a file. */
export type HooksInputsInstructionsLoaded = HooksBase & {
  hook_event_name: "InstructionsLoaded";
  file_path: string;
  memory_type: "User" | "Project" | "Local" | "Managed" | (string & {});
  load_reason: "session_start" | "nested_traversal" | "path_glob_match" | "include" | "compact" | (string & {});
  globs?: Array<string> | null;
  trigger_file_path?: string | null;
  parent_file_path?: string | null;
};

/** Hook input: MessageDisplay. A piece of a message is about to be shown. */
export type HooksInputsMessageDisplay = HooksBase & {
  hook_event_name: "MessageDisplay";
  turn_id: string;
  message_id: string;
  index: number;
  final: boolean;
  delta: string;
};

/** Hook input: Notification. The user is being notified. */
export type HooksInputsNotification = HooksBase & {
  hook_event_name: "Notification";
  message: string;
  notification_type?: string;
  title?: string | null;
};

/** Hook input: PermissionDenied. A permission was denied. */
export type HooksInputsPermissionDenied = HooksBase & {
  hook_event_name: "PermissionDenied";
  tool_name: string;
  tool_input: unknown;
  tool_use_id?: SharedToolUseId;
  reason: string;
  mcp_server?: {
    name: string;
    source: string;
  } | null;
};

/** Hook input: PermissionRequest. A permission is about to be asked for. */
export type HooksInputsPermissionRequest = HooksBase & {
  hook_event_name: "PermissionRequest";
  tool_name: string;
  tool_input: unknown;
  permission_suggestions?: Array<SharedPermissionUpdate> | null;
  mcp_server?: {
    name?: string;
    source?: string;
  };
};

/** Hook input: PostCompact. The history was compacted. */
export type HooksInputsPostCompact = HooksBase & {
  hook_event_name: "PostCompact";
  trigger: "manual" | "auto" | (string & {});
  compact_summary: string;
};

/** Hook input: PostModelSwitch. The model was changed. */
export type HooksInputsPostModelSwitch = HooksBase & {
  hook_event_name: "PostModelSwitch";
  from_model: string;
  to_model: string;
  requested_model: string | null;
  source: "command" | "picker" | "sdk" | "auto" | "resume" | (string & {});
  context_tokens: number;
  prompt_cache_warm: boolean;
  cache_ttl: "5m" | "1h" | (string & {});
  estimated_cache_write_usd: number;
  pricing: "configured" | "catalog" | "default" | (string & {});
};

/** Hook input: PostToolBatch. All tools of one answer have run. */
export type HooksInputsPostToolBatch = HooksBase & {
  hook_event_name: "PostToolBatch";
  tool_calls: Array<{
    tool_name: string;
    tool_input: unknown;
    tool_use_id?: SharedToolUseId;
    tool_response?: unknown;
  }>;
};

/** Hook input: PostToolUse. A tool has run. */
export type HooksInputsPostToolUse = HooksBase & {
  hook_event_name: "PostToolUse";
  tool_name: string;
  tool_input: unknown;
  tool_response: unknown;
  tool_use_id?: SharedToolUseId;
  duration_ms?: number;
  mcp_server?: {
    name: string;
    source: string;
  } | null;
};

/** Hook input: PostToolUseFailure. A tool failed. */
export type HooksInputsPostToolUseFailure = HooksBase & {
  hook_event_name: "PostToolUseFailure";
  tool_name: string;
  tool_input: unknown;
  tool_use_id?: SharedToolUseId;
  error: string;
  is_interrupt?: boolean;
  duration_ms?: number;
  mcp_server?: {
    name: string;
    source: string;
  } | null;
};

/** Hook input: PreCompact. The history is about to be compacted. */
export type HooksInputsPreCompact = HooksBase & {
  hook_event_name: "PreCompact";
  trigger: "manual" | "auto" | (string & {});
  custom_instructions: string | null;
};

/** Hook input: PreModelSwitch. The model is about to be changed. */
export type HooksInputsPreModelSwitch = HooksBase & {
  hook_event_name: "PreModelSwitch";
  from_model: string;
  to_model: string;
  requested_model: string | null;
  source: "command" | "picker" | "sdk" | (string & {});
  context_tokens: number;
  prompt_cache_warm: boolean;
  cache_ttl: "5m" | "1h" | (string & {});
  estimated_cache_write_usd: number;
  pricing: "configured" | "catalog" | "default" | (string & {});
};

/** Hook input: PreSkillShellCommand. Since 2.1.332: a shell command in the text of a skill or slash command is about to run, while that is loaded; the hook may keep it from running. `tool_use_id` names no call of the conversation. */
export type HooksInputsPreSkillShellCommand = HooksBase & {
  hook_event_name: "PreSkillShellCommand";
  tool_name: "Bash" | "PowerShell" | (string & {});
  tool_input: {
    command: string;
  };
  tool_use_id?: SharedToolUseId;
  command_name: string;
  command_source?: string | null;
  /** `claude` when the model asked for it or a turn of its own schedule did; `other` when neither, or it is not known. */
  invoked_by: "user" | "claude" | "other" | (string & {});
};

/** Hook input: PreToolUse. A tool is about to run; the hook may allow, deny or change that. */
export type HooksInputsPreToolUse = HooksBase & {
  hook_event_name: "PreToolUse";
  tool_name: string;
  tool_input: unknown;
  tool_use_id?: SharedToolUseId;
  mcp_server?: {
    name: string;
    source: string;
  } | null;
};

/** Hook input: SessionEnd. A session ends. */
export type HooksInputsSessionEnd = HooksBase & {
  hook_event_name: "SessionEnd";
  reason: "clear" | "resume" | "logout" | "prompt_input_exit" | "other" | (string & {});
};

/** Hook input: SessionStart. A session begins or goes on. */
export type HooksInputsSessionStart = HooksBase & {
  hook_event_name: "SessionStart";
  source: "startup" | "resume" | "clear" | "compact" | "fork" | (string & {});
  model?: string | null;
  session_title?: string | null;
  seconds_since_last_response?: number | null;
  context_tokens?: number | null;
  prompt_cache_likely_expired?: boolean | null;
  estimated_cache_write_usd?: number | null;
};

/** Hook input: Setup. Claude Code is set up or maintained. */
export type HooksInputsSetup = HooksBase & {
  hook_event_name: "Setup";
  trigger: "init" | "maintenance" | (string & {});
};

/** Hook input: Stop. The model is done; the hook may make it go on. */
export type HooksInputsStop = HooksBase & {
  hook_event_name: "Stop";
  stop_hook_active: boolean;
  last_assistant_message?: string | null;
  background_tasks?: Array<{
    id: string;
    type: string;
    status: string;
    description: string;
    command?: string;
    agent_type?: string;
    server?: string;
    tool?: string;
    name?: string;
  }> | null;
  session_crons?: Array<{
    id: string;
    schedule: string;
    recurring: boolean;
    prompt: string;
  }> | null;
};

/** Hook input: StopFailure. The turn ended on an error. */
export type HooksInputsStopFailure = HooksBase & {
  hook_event_name: "StopFailure";
  error: "authentication_failed" | "oauth_org_not_allowed" | "account_on_hold" | "verification_required" | "billing_error" | "rate_limit" | "overloaded" | "invalid_request" | "model_not_found" | "server_error" | "unknown" | "max_output_tokens" | "cloud_credential_error" | (string & {});
  error_details?: string | null;
  last_assistant_message?: string | null;
};

/** Hook input: SubagentStart. A subagent begins. */
export type HooksInputsSubagentStart = HooksBase & {
  hook_event_name: "SubagentStart";
};

/** Hook input: SubagentStop. A subagent is done. */
export type HooksInputsSubagentStop = HooksBase & {
  hook_event_name: "SubagentStop";
  stop_hook_active: boolean;
  agent_transcript_path?: string;
  last_assistant_message?: string | null;
  background_tasks?: Array<{
    id: string;
    type: string;
    status: string;
    description: string;
    command?: string;
    agent_type?: string;
    server?: string;
    tool?: string;
    name?: string;
  }> | null;
  session_crons?: Array<{
    id: string;
    schedule: string;
    recurring: boolean;
    prompt: string;
  }> | null;
};

/** Hook input: TaskCompleted. A task of the task list is done. */
export type HooksInputsTaskCompleted = HooksBase & {
  hook_event_name: "TaskCompleted";
  task_id: string;
  task_subject: string;
  task_description?: string | null;
  teammate_name?: string | null;
  team_name?: string | null;
};

/** Hook input: TaskCreated. A task of the task list was made. */
export type HooksInputsTaskCreated = HooksBase & {
  hook_event_name: "TaskCreated";
  task_id: string;
  task_subject: string;
  task_description?: string | null;
  teammate_name?: string | null;
  team_name?: string | null;
};

/** Hook input: TeammateIdle. A member of a team would be idle next; an answer with the decision `block` sends it on. In print mode of sessions that were started as a member (`--agent-id`). The name of the team is deprecated and will go. */
export type HooksInputsTeammateIdle = HooksBase & {
  hook_event_name: "TeammateIdle";
  teammate_name: string;
  team_name: string;
};

/** Hook input: UserPromptExpansion. A slash command or an MCP prompt was expanded. */
export type HooksInputsUserPromptExpansion = HooksBase & {
  hook_event_name: "UserPromptExpansion";
  expansion_type: "slash_command" | "mcp_prompt" | (string & {});
  command_name: string;
  command_args: string;
  prompt: string;
  command_source?: string | null;
};

/** Hook input: UserPromptSubmit. The user gave a prompt; the hook may block it or add to it. */
export type HooksInputsUserPromptSubmit = HooksBase & {
  hook_event_name: "UserPromptSubmit";
  prompt: string;
  source?: "user" | "sdk" | "system" | "loop_wakeup" | "schedule_wakeup" | "poll_event" | (string & {}) | null;
  session_title?: string | null;
};

/** Hook input: WorktreeCreate. A git worktree is to be made. */
export type HooksInputsWorktreeCreate = HooksBase & {
  hook_event_name: "WorktreeCreate";
  name: string;
};

/** Hook input: WorktreeRemove. A git worktree is to be removed. */
export type HooksInputsWorktreeRemove = HooksBase & {
  hook_event_name: "WorktreeRemove";
  worktree_path: string;
};

/** Hook output. What a hook decides; nothing at all for nothing to say. A hook that answers `async` goes on in the background. */
export type HooksOutput = {
  async?: boolean;
  asyncTimeout?: number | null;
  continue?: boolean | null;
  suppressOutput?: boolean | null;
  stopReason?: string | null;
  decision?: "approve" | "block" | (string & {}) | null;
  systemMessage?: string | null;
  reason?: string | null;
  terminalSequence?: string | null;
  hookSpecificOutput?: {
    hookEventName: "PreToolUse" | "UserPromptSubmit" | "UserPromptExpansion" | "SessionStart" | "Setup" | "PreModelSwitch" | "PostModelSwitch" | "SubagentStart" | "PostToolUse" | "PostToolUseFailure" | "PostToolBatch" | "Stop" | "SubagentStop" | "PermissionDenied" | "Notification" | "PermissionRequest" | "Elicitation" | "ElicitationResult" | "CwdChanged" | "FileChanged" | "WorktreeCreate" | "MessageDisplay" | "PreSkillShellCommand" | (string & {});
    permissionDecision?: "allow" | "deny" | "ask" | "defer" | (string & {}) | null;
    permissionDecisionReason?: string | null;
    updatedInput?: { [key: string]: unknown } | null;
    additionalContext?: string | null;
    decision?: {
      behavior: "allow" | "deny" | (string & {});
      updatedInput?: { [key: string]: unknown } | null;
      updatedPermissions?: Array<SharedPermissionUpdate> | null;
      message?: string | null;
      interrupt?: boolean | null;
    } | null;
    sessionTitle?: string;
    suppressOriginalPrompt?: boolean;
    initialUserMessage?: string;
    watchPaths?: Array<string>;
    reloadSkills?: boolean;
    classifierContext?: string;
    updatedToolOutput?: unknown;
    updatedMCPToolOutput?: unknown;
    retry?: boolean;
    action?: "accept" | "decline" | "cancel" | (string & {});
    content?: { [key: string]: unknown };
    worktreePath?: string;
    displayContent?: string;
  } | null;
};

/** Active goal. The goal that was set with /goal, null when there is none. Needs no answer. */
export type MessagesActiveGoal = SharedIds & {
  type: "active_goal";
  value: {
    condition: string;
    iterations: number;
    set_at: number;
    tokens_at_start: number;
    last_reason?: string | null;
  } | null;
};

/** Assistant message. Claude Code reports one finished content block of the model's answer; several lines share one `message.id`. Needs no answer. */
export type MessagesAssistant = SharedIds & {
  type: "assistant";
  message: ContentApiMessage;
  /** The Agent tool call that this belongs to, null in the main conversation. */
  parent_tool_use_id: string | null;
  error?: "authentication_failed" | "oauth_org_not_allowed" | "account_on_hold" | "verification_required" | "billing_error" | "rate_limit" | "overloaded" | "invalid_request" | "model_not_found" | "server_error" | "unknown" | "max_output_tokens" | "cloud_credential_error" | (string & {});
  request_id?: string;
  timestamp?: string;
  user_message_uuid?: string;
  user_message_uuids?: Array<string>;
  resume_reason?: string;
  resumed_from_incomplete_thinking?: boolean;
  supersedes?: Array<string>;
  aborted?: boolean;
  agent_id?: string;
  subagent_type?: string;
  task_description?: string;
  context_usage?: {
    model: string;
    total_tokens: number;
    raw_max_tokens: number;
    percentage: number;
    over_limit?: {
      tokens_over: number;
      kind: "hard_limit" | "compaction_window" | (string & {});
    } | null;
    categories: Array<{
      name: string;
      tokens: number;
      kind: "used" | "free" | "buffer" | "deferred" | (string & {});
    }>;
    mcp_tools: Array<{
      name: string;
      server_name: string;
      tokens: number;
    }>;
    memory_files: Array<{
      path: string;
      type: string;
      tokens: number;
    }>;
    agents: Array<{
      agent_type: string;
      source: string;
      tokens: number;
    }>;
    skills?: Array<{
      name: string;
      source: string;
      plugin_name?: string;
      tokens: number;
    }>;
  };
  usage_report?: {
    session: {
      total_cost_usd: number;
      total_api_duration_ms: number;
      total_duration_ms: number;
      total_lines_added: number;
      total_lines_removed: number;
      model_usage: { [key: string]: SharedModelUsage };
    };
    rate_limits: {
      limits: Array<{
        kind: string;
        group: string;
        percent: number;
        resets_at: string | null;
        severity: string;
        is_active: boolean;
        scope?: {
          model?: {
            display_name?: string;
          } | null;
          surface?: {
            display_name?: string;
          } | null;
        } | null;
      }> | null;
      extra_usage?: unknown;
    } | null;
  };
  is_api_error_message?: boolean;
  api_error_status?: number | null;
  api_error_type?: string | null;
  local_command_run?: {
    command: string;
    args: string;
  };
  local_command_source?: string;
  local_command_outcome?: {
    kind: string;
  };
  tool_use_meta?: Array<{
    id?: SharedToolUseId;
    display_name?: string | null;
    server_display_name?: string | null;
    tool_name?: string | null;
  }>;
  thinking_display?: string;
  thinking_duration_ms?: number;
  refused_message_id?: string;
  api_error?: string;
};

/** Authentication status. How signing in goes. Needs no answer. */
export type MessagesAuthStatus = SharedIds & {
  type: "auth_status";
  isAuthenticating: boolean;
  output: Array<string>;
  error?: string | null;
};

/** State of automatic compaction. When the history will be compacted. Not in the public types. Needs no answer. */
export type MessagesAutocompactState = SharedIds & {
  type: "autocompact_state";
  value: {
    enabled: boolean;
    effective_window: number;
    threshold: number;
    enforced: boolean;
    source: string;
  };
};

/** Command lifecycle. What became of a user message that came with a `uuid`. Not in the public types. Needs no answer. */
export type MessagesCommandLifecycle = SharedIds & {
  type: "command_lifecycle";
  command_uuid: string;
  state: "queued" | "started" | "completed" | "cancelled" | "discarded" | "refused" | (string & {});
  wakeup_source?: string;
  scheduled_for?: number;
  ran_ahead?: boolean;
};

/** Control cancel request. One side withdraws a control request of its own. No answer follows. */
export type MessagesControlCancelRequest = {
  type: "control_cancel_request";
  request_id: string;
  tool_use_id?: SharedToolUseId;
  takes_late_allow?: boolean | null;
};

/** Control request. One side asks the other for something, in the middle of whatever else goes on. Answered by exactly one `control_response` with the same `request_id`, unless withdrawn by a `control_cancel_request`. */
export type MessagesControlRequest = {
  type: "control_request";
  request_id: string;
  request: ControlRequestBody;
};

/** Control response. Answers the control request of that id. Needs no answer itself. */
export type MessagesControlResponse = {
  type: "control_response";
  response: ControlResponseBody;
};

/** Conversation reset. The conversation begins anew, with /clear for example; the session id changes. Needs no answer. */
export type MessagesConversationReset = SharedIds & {
  type: "conversation_reset";
  new_conversation_id: string;
  trigger?: "clear" | "plan_mode_exit" | "fresh_session" | "onboarding" | (string & {});
  user_message_uuid?: string;
  timestamp?: string;
};

/** Keep alive. Says that the sender is there. Either side may send it at any time; it is ignored. */
export type MessagesKeepAlive = {
  type: "keep_alive";
  startup_mark?: string | null;
};

/** Prompt suggestion. What the user might say next; comes after the result. Needs no answer. */
export type MessagesPromptSuggestion = SharedIds & {
  type: "prompt_suggestion";
  suggestion: string;
};

/** Rate limit event. How much of a claude.ai account's limits is left. Needs no answer. */
export type MessagesRateLimitEvent = SharedIds & {
  type: "rate_limit_event";
  rate_limit_info: {
    status: "allowed" | "allowed_warning" | "rejected" | (string & {});
    resetsAt?: number;
    rateLimitType?: "five_hour" | "seven_day" | "seven_day_opus" | "seven_day_sonnet" | "seven_day_overage_included" | "overage" | (string & {});
    utilization?: number;
    overageStatus?: "allowed" | "allowed_warning" | "rejected" | (string & {});
    overageResetsAt?: number;
    overageDisabledReason?: "overage_not_provisioned" | "org_level_disabled" | "org_level_disabled_until" | "out_of_credits" | "seat_tier_level_disabled" | "member_level_disabled" | "seat_tier_zero_credit_limit" | "group_zero_credit_limit" | "member_zero_credit_limit" | "org_service_level_disabled" | "no_limits_configured" | "fetch_error" | "unknown" | (string & {});
    isUsingOverage?: boolean;
    overageInUse?: boolean;
    overageEnabled?: boolean;
    surpassedThreshold?: number;
    limitScope?: "service" | "channel" | "group_pool" | (string & {});
    errorCode?: "credits_required" | (string & {});
    canUserPurchaseCredits?: boolean;
    hasChargeableSavedPaymentMethod?: boolean;
  };
};

/** Result. Claude Code ends a turn: one for each turn, with its outcome and cost. Needs no answer. */
export type MessagesResult = (MessagesResultSuccess | MessagesResultError) & {
  subtype: string;
  type: "result";
};

/** Result: error. The turn broke off: it was interrupted, failed, or ran into a limit. */
export type MessagesResultError = SharedIds & SharedResult & {
  type: "result";
  subtype: "error_during_execution" | "error_max_turns" | "error_max_budget_usd" | "error_max_structured_output_retries";
  errors?: Array<string>;
  startup_failure_reason?: "org_pin_api_key_conflict" | "provider_not_allowed" | "org_verify_failed" | "org_pin_mismatch" | "managed_settings_invalid" | "remote_settings_required_unavailable" | "gateway_signin_required" | "gateway_access_denied" | "proxy_invalid" | "temp_dir_unusable" | "cwd_unavailable" | "shell_tool_missing" | "session_held_by_background" | "worktree_resume_refused" | "worktree_unverified" | "cli_version_too_old" | "bypass_root" | "org_config_required_unavailable" | "org_config_refused" | "sandbox_required_unavailable" | "initialize_not_first" | "config_file_invalid" | "managed_settings_not_delivered" | "initialize_fields_not_delivered" | "sideload_flags_disabled" | (string & {});
  invalid_config_file?: {
    path: string;
    is_global: boolean;
    backup_searched: boolean;
    backup_path?: string;
  };
};

/** Result: success. The turn came to its end. With `is_error` it ended on an error of the API, and `result` is its text. */
export type MessagesResultSuccess = SharedIds & SharedResult & {
  type: "result";
  subtype: "success";
  /** The text of the last answer; may be empty. */
  result: string;
  request_sent_wall_ms?: number;
  first_content_frame_ms?: number;
  first_stream_post_ms?: number;
  first_stream_post_ack_ms?: number;
  first_stream_post_queue_wait_ms?: number;
  first_stream_post_queued_behind?: "durable_post" | "ephemeral_post" | "retry_backoff" | "hold" | "none" | (string & {});
  first_stream_post_wall_ms?: number;
  first_text_post_ms?: number;
  first_text_post_queue_wait_ms?: number;
  first_text_post_queued_behind?: "durable_post" | "ephemeral_post" | "retry_backoff" | "hold" | "none" | (string & {});
  first_text_post_wall_ms?: number;
  time_to_request_from_spawn_ms?: number;
  warm_spare_claimed?: boolean;
  time_origin_ms?: number;
};

/** Stream event. Claude Code passes on one event of the API's stream, when the client asked for partial messages. Needs no answer. */
export type MessagesStreamEvent = SharedIds & {
  type: "stream_event";
  event: StreamEvent;
  parent_tool_use_id: string | null;
  ttft_ms?: number;
  user_message_uuid?: string;
  user_message_uuids?: Array<string>;
  resume_reason?: string;
  api_message_id?: string;
  thinking_display?: string;
  abandoned_blocks?: {
    api_message_id: string;
    from_block_index: number;
  };
  owed_rows?: Array<unknown>;
};

/** System message. Claude Code says something about the session rather than in the conversation. `subtype` says what. */
export type MessagesSystem = (SystemInit | SystemStatus | SystemCompactBoundary | SystemApiRetry | SystemControlRequestProgress | SystemModelRefusalFallback | SystemModelRefusalNoFallback | SystemModelFallback | SystemLocalCommandOutput | SystemHookStarted | SystemHookProgress | SystemHookResponse | SystemPluginInstall | SystemTaskStarted | SystemTaskProgress | SystemTaskUpdated | SystemTaskNotification | SystemBackgroundTasksChanged | SystemThinkingTokens | SystemSessionStateChanged | SystemSessionTitleChanged | SystemCommandsChanged | SystemNotification | SystemInformational | SystemPermissionDenied | SystemElicitationComplete | SystemFilesPersisted | SystemMemoryRecall | SystemMirrorError | SystemSessionWritesLost | SystemWorkerShuttingDown) & {
  subtype: string;
  type: "system";
};

/** Tool progress. A tool or a hook runs long, or a subagent tries the API again. Needs no answer. */
export type MessagesToolProgress = SharedIds & {
  type: "tool_progress";
  tool_use_id?: SharedToolUseId;
  tool_name: string;
  parent_tool_use_id: string | null;
  elapsed_time_seconds: number;
  task_id?: string;
  heartbeat?: boolean;
  subagent_type?: string;
  subagent_retry?: {
    agent_id: string;
    attempt: number;
    max_retries: number;
    retry_delay_ms: number;
    error_status: number | null;
    error_category: string;
  };
};

/** Tool use summary. A sentence on what the last tool calls did. Needs no answer. */
export type MessagesToolUseSummary = SharedIds & {
  type: "tool_use_summary";
  summary: string;
  preceding_tool_use_ids: Array<SharedToolUseId>;
};

/** Transcript mirror. Lines of the transcript for the client to store. Not in the public types. Needs no answer. */
export type MessagesTranscriptMirror = {
  type: "transcript_mirror";
  filePath: string;
  entries: Array<unknown>;
};

/** Update of environment variables. The client gives Claude Code environment variables, such as fresh tokens. The values carry credentials by definition. */
export type MessagesUpdateEnvironmentVariables = {
  type: "update_environment_variables";
  variables: { [key: string]: string };
  request_id?: string | null;
};

/** User message (output). Claude Code reports a tool's result, text that it added itself, or, as an echo with `isReplay`, what the client sent. Needs no answer. */
export type MessagesUser = {
  type: "user";
  message: {
    role: "user";
    content: Array<ContentUserBlock> | string;
  };
  /** The Agent tool call that this belongs to, null in the main conversation. */
  parent_tool_use_id: string | null;
  /** In all that was seen; the official types leave it open. */
  uuid?: string;
  /** In all that was seen; the official types leave it open. */
  session_id?: string;
  /** Claude Code wrote the text itself. */
  isSynthetic?: boolean;
  /** What the tool gave, in the tool's own shape. */
  tool_use_result?: unknown;
  priority?: "now" | "next" | "later" | (string & {});
  origin?: SharedOrigin;
  shouldQuery?: boolean;
  /** When it was made; left out by older releases. */
  timestamp?: string;
  client_composed?: boolean;
  pasted_content?: Array<Array<ContentUserBlock> | string>;
  inline_pastes?: Array<string>;
  agent_id?: string;
  subagent_type?: string;
  task_description?: string;
  file_attachments?: Array<unknown>;
  isReplay?: boolean;
  tool_result_meta?: Array<{
    id?: SharedToolUseId;
    permission_decision?: {
      decision?: string;
      source?: string;
      reason_type?: string;
    };
    non_execution_kind?: string;
  }>;
  refused_message_id?: string;
  /** Since 2.1.332, after a refusal. */
  refusal_retry?: boolean;
};

/** User message (input). The client starts a turn, or says something while one runs. Answered by whatever the turn brings, and in the end a `result`. Clients may leave out everything but the message. */
export type MessagesUserInput = {
  type: "user";
  message: {
    role: "user";
    content: Array<ContentUserBlock> | string;
  };
  parent_tool_use_id?: string | null;
  uuid?: string | null;
  session_id?: string | null;
  /** Claude Code wrote the text itself. */
  isSynthetic?: boolean | null;
  /** What the tool gave, in the tool's own shape. */
  tool_use_result?: unknown;
  priority?: "now" | "next" | "later" | (string & {}) | null;
  origin?: SharedOrigin | null;
  shouldQuery?: boolean | null;
  timestamp?: string | null;
  client_composed?: boolean | null;
  pasted_content?: Array<Array<ContentUserBlock> | string> | null;
  inline_pastes?: Array<string> | null;
  agent_id?: string | null;
  subagent_type?: string | null;
  task_description?: string | null;
  file_attachments?: Array<unknown> | null;
  isReplay?: boolean | null;
};

/** Record of a session log. One line of a session log: a line that passed through the wrapper, something that happened to the session, or an event that a client posted. */
export type Record = {
  /** 0, 1, 2, ... without gaps. */
  seq: number;
  /** RFC 3339, UTC, with microseconds; strictly increasing within a session. */
  ts: string;
  /** The session, as this proxy names it. */
  session_id: string;
  /** Where it passed, or `transcript` for what Claude Code wrote about an interactive session; `proxy` for the session's life, `api` for what a client posted. */
  stream: "stdin" | "stdout" | "stderr" | "transcript" | "proxy" | "api";
  /** For stdin and stdout, unless validation is off. */
  verdict?: "valid" | "invalid" | "unknown" | "malformed" | "text";
  /** The line itself, when it is JSON. */
  message?: unknown;
  /** The line, when it is no JSON. */
  raw?: string;
  /** The line, when it is not UTF-8 either. */
  raw_base64?: string;
  /** With `invalid`. */
  errors?: Array<{
    /** JSON pointer into the message, empty for the whole of it. */
    path: string;
    /** A sentence for a person. */
    message: string;
    /** The JSON Schema keyword, or the rule, that was not met. */
    keyword: string;
  }>;
  /** JSON pointers of values that are replaced in the record. */
  redacted?: Array<string>;
  /** The line had no end, or was too long to be recorded whole. */
  truncated?: true;
  /** The line began with a byte order mark, which `message` does not have. */
  bom?: true;
  /** What the line ended with, when that was not a newline alone. */
  eol?: string;
  /** Who made the line, when it was not the one at that end of the stream. */
  origin?: string;
  /** The message was held back. */
  forwarded?: false;
  /** Where a line of a transcript was read: file, relative to Claude Code's configuration folder, and bytes. */
  source?: {
    file: string;
    offset: number;
    length: number;
  };
  event?: {
    event_type: string;
    data: { [key: string]: unknown };
  };
};

/** Cache control. Marks a block as the end of a cached prefix. */
export type SharedCacheControl = {
  type: "ephemeral";
  ttl?: "5m" | "1h" | (string & {}) | null;
};

/** Capability. What this Claude Code can do that an older one cannot: a client looks here before it relies on it. A new one is often the first word of something new on the wire. */
export type SharedCapability = "interrupt_receipt_v1" | "interrupt_cancel_queued_v1" | "interrupt_send_now_v1" | "interrupt_requeue_taken_v1" | "msg_lifecycle_v1" | "request_marker_lists_v1" | "ask_user_question_unanswered_v1" | "lifecycle_wakeup_source_v1" | "queued_notifications" | "third_party_notification_caution" | "sdk_mcp_tools_list_changed" | "sdk_mcp_manifests" | "mcp_read_resource_v1" | "mcp_tool_ui_meta_v1" | "ui_surface_v1" | "mcp_call_result_not_for_model_v1" | "mcp_call_soft_error_result_v1" | "mcp_call_check_permissions_v1" | "voice_call_talk_line_v1" | "withdrawn_files_note_v2" | "withdrawn_tools_v1" | "start_shell_task_v1" | "ui_pane_widget_v1" | "reload_plugins_refuse_if_busy_v1" | "get_usage_detached_v1" | "silent_resend_files_v1" | (string & {});

/** Fallback credit. Whether the tokens of a refused answer were credited to the model that took over. */
export type SharedFallbackCredit = {
  status: {
    type: "redeemed" | "not_applied" | (string & {});
    reason?: "body_mismatch" | "continuation_excluded" | "continuation_only" | "expired" | "invalid_target_model" | "not_enabled" | "reprice_unavailable" | "temporarily_unavailable" | "variant_fields_present" | "wrong_organization" | "wrong_platform" | "wrong_workspace" | (string & {});
    remove_to_redeem?: Array<string> | null;
  };
};

/** Ids. What almost every message of Claude Code carries: its own id, and the session that it belongs to. */
export type SharedIds = {
  /** Id of this message, a UUID. */
  uuid: string;
  /** Id of Claude Code's session. It changes with /clear. */
  session_id: string;
};

/** JSON-RPC message. One JSON-RPC 2.0 message of the MCP: a request (method and id), a notification (method), a result or an error. */
export type SharedJsonRpc = {
  jsonrpc: "2.0";
  id?: string | number | null;
  method?: string;
  params?: { [key: string]: unknown };
  result?: unknown;
  error?: {
    code: number;
    message: string;
    data?: unknown;
  };
};

/** MCP server configuration. How to reach one MCP server. Without a type it is a command to run (`stdio`). `env` and `headers` carry credentials by definition. */
export type SharedMcpServerConfig = (SharedMcpServerStdio | SharedMcpServerRemote | SharedMcpServerSdk);

/** MCP server: remote. An MCP server reached over HTTP, or over server-sent events. */
export type SharedMcpServerRemote = {
  type: "sse" | "http";
  url: string;
  headers?: { [key: string]: string } | null;
  timeout?: number | null;
  alwaysLoad?: boolean | null;
  tools?: Array<SharedMcpToolPolicy> | null;
};

/** MCP server: in the client. An MCP server that lives in the client and is reached with `mcp_message`. */
export type SharedMcpServerSdk = {
  type: "sdk";
  name: string;
  timeout?: number | null;
  tools?: Array<SharedMcpToolPolicy> | null;
};

/** MCP server: command. An MCP server that is a local program, spoken to over its standard input and output. */
export type SharedMcpServerStdio = {
  type?: "stdio";
  command: string;
  args?: Array<string> | null;
  env?: { [key: string]: string } | null;
  timeout?: number | null;
  alwaysLoad?: boolean | null;
};

/** MCP tool policy. How a tool of an MCP server may be used. */
export type SharedMcpToolPolicy = {
  name: string;
  permission_policy?: "always_allow" | "always_ask" | "always_deny" | (string & {}) | null;
  org_max_permission?: "allow" | "ask" | "blocked" | (string & {}) | null;
};

/** Usage of one model. What one model has used and cost since the process began. */
export type SharedModelUsage = {
  inputTokens: number;
  outputTokens: number;
  cacheReadInputTokens: number;
  cacheCreationInputTokens: number;
  webSearchRequests: number;
  /** In US dollars. */
  costUSD: number;
  contextWindow: number;
  maxOutputTokens?: number;
  thinkingTokens?: number;
  cacheCreationEphemeral5mInputTokens?: number;
  cacheCreationEphemeral1hInputTokens?: number;
  canonicalModel?: string;
  provider?: string;
  costBasis?: "list" | "managed" | "unknown" | (string & {});
};

/** Origin. Who or what caused a turn, when it was not simply the caller. */
export type SharedOrigin = (SharedOriginChannel | SharedOriginPeer | SharedOriginObserver | SharedOriginTaskNotification) & {
  kind: "human" | "coordinator" | "unclassified" | "auto-continuation" | "observer-activity" | "channel" | "peer" | "observer" | "task-notification" | (string & {});
  producer?: string | null;
};

/** Origin: channel. The turn was caused by a message of a channel that an MCP server provides. */
export type SharedOriginChannel = {
  kind: "channel";
  server: string;
};

/** Origin: observer. The turn was caused by an observing task. */
export type SharedOriginObserver = {
  kind: "observer";
  from: string;
  senderTaskId: string;
};

/** Origin: peer. The turn was caused by another session. */
export type SharedOriginPeer = {
  kind: "peer";
  from: string;
  fromMode?: "bypass" | "prompting" | (string & {}) | null;
  name?: string | null;
  fromSession?: string | null;
  senderTaskId?: string | null;
  body?: string | null;
  verifiedPeerPid?: number | null;
};

/** Origin: task notification. The turn was caused by a background task that ended. */
export type SharedOriginTaskNotification = {
  kind: "task-notification";
  subkind?: "scheduled-trigger" | "peer-send-message" | "projects-relay" | "session-inbox" | "external-event" | (string & {}) | null;
  fireReason?: string | null;
  runId?: string | null;
};

/** Permission update. One change to the permission rules, the mode or the directories of a session. */
export type SharedPermissionUpdate = (SharedPermissionUpdateRules | SharedPermissionUpdateMode | SharedPermissionUpdateDirectories);

/** Permission update: directories. Adds or removes working directories. */
export type SharedPermissionUpdateDirectories = {
  type: "addDirectories" | "removeDirectories";
  directories: Array<string>;
  destination: "userSettings" | "projectSettings" | "localSettings" | "session" | "cliArg" | (string & {});
};

/** Permission update: mode. Sets the permission mode. */
export type SharedPermissionUpdateMode = {
  type: "setMode";
  mode: "default" | "acceptEdits" | "bypassPermissions" | "plan" | "dontAsk" | "auto" | (string & {});
  destination: "userSettings" | "projectSettings" | "localSettings" | "session" | "cliArg" | (string & {});
};

/** Permission update: rules. Adds, replaces or removes rules of one behaviour. */
export type SharedPermissionUpdateRules = {
  type: "addRules" | "replaceRules" | "removeRules";
  rules: Array<{
    toolName: string;
    ruleContent?: string | null;
  }>;
  behavior: "allow" | "deny" | "ask" | (string & {});
  destination: "userSettings" | "projectSettings" | "localSettings" | "session" | "cliArg" | (string & {});
};

/** Result: what all have. Duration, cost and usage of a turn, and how it ended. */
export type SharedResult = {
  is_error: boolean;
  duration_ms: number;
  duration_api_ms: number;
  num_turns: number;
  stop_reason?: string | null;
  /** US dollars since the process began, not of this turn alone. */
  total_cost_usd: number;
  usage: SharedTurnUsage;
  modelUsage: { [key: string]: SharedModelUsage };
  permission_denials: Array<{
    tool_name: string;
    tool_use_id?: SharedToolUseId;
    tool_input: { [key: string]: unknown };
  }>;
  structured_output?: unknown;
  deferred_tool_use?: {
    id?: SharedToolUseId;
    name: string;
    input: { [key: string]: unknown };
  };
  terminal_reason?: "blocking_limit" | "rapid_refill_breaker" | "prompt_too_long" | "image_error" | "model_error" | "api_error" | "malformed_tool_use_exhausted" | "aborted_streaming" | "aborted_tools" | "stop_hook_prevented" | "hook_stopped" | "tool_deferred" | "max_turns" | "background_requested" | "completed" | "budget_exhausted" | "structured_output_retry_exhausted" | "tool_deferred_unavailable" | "turn_setup_failed" | (string & {});
  api_error_status?: number | null;
  queued_turn_count?: number;
  result_index?: number;
  origin?: SharedOrigin;
  fast_mode_state?: "off" | "cooldown" | "on" | (string & {});
  fast_mode_disabled_reason?: "free" | "preference" | "extra_usage_disabled" | "network_error" | "unknown" | "not_first_party" | "disabled_by_env" | "model_not_allowed" | "sdk_opt_in_required" | "pending" | (string & {});
  user_message_uuid?: string;
  user_message_uuids?: Array<string>;
  resume_reason?: string;
  local_command?: string;
  ttft_ms?: number;
  ttft_stream_ms?: number;
  time_to_request_ms?: number;
  credential_expires_at?: string;
  model_usage_since_last_result?: { [key: string]: SharedModelUsage };
  safety_stops?: number;
  subagent_stats?: SharedSubagentStats;
  begun_message_ids?: Array<string>;
  api_error_type?: string;
  first_request_input_tokens?: number;
  first_request_cache_read_input_tokens?: number;
  process_turn_index?: number;
  turn_start_resume_kind?: string;
  time_to_request_cpu_ms?: number;
  time_to_request_loop_lag_ms?: number;
  time_to_request_major_faults?: number;
  time_to_request_phases_ms?: { [key: string]: number };
  request_build_detail?: { [key: string]: unknown };
  message_normalization_detail?: { [key: string]: unknown };
  tool_schema_build_detail?: { [key: string]: unknown };
  input_attachments_detail?: { [key: string]: unknown };
  api_error?: string;
};

/** Slash command. A command that a user can give, as `/name arguments`. */
export type SharedSlashCommand = {
  name: string;
  description: string;
  argumentHint: string;
  aliases?: Array<string>;
  builtin?: boolean;
};

/** Figures of subagents. How many subagents were asked for, started and refused since the process began, and what became of them. */
export type SharedSubagentStats = {
  spawned?: number;
  requested?: { [key: string]: number };
  started_in_background?: number;
  max_depth?: number;
  spawned_by_subagents?: number;
  completed?: number;
  failed?: number;
  /** By who stopped it. */
  killed?: { [key: string]: number };
  /** By the limit reached. */
  refused?: { [key: string]: number };
  /** Spawned, by the agent's name. */
  by_type?: { [key: string]: number };
};

/** Task usage. What a task has used so far. */
export type SharedTaskUsage = {
  total_tokens: SharedTokenCount;
  tool_uses: number;
  duration_ms: number;
};

/** Count of tokens. A count of the model server's, or a sum of such: what a gateway counts as text is put together as text. */
export type SharedTokenCount = number;

/** Id of a tool call. What the model server called the tool call: a string in the Messages API, missing or of another type from some gateways. Claude Code passes it on as it came. */
export type SharedToolUseId = string;

/** Token usage of a turn. What a `result` tells of its turn: here Claude Code has filled in what the Messages API left out, more of it with later releases. */
export type SharedTurnUsage = {
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number;
  cache_read_input_tokens: number;
  cache_creation: {
    ephemeral_1h_input_tokens: number;
    ephemeral_5m_input_tokens: number;
  };
  service_tier: "standard" | "priority" | "batch" | (string & {});
  server_tool_use: {
    web_search_requests: number;
    web_fetch_requests?: number;
  };
  inference_geo?: string;
  iterations?: Array<SharedUsageIteration>;
  speed?: "standard" | "fast" | (string & {});
  output_tokens_details?: {
    thinking_tokens: number;
  };
  fallback_credit?: SharedFallbackCredit | null;
};

/** Token usage. Tokens of one API answer, as the Messages API counts them. Early lines of an answer carry early counts; the totals of a turn are in its result. */
export type SharedUsage = {
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number | null;
  cache_read_input_tokens: number | null;
  cache_creation?: {
    ephemeral_1h_input_tokens: number;
    ephemeral_5m_input_tokens: number;
  } | null;
  service_tier?: "standard" | "priority" | "batch" | (string & {}) | null;
  server_tool_use?: {
    web_search_requests: number;
    web_fetch_requests?: number;
  } | null;
  inference_geo?: string | null;
  iterations?: Array<SharedUsageIteration> | null;
  speed?: "standard" | "fast" | (string & {}) | null;
  output_tokens_details?: {
    thinking_tokens: number;
  } | null;
  fallback_credit?: SharedFallbackCredit | null;
};

/** Token usage so far. The counts that a streamed answer updates; only the output tokens are always there. */
export type SharedUsageDelta = {
  output_tokens: number;
  input_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
  cache_read_input_tokens?: number | null;
  server_tool_use?: {
    web_fetch_requests?: number;
    web_search_requests?: number;
  } | null;
  iterations?: Array<{
    cache_creation?: {
      ephemeral_1h_input_tokens?: number;
      ephemeral_5m_input_tokens?: number;
    } | null;
    cache_creation_input_tokens?: number;
    cache_read_input_tokens?: number;
    input_tokens?: number;
    model?: string | null;
    output_tokens?: number;
    type?: "message" | "compaction" | "advisor_message" | "fallback_message" | (string & {});
  }> | null;
  output_tokens_details?: {
    thinking_tokens?: number;
  } | null;
  fallback_credit?: {
    status?: {
      type?: "redeemed" | "not_applied" | (string & {});
      reason?: "body_mismatch" | "continuation_excluded" | "continuation_only" | "expired" | "invalid_target_model" | "not_enabled" | "reprice_unavailable" | "temporarily_unavailable" | "variant_fields_present" | "wrong_organization" | "wrong_platform" | "wrong_workspace" | (string & {});
      remove_to_redeem?: Array<string> | null;
    };
  } | null;
};

/** Token usage of one pass. One of the passes that an answer of the API took. */
export type SharedUsageIteration = {
  type: "message" | "compaction" | "advisor_message" | "fallback_message" | (string & {});
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number | null;
  cache_read_input_tokens: number | null;
  cache_creation?: {
    ephemeral_1h_input_tokens?: number;
    ephemeral_5m_input_tokens?: number;
  } | null;
  model?: string | null;
};

/** Standard input. Every message that Claude Code takes on its standard input in stream-json mode: one JSON object a line. Types that are not listed here are let pass. */
export type Stdin = (MessagesUserInput | MessagesControlRequest | MessagesControlResponse | MessagesControlCancelRequest | MessagesKeepAlive | MessagesUpdateEnvironmentVariables);

/** Standard output. Every message that Claude Code writes to its standard output in stream-json mode: one JSON object a line. Types that are not listed here are let pass. */
export type Stdout = (MessagesAssistant | MessagesUser | MessagesResult | MessagesSystem | MessagesStreamEvent | MessagesToolProgress | MessagesToolUseSummary | MessagesPromptSuggestion | MessagesAuthStatus | MessagesRateLimitEvent | MessagesConversationReset | MessagesActiveGoal | MessagesControlRequest | MessagesControlResponse | MessagesControlCancelRequest | MessagesKeepAlive | MessagesCommandLifecycle | MessagesTranscriptMirror | MessagesAutocompactState);

/** Delta: citations. A citation was added. */
export type StreamCitationsDelta = {
  type: "citations_delta";
  citation: ContentCitation;
};

/** Delta: compaction. The API's summary grew. */
export type StreamCompactionDelta = {
  type: "compaction_delta";
  content: string | null;
  encrypted_content: string | null;
};

/** Stream: block delta. A block grows. */
export type StreamContentBlockDelta = {
  type: "content_block_delta";
  index: number;
  delta: StreamDelta;
};

/** Stream: block start. A block begins, its text or input still empty. */
export type StreamContentBlockStart = {
  type: "content_block_start";
  index: number;
  content_block: ContentAssistantBlock;
};

/** Stream: block stop. A block is whole. */
export type StreamContentBlockStop = {
  type: "content_block_stop";
  index: number;
};

/** Delta. How a block grew. */
export type StreamDelta = (StreamTextDelta | StreamInputJsonDelta | StreamThinkingDelta | StreamSignatureDelta | StreamCitationsDelta | StreamCompactionDelta);

/** Event of the API's stream. What happened to the answer that is being streamed. */
export type StreamEvent = (StreamMessageStart | StreamContentBlockStart | StreamContentBlockDelta | StreamContentBlockStop | StreamMessageDelta | StreamMessageStop);

/** Delta: input json. A piece of a tool's input, as JSON text. */
export type StreamInputJsonDelta = {
  type: "input_json_delta";
  partial_json: string;
};

/** Stream: message delta. The answer's stop reason and counts. */
export type StreamMessageDelta = {
  type: "message_delta";
  delta: {
    stop_reason: "end_turn" | "max_tokens" | "stop_sequence" | "tool_use" | "pause_turn" | "compaction" | "refusal" | "model_context_window_exceeded" | (string & {}) | null;
    stop_sequence: string | null;
    container?: {
      id?: string;
      expires_at?: string;
      skills?: Array<{
        skill_id?: string;
        type?: "anthropic" | "custom" | (string & {});
        version?: string;
      }> | null;
    } | null;
    stop_details?: {
      category?: "cyber" | "bio" | "frontier_llm" | "reasoning_extraction" | "general_harms" | (string & {}) | null;
      explanation?: string | null;
      fallback_credit_token?: string | null;
      fallback_has_prefill_claim?: boolean | null;
      recommended_model?: string | null;
      type?: "refusal" | (string & {});
    } | null;
  };
  usage: SharedUsageDelta;
  context_management?: {
    applied_edits?: Array<{
      cleared_input_tokens?: number;
      cleared_tool_uses?: number;
      type?: "clear_tool_uses_20250919" | "clear_thinking_20251015" | (string & {});
      cleared_thinking_turns?: number;
    }>;
  } | null;
  input_transformations?: Array<{
    path?: string;
    reason?: "model_binding_mismatch" | "prefix_binding_mismatch" | "organization_binding_mismatch" | "end_user_binding_mismatch" | (string & {});
    type?: "thinking_dropped" | "thinking_mismatch_allowed" | (string & {});
  }> | null;
};

/** Stream: message start. An answer begins; its content is still empty. */
export type StreamMessageStart = {
  type: "message_start";
  message: ContentApiMessage;
};

/** Stream: message stop. The answer is whole. */
export type StreamMessageStop = {
  type: "message_stop";
};

/** Delta: signature. The signature of the thinking. */
export type StreamSignatureDelta = {
  type: "signature_delta";
  signature: string;
};

/** Delta: text. Text was added. */
export type StreamTextDelta = {
  type: "text_delta";
  text: string;
};

/** Delta: thinking. Thinking was added. */
export type StreamThinkingDelta = {
  type: "thinking_delta";
  thinking: string;
  estimated_tokens?: number | null;
};

/** System: api retry. A call of the API failed and will be tried again. Needs no answer. */
export type SystemApiRetry = SharedIds & {
  type: "system";
  subtype: "api_retry";
  attempt: number;
  max_retries: number;
  retry_delay_ms: number;
  error_status: number | null;
  error: "authentication_failed" | "oauth_org_not_allowed" | "account_on_hold" | "verification_required" | "billing_error" | "rate_limit" | "overloaded" | "invalid_request" | "model_not_found" | "server_error" | "unknown" | "max_output_tokens" | "cloud_credential_error" | (string & {});
  no_response?: {
    waited_ms: number;
    retry_wait_ms: number;
  };
};

/** System: background tasks changed. All background tasks that there are now; sent each time the list changes. Needs no answer. */
export type SystemBackgroundTasksChanged = SharedIds & {
  type: "system";
  subtype: "background_tasks_changed";
  tasks: Array<{
    task_id: string;
    task_type: string;
    description: string;
    run_id?: string;
    subagent_type?: string;
    parent_task_id?: string;
    ambient?: boolean;
  }>;
};

/** System: commands changed. The slash commands that there are now; replaces the former list. Needs no answer. */
export type SystemCommandsChanged = SharedIds & {
  type: "system";
  subtype: "commands_changed";
  commands: Array<SharedSlashCommand>;
};

/** System: compact boundary. The history before this point was replaced by a summary. Needs no answer. */
export type SystemCompactBoundary = SharedIds & {
  type: "system";
  subtype: "compact_boundary";
  compact_metadata: {
    trigger: "manual" | "auto" | (string & {});
    pre_tokens: SharedTokenCount;
    post_tokens?: SharedTokenCount;
    duration_ms?: number;
    preserved_segment?: {
      head_uuid: string;
      anchor_uuid: string;
      tail_uuid: string;
    } | null;
    preserved_messages?: {
      anchor_uuid: string;
      uuids: Array<string>;
      all_uuids?: Array<string>;
    } | null;
    cumulative_dropped_tokens?: SharedTokenCount;
  };
  logical_parent_uuid?: string | null;
};

/** System: control request progress. A control request of the client takes long, and this is how far it is. Needs no answer. */
export type SystemControlRequestProgress = SharedIds & {
  type: "system";
  subtype: "control_request_progress";
  request_id: string;
  status: "started" | "api_retry" | (string & {});
  attempt?: number;
  max_retries?: number;
  retry_delay_ms?: number;
  error_status?: number | null;
};

/** System: elicitation complete. What an MCP server asked the user to do at a URL is done. Needs no answer. */
export type SystemElicitationComplete = SharedIds & {
  type: "system";
  subtype: "elicitation_complete";
  mcp_server_name: string;
  elicitation_id: string;
};

/** System: files persisted. Files of a hosted session were stored. Needs no answer. */
export type SystemFilesPersisted = SharedIds & {
  type: "system";
  subtype: "files_persisted";
  files: Array<{
    filename: string;
    file_id: string;
  }>;
  failed: Array<{
    filename: string;
    error: string;
  }>;
  processed_at: string;
};

/** System: hook progress. A hook is still running and has printed this so far; about once a second. Needs no answer. */
export type SystemHookProgress = SharedIds & {
  type: "system";
  subtype: "hook_progress";
  hook_id: string;
  hook_name: string;
  hook_event: HooksEventName;
  stdout: string;
  stderr: string;
  output: string;
  backgrounded?: boolean;
};

/** System: hook response. A hook ended. Needs no answer. */
export type SystemHookResponse = SharedIds & {
  type: "system";
  subtype: "hook_response";
  hook_id?: string;
  hook_name: string;
  hook_event: HooksEventName;
  output?: string;
  stdout: string;
  stderr: string;
  outcome?: "success" | "error" | "cancelled" | (string & {});
  exit_code?: number;
};

/** System: hook started. A hook began to run. Sent with --include-hook-events, and always for SessionStart and Setup. Needs no answer. */
export type SystemHookStarted = SharedIds & {
  type: "system";
  subtype: "hook_started";
  hook_id: string;
  hook_name: string;
  hook_event: HooksEventName;
};

/** System: informational. A remark for the user: a banner, or what a hook said. Needs no answer. */
export type SystemInformational = SharedIds & {
  type: "system";
  subtype: "informational";
  content: string;
  level: "info" | "notice" | "suggestion" | "warning" | (string & {});
  tool_use_id?: SharedToolUseId;
  prevent_continuation?: boolean;
  tag?: string;
  prompt_submit_outcome?: {
    kind: string;
    prompt_kept?: boolean;
    reason?: string;
  };
  isMeta?: boolean;
  timestamp?: string;
};

/** System: init. Claude Code describes the session at the start of every turn: model, tools, servers, commands. Needs no answer. */
export type SystemInit = SharedIds & {
  type: "system";
  subtype: "init";
  apiKeySource: "ANTHROPIC_API_KEY" | "apiKeyHelper" | "/login managed key" | "none" | "user" | "project" | "org" | "temporary" | "oauth" | (string & {});
  claude_code_version?: string;
  cwd: string;
  tools: Array<string>;
  mcp_servers: Array<{
    name: string;
    status: string;
    source?: string;
  }>;
  model: string;
  permissionMode: "default" | "acceptEdits" | "bypassPermissions" | "plan" | "dontAsk" | "auto" | (string & {});
  slash_commands: Array<string>;
  output_style: string;
  skills?: Array<string>;
  plugins?: Array<{
    name: string;
    path: string;
    version?: string;
    source?: string;
  }>;
  agents?: Array<string>;
  betas?: Array<string>;
  terminal_slash_commands?: Array<string>;
  plugin_errors?: Array<{
    plugin: string;
    type: string;
    message: string;
    path?: string;
    managed_lock?: {
      plugin_enabled: boolean;
      name: string;
      marketplace?: string;
    };
  }>;
  fast_mode_state?: "off" | "cooldown" | "on" | (string & {});
  fast_mode_disabled_reason?: "free" | "preference" | "extra_usage_disabled" | "network_error" | "unknown" | "not_first_party" | "disabled_by_env" | "model_not_allowed" | "sdk_opt_in_required" | "pending" | (string & {});
  effort?: "low" | "medium" | "high" | "xhigh" | "max" | (string & {}) | null;
  view_mode?: "focus" | "default" | (string & {});
  capabilities?: Array<SharedCapability>;
  additional_directories?: Array<string>;
  analytics_disabled?: boolean;
  product_feedback_disabled?: boolean;
  memory_paths?: { [key: string]: string };
  messaging_socket_path?: string | null;
  original_cwd?: string;
  per_turn_effort_active?: boolean;
  /** Since 2.1.332. */
  sandbox_enabled?: boolean;
  served_by_anthropic?: boolean;
  ultrathink_available?: boolean;
  ultrathink_typed_raises?: boolean;
  user_message_uuids?: Array<string>;
  startup_timing?: { [key: string]: unknown };
};

/** System: local command output. A slash command that runs inside Claude Code printed something. Needs no answer. */
export type SystemLocalCommandOutput = SharedIds & {
  type: "system";
  subtype: "local_command_output";
  content: string;
};

/** System: memory recall. Memories were looked up for this turn. Needs no answer. */
export type SystemMemoryRecall = SharedIds & {
  type: "system";
  subtype: "memory_recall";
  mode: "select" | "synthesize" | (string & {});
  memories: Array<{
    path: string;
    scope: "personal" | "team" | "organization" | (string & {});
    content?: string;
  }>;
};

/** System: mirror error. The SDK could not store a mirrored transcript; made by the SDK itself, not by Claude Code. Needs no answer. */
export type SystemMirrorError = SharedIds & {
  type: "system";
  subtype: "mirror_error";
  error: string;
  key: {
    projectKey: string;
    sessionId: string;
    subpath?: string;
  };
};

/** System: model fallback. The model is overloaded, and the fallback model takes over. Needs no answer. */
export type SystemModelFallback = SharedIds & {
  type: "system";
  subtype: "model_fallback";
  trigger: string;
  original_model: string;
  fallback_model: string;
  content: string;
};

/** System: model refusal fallback. The model refused, and another one takes the turn over. Needs no answer. */
export type SystemModelRefusalFallback = SharedIds & {
  type: "system";
  subtype: "model_refusal_fallback";
  trigger: "refusal" | (string & {});
  direction: "retry" | "revert" | "sticky" | (string & {});
  original_model: string;
  fallback_model: string;
  request_id: string | null;
  content: string;
  scope?: "session" | "local" | (string & {});
  api_refusal_category?: string | null;
  api_refusal_explanation?: string | null;
  retracted_message_uuids?: Array<string>;
  refused_user_message_uuid?: string | null;
};

/** System: model refusal no fallback. The model refused, and no other one takes over. Needs no answer. */
export type SystemModelRefusalNoFallback = SharedIds & {
  type: "system";
  subtype: "model_refusal_no_fallback";
  original_model: string;
  request_id: string | null;
  /** May be empty. */
  content: string;
  api_refusal_category?: string | null;
  api_refusal_explanation?: string | null;
  refused_user_message_uuid?: string | null;
};

/** System: notification. Something for the user to notice. Needs no answer. */
export type SystemNotification = SharedIds & {
  type: "system";
  subtype: "notification";
  key: string;
  text: string;
  priority: "low" | "medium" | "high" | "immediate" | (string & {});
  color?: string;
  timeout_ms?: number;
};

/** System: permission denied. A tool call was denied without asking the client. Needs no answer. */
export type SystemPermissionDenied = SharedIds & {
  type: "system";
  subtype: "permission_denied";
  tool_name: string;
  tool_use_id?: SharedToolUseId;
  message: string;
  agent_id?: string;
  decision_reason_type?: string;
  decision_reason?: string;
  decision_reason_code?: string;
};

/** System: plugin install. Plugins are being installed. Comes even before the reply to `initialize`. Needs no answer. */
export type SystemPluginInstall = SharedIds & {
  type: "system";
  subtype: "plugin_install";
  status: "started" | "installed" | "failed" | "completed" | (string & {});
  name?: string;
  error?: string;
};

/** System: session state changed. The session became idle, runs, or waits for an answer of the client. Sent to clients that ask for it, and then the authority on the matter. Needs no answer. */
export type SystemSessionStateChanged = SharedIds & {
  type: "system";
  subtype: "session_state_changed";
  state: "idle" | "running" | "requires_action" | (string & {});
  sdk_host_only?: boolean;
};

/** System: session title changed. The session got a title. Needs no answer. */
export type SystemSessionTitleChanged = SharedIds & {
  type: "system";
  subtype: "session_title_changed";
  title: string;
  given_by?: string;
};

/** System: session writes lost. The disk was full and parts of the transcript are lost; sent at the end. Needs no answer. */
export type SystemSessionWritesLost = SharedIds & {
  type: "system";
  subtype: "session_writes_lost";
  error_code: "ENOSPC" | "EDQUOT" | (string & {});
  lost: Array<"transcript" | "global_config" | (string & {})>;
  transcript_session_ids?: Array<string>;
};

/** System: status. Claude Code tells what it is busy with, null for nothing in particular, or that the permission mode changed. Needs no answer. */
export type SystemStatus = SharedIds & {
  type: "system";
  subtype: "status";
  status: "compacting" | "requesting" | (string & {}) | null;
  permissionMode?: "default" | "acceptEdits" | "bypassPermissions" | "plan" | "dontAsk" | "auto" | (string & {});
  compact_result?: "success" | "failed" | (string & {});
  compact_error?: string;
  compact_output_chars?: number;
  user_message_uuids?: Array<string>;
};

/** System: task notification. A task ended. Needs no answer. */
export type SystemTaskNotification = SharedIds & {
  type: "system";
  subtype: "task_notification";
  task_id: string;
  status: "completed" | "failed" | "stopped" | (string & {});
  /** May be empty. */
  output_file: string;
  summary: string;
  run_id?: string;
  tool_use_id?: SharedToolUseId;
  reason?: "worker_restart" | (string & {});
  usage?: SharedTaskUsage;
  resource_links?: Array<{
    uri: string;
    name: string;
    title?: string;
    description?: string;
    mimeType?: string;
    size?: number;
    annotations?: { [key: string]: unknown };
  }>;
  skip_transcript?: boolean;
  ambient?: boolean;
  summary_is_report?: boolean;
};

/** System: task progress. How far a task has come. Needs no answer. */
export type SystemTaskProgress = SharedIds & {
  type: "system";
  subtype: "task_progress";
  task_id: string;
  description: string;
  usage: SharedTaskUsage;
  run_id?: string;
  tool_use_id?: SharedToolUseId;
  subagent_type?: string;
  last_tool_name?: string;
  summary?: string;
};

/** System: task started. A subagent, a background command or a monitor began. Needs no answer. */
export type SystemTaskStarted = SharedIds & {
  type: "system";
  subtype: "task_started";
  task_id: string;
  description: string;
  run_id?: string;
  tool_use_id?: SharedToolUseId;
  subagent_type?: string;
  is_backgrounded?: boolean;
  spawn_depth?: number;
  parent_task_id?: string;
  task_type?: string;
  workflow_name?: string;
  prompt?: string;
  skip_transcript?: boolean;
  ambient?: boolean;
};

/** System: task updated. Something about a task changed; only what changed is in `patch`. Needs no answer. */
export type SystemTaskUpdated = SharedIds & {
  type: "system";
  subtype: "task_updated";
  task_id: string;
  patch: {
    status?: "pending" | "running" | "completed" | "failed" | "killed" | "paused" | (string & {});
    description?: string;
    end_time?: number;
    total_paused_ms?: number;
    error?: string;
    is_backgrounded?: boolean;
  };
  run_id?: string;
};

/** System: thinking tokens. An estimate of how much the model has thought so far. Needs no answer. */
export type SystemThinkingTokens = SharedIds & {
  type: "system";
  subtype: "thinking_tokens";
  estimated_tokens: number;
  estimated_tokens_delta: number;
  user_message_uuid?: string;
};

/** System: worker shutting down. A hosted worker is about to stop. Needs no answer. */
export type SystemWorkerShuttingDown = SharedIds & {
  type: "system";
  subtype: "worker_shutting_down";
  reason: string;
};
