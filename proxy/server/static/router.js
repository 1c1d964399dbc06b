// Places of the page: /#/session/ID/TAB?seq=7&verdict=invalid, so that every view and record has an address.

/** Returns {view, session, tab, query} of the address; `view` is home, fleet or session. */
export function place() {
  const [path, said = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [what, id, tab = "conversation"] = path.split("/").map(safely);
  const query = Object.fromEntries(new URLSearchParams(said));
  if (what === "session" && id) return { view: "session", session: id, tab, query };
  return { view: what === "fleet" ? "fleet" : "home", session: null, tab: null, query };
}

function safely(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function words(query) {
  const found = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  return found.size ? `?${found}` : "";
}

/** The address of all sessions, of those that the words choose. */
export const home = (query = {}) => `#/${words(query)}`;

/** The address of a place. */
export function href({ view, session, tab = "conversation", ...query }) {
  if (view === "fleet") return `#/fleet${words(query)}`;
  if (!session) return home(query);
  return `#/session/${encodeURIComponent(session)}/${tab}${words(query)}`;
}

/** Goes to a place; with `replace`, without a step to go back. */
export function go(to, replace = false) {
  if (replace) {
    history.replaceState(null, "", href(to));
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = href(to);
}
