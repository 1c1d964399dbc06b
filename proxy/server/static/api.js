// The server: questions, what is new, and long lists in pages.

const SESSIONS = "/api/v1/monitoring/sessions";

const PATIENCE_MS = 60000;
const AGAIN_MS = 3000;
const AT_ONCE = 1000; // sessions

/** Asks the API; throws an Error whose message is the sentence that the server gives. `about`: as `fetch` takes it. */
async function ask(path, query, signal, { headers, ...about } = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") words.set(name, value);
  }
  const text = words.size ? `?${words}` : "";
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let response, body;
  try {
    response = await fetch(path + text, { ...about, signal: signal ? AbortSignal.any([signal, patience]) : patience, headers: { Accept: "application/json", ...headers } });
    body = await response.json();
  } catch {
    // Also of an answer of which only a part came. One that is no JSON is not the server's own.
    if (!response || response.ok) throw new Error("The server does not answer. This page goes on as soon as it does.");
    body = {};
  }
  if (!response.ok) {
    const error = new Error(body.error ?? `The server answers ${response.status}.`);
    error.status = response.status;
    throw error;
  }
  return body.data;
}

const path = (id) => `${SESSIONS}/${encodeURIComponent(id)}`;

/** What was last said of each session: shown until it is said anew. */
export const said = new Map();

function listed(found) {
  for (const one of found.sessions) said.set(one.session_id, one);
  return found;
}

export const status = async (of, signal) => listed(await ask("/status", of, signal));
export const sessions = async (offset, limit, of, signal) => listed(await ask(SESSIONS, { offset, limit, ...of }, signal));
export const hosts = (signal) => ask("/api/v1/fleet/hosts", {}, signal);
export const costs = (start_time, signal) => ask("/api/v1/fleet/costs", { start_time }, signal);
export const session = (id, signal) => ask(path(id), {}, signal);
export const analysis = (id, signal) => ask(`${path(id)}/analysis`, { within: 1 }, signal);
export const approvals = (id, signal) => ask(`${path(id)}/approvals`, { limit: 1 }, signal);
export const drift = (id, signal) => ask(`${path(id)}/drift`, {}, signal);
export const events = (query, signal) => ask("/api/v1/monitoring/events", query, signal);
export const metrics = (start_time, signal) => ask("/api/v1/monitoring/metrics", { start_time }, signal);
export const conversation = (id, query, signal) => ask(`${path(id)}/conversation`, query, signal);
export const server = (signal) => ask("/api/v1/monitoring/status", {}, signal);
export const records = (id, query, signal) => ask(`${path(id)}/records`, query, signal);
export const record = (id, seq, query, signal) => ask(`${path(id)}/records/${seq}`, query, signal);
export const questions = (id, signal) => ask(`${path(id)}/questions`, {}, signal);
export const actions = (id, limit, signal) => ask(`${path(id)}/actions`, { limit }, signal);
/** Has an action done, with a token where there is one; what the wire shows of it, `actions` tells. */
export const act = (id, wanted, token) => ask(`${path(id)}/actions`, {}, null, {
  method: "POST", body: JSON.stringify(wanted), headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
});
export const search = (text, query, signal) => ask("/api/v1/monitoring/search", { text, ...query }, signal);
export const recordPath = (id, seq) => `${path(id)}/records/${seq}`;
export const logPath = (id) => `${path(id)}/log`;
export const pagePath = (id) => `${path(id)}/page`;

/**
 * All sessions, of some host or team, newest first, in as many questions as it takes; of more than one gives, what is
 * new to those `known`.
 */
export async function everySession(of, signal, known = []) {
  const all = new Map();
  const add = (some) => some.forEach((one) => all.has(one.session_id) || all.set(one.session_id, one)); // one that begins meanwhile moves the others on
  for (let offset = 0, total = 1; offset < total; offset += AT_ONCE) {
    const found = await sessions(offset, AT_ONCE, of, signal);
    total = found.total;
    add(found.sessions);
    if (total > AT_ONCE && known.length > AT_ONCE) {
      add(known);
      break;
    }
  }
  return [...all.values()];
}

/** Whether asking again gives the same. */
export const isFinal = (error) => error.status >= 400 && error.status < 500 && error.status !== 429;

/**
 * A question that is asked again and again, one at a time: so no older answer takes the place of a newer one, and
 * what happens while one is under way is not missed. What fails is asked again after a while.
 */
export class Question {
  #timer = 0;
  #due = Infinity;
  #asking = false;
  #stop = new AbortController();

  /** ask(signal) gives an answer; answered(answer) and failed(error) hear of it until `stop`. */
  constructor(ask, answered, failed) {
    Object.assign(this, { ask, answered, failed });
  }

