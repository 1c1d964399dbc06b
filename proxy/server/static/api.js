// The server: questions, what is new, and long lists in pages.

const SESSIONS = "/api/v1/monitoring/sessions";

/** Asks the API; throws an Error whose message is the sentence that the server gives. */
export async function ask(path, query = {}, signal = undefined) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") words.set(name, value);
  }
  const text = words.size ? `?${words}` : "";
  let response;
  try {
    response = await fetch(path + text, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. This page goes on as soon as it does.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok || body.success === false) {
    const error = new Error(body.error ?? `The server answers ${response.status}.`);
    error.status = response.status;
    throw error;
  }
  return body.data;
}

const path = (id) => `${SESSIONS}/${encodeURIComponent(id)}`;
export const status = () => ask("/status");
export const sessions = (offset, limit) => ask(SESSIONS, { offset, limit });
export const session = (id) => ask(path(id));
export const analysis = (id) => ask(`${path(id)}/analysis`);
export const drift = (id) => ask(`${path(id)}/drift`);
export const metrics = (start_time, end_time) => ask("/api/v1/monitoring/metrics", { start_time, end_time });
export const events = (id, query) => ask("/api/v1/monitoring/events", { session_id: id, order: "asc", ...query });
export const records = (id, query, signal) => ask(`${path(id)}/records`, query, signal);
export const record = (id, seq, query) => ask(`${path(id)}/records/${seq}`, query);
export const recordPath = (id, seq) => `${path(id)}/records/${seq}`;

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

/** A list too long to be held: pages of it are fetched when they are looked at, the oldest looks forgotten. */
export class Paged {
  total = 0;
  known = false;
  complete = true;
  error = null;
  about = {};
  #pages = new Map();
  #asked = new Set();
  #refreshing = null;
  #again = false;
  #closed = false;

  /** fetchPage(offset, limit) gives {items, total, ...}; changed() is called when there is something to show. */
  constructor(fetchPage, changed) {
    this.fetchPage = fetchPage;
    this.changed = changed;
  }

  close() {
    this.#closed = true;
  }

  item(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** All that is held, in no order. */
  *held() {
    for (const page of this.#pages.values()) yield* page;
  }

  /** Fetches what is missing of a stretch. */
  ensure(first, last) {
    for (let page = Math.floor(first / PAGE); page * PAGE <= last && page * PAGE < this.total; page += 1) {
      if (!this.#pages.has(page)) this.#fetch(page);
    }
  }

  /** Learns what has been added at the end. */
  async refresh() {
    if (this.#refreshing) {
      this.#again = true;
      return;
    }
    this.#refreshing = true;
    do {
      this.#again = false;
      await this.#fetch(this.known ? Math.floor(this.total / PAGE) : 0, true);
    } while (this.#again && !this.#closed);
    this.#refreshing = false;
  }

  async #fetch(page, anew = false) {
    if (this.#asked.has(page) && !anew) return;
    this.#asked.add(page);
    try {
      const { items, total, complete = true, ...about } = await this.fetchPage(page * PAGE, PAGE);
      if (this.#closed) return;
      if (total < this.total) this.#pages.clear(); // another log has taken its place
      this.#pages.delete(page);
      if (items.length) this.#pages.set(page, items);
      Object.assign(this, { total, complete, about, known: true, error: null });
      if (this.#pages.size > MOST_PAGES) this.#pages.delete(this.#pages.keys().next().value);
    } catch (error) {
      this.error = error.message;
    } finally {
      this.#asked.delete(page);
    }
    if (!this.#closed) this.changed();
  }
}