  /** Asks before so many milliseconds are over, or as soon as the question that is under way is answered. */
  soon(wait = 0) {
    const due = performance.now() + wait;
    if (due >= this.#due) return;
    this.#due = due;
    if (!this.#asking) this.#arm();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #arm() {
    clearTimeout(this.#timer);
    if (this.#due < Infinity && !this.#stop.signal.aborted) this.#timer = setTimeout(() => this.#now(), this.#due - performance.now());
  }

  async #now() {
    this.#asking = true;
    this.#due = Infinity;
    const { signal } = this.#stop;
    try {
      const answer = await this.ask(signal);
      if (!signal.aborted) this.answered(answer);
    } catch (error) {
      if (signal.aborted) return;
      this.failed(error);
      if (!isFinal(error)) this.soon(AGAIN_MS);
    }
    this.#asking = false;
    this.#arm();
  }
}

/** What is new, over a WebSocket that is opened anew whenever it closes. Listeners hear events in batches. */
class Live {
  state = "connecting";
  #listeners = new Set();
  #batch = [];
  #tries = 0;
  #timer = 0;
  #socket = null;

  /** Hears (events, reopened); reopened: something may have been missed. Returns how to stop. */
  on(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start() {
    this.#open();
    const again = () => document.hidden || this.state === "open" || this.#retry(0);
    addEventListener("online", again);
    document.addEventListener("visibilitychange", again);
  }

  #open() {
    const base = location.origin.replace(/^http/, "ws");
    const socket = new WebSocket(`${base}/api/v1/monitoring/stream?max_text=200`);
    this.#socket = socket;
    socket.onopen = () => {
      this.state = "open";
      this.#tries = 0;
      this.#tell([], true);
    };
    socket.onmessage = (message) => {
      const { type, data } = JSON.parse(message.data);
      if (type === "gap") return void this.#tell([], true);
      if (!this.#batch.length) setTimeout(() => this.#flush(), 200);
      this.#batch.push(data);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.state = "lost";
      this.#tell([], false);
      this.#retry(Math.min(5000, 300 * 2 ** this.#tries));
      this.#tries += 1;
    };
  }

  #retry(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#socket?.readyState > 1) this.#open();
    }, wait);
  }

  #flush() {
    const batch = this.#batch;
    this.#batch = [];
    this.#tell(batch, false);
  }

  #tell(events, reopened) {
    for (const listener of this.#listeners) listener(events, reopened);
  }
}

export const live = new Live();

const PAGE = 200;
const MOST_PAGES = 150;

/**
 * A list too long to be held: pages of it are fetched when they are looked at, the oldest looks forgotten.
 *
 * It only grows. How long it is, `refresh` alone says; other pages, which may have been asked for earlier and come
 * later, give nothing but their items.
 */
export class Paged {
  total = 0;
  known = false;
  complete = true;
  error = null;
  about = {};
  #pages = new Map();
  #asked = new Map();
  #inView = [0, -1];
  #end;

  /** fetchPage(offset, limit, signal) gives {items, total, ...}; changed() is called when there is something to show. */
  constructor(fetchPage, changed) {
    this.fetchPage = fetchPage;
    this.changed = changed;
    this.#end = new Question((signal) => this.#askEnd(signal), (end) => this.#learn(end), (error) => this.#fail(error));
  }

  close() {
    this.#end.stop();
    this.#forget();
  }

  item(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Where an item is that is held; -1: nowhere. */
  find(fits) {
    for (const [page, items] of this.#pages) {
      const index = items.findIndex(fits);
      if (index >= 0) return page * PAGE + index;
    }
    return -1;
  }

  /** Fetches what is missing of the stretch that is in view, and gives up what was asked for and is no more. */
  ensure(first, last) {
    this.#inView = [first, last];
    const from = Math.floor(first / PAGE);
    const to = Math.floor(Math.min(last, this.total - 1) / PAGE);
    for (const [page, asking] of this.#asked) if (page < from || page > to) asking.abort();
    for (let page = from; page <= to; page += 1) if (!this.#pages.has(page) && !this.#asked.has(page)) this.#fetch(page);
  }

  /** Learns what has been added at the end. */
  refresh() {
    this.#end.soon();
  }

  async #askEnd(signal) {
    const before = this.total;
    const page = Math.floor(before / PAGE);
    return { before, page, found: await this.fetchPage(page * PAGE, PAGE, signal) };
  }

  #learn({ before, page, found: { items, total, complete = true, ...about } }) {
    if (total < before) this.#forget(); // another log has taken its place
    else this.#hold(page, items);
    Object.assign(this, { total, complete, about, known: true, error: null });
    if (total < before || !complete) this.refresh(); // a long log is searched in pieces
    this.ensure(...this.#inView);
    this.changed();
  }

  async #fetch(page) {
    const asking = new AbortController();
    this.#asked.set(page, asking);
    try {
      const { items } = await this.fetchPage(page * PAGE, PAGE, asking.signal);
      if (asking.signal.aborted) return;
      this.#hold(page, items);
      this.changed();
    } catch (error) {
      if (!asking.signal.aborted) this.#fail(error), this.#end.soon(AGAIN_MS); // it looks for what is missing
    } finally {
      if (this.#asked.get(page) === asking) this.#asked.delete(page);
    }
  }

  #hold(page, items) {
    if (items.length < (this.#pages.get(page)?.length ?? 1)) return; // it was asked for before the list had grown
    this.#pages.delete(page);
    this.#pages.set(page, items);
    if (this.#pages.size > MOST_PAGES) this.#pages.delete(this.#pages.keys().next().value);
  }

  #forget() {
    for (const asking of this.#asked.values()) asking.abort();
    this.#asked.clear();
    this.#pages.clear();
  }

  #fail(error) {
    this.error = error.message;
    this.changed();
  }
}
