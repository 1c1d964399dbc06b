// The page: what is shown follows the address; what is new comes over one connection.
import { html, render, Copy, useEffect, useKeys, useLayoutEffect, useRedraw, useState, Failure } from "./ui.js";
import { live, server } from "./api.js";
import { go, href, place } from "./router.js";
import { Fleet, useHosts } from "./fleet.js";
import { Home } from "./home.js";
import { Session } from "./session.js";

const THEMES = ["auto", "light", "dark"];
const KEYS = [
  ["j  k", "next, previous"], ["Enter", "open"], ["/", "find, filter"], ["s", "search all sessions"], ["g  G", "beginning, end"], ["1 – 4", "conversation, timeline, records, analysis"],
  ["r", "record of the chosen entry"], ["e", "expand or fold all"], ["o", "outline"], ["+  −  0", "timeline: nearer, farther, all"], ["←  →", "timeline: earlier, later"], ["Esc", "close"], ["u", "all sessions"], ["t", "light or dark"], ["?", "these keys"],
];

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function useTheme() {
  const [theme, setTheme] = useState(THEMES.includes(stored("theme")) ? stored("theme") : "auto");
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // it lasts as long as the page
    }
    dispatchEvent(new Event("themechange"));
  }, [theme]);
  return [theme, () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length])];
}

function Help({ close }) {
  return html`<dialog class="help" ref=${(element) => element && !element.open && element.showModal()} onClose=${close} onClick=${(event) => event.target.tagName === "DIALOG" && close()}>
    <h2>Keys</h2><dl>${KEYS.map(([key, text]) => html`<dt>${key.split("  ").map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${text}</dd>`)}</dl>
    <form method="dialog"><button autofocus>Close</button></form></dialog>`;
}

/** What starts the server again, as long as it has said so: where it is gone there is nobody to ask. */
function useServeCommand() {
  const [command, setCommand] = useState("claude-proxy serve");
  useEffect(() => {
    if (live.state === "open") server().then((found) => setCommand(found.serve_command), () => {});
  }, [live.state === "open"]);
  return command;
}

function App() {
  const redraw = useRedraw();
  const serveCommand = useServeCommand();
  const [theme, nextTheme] = useTheme();
  const [help, setHelp] = useState(false);
  const [crash, setCrash] = useState(null);
  useLayoutEffect(() => {
    const moved = () => { setCrash(null); redraw(); };
    const failed = (event) => /^ResizeObserver loop/.test(event.message ?? "") || setCrash(String(event.reason?.message ?? event.reason ?? event.message));
    const heard = { hashchange: moved, error: failed, unhandledrejection: failed }; // what fails while drawing is a rejection
    for (const [name, hear] of Object.entries(heard)) addEventListener(name, hear);
    const stop = live.on((events, reopened) => (reopened || !events.length) && redraw());
    live.start();
    return () => { for (const [name, hear] of Object.entries(heard)) removeEventListener(name, hear); stop(); };
  }, []);
  const hosts = useHosts();
  const at = place();
  useKeys((key) => {
    if (key === "?") return setHelp(true), true;
    if (key === "t") return nextTheme(), true;
    if (key === "u" && at.view !== "home") return go({}), true;
    return false;
  });
  return html`
    <header class="top"><a class="brand" href="#/"><img src="/static/icon.svg" alt="" width="20" height="20" />claude-proxy</a>
      ${hosts.length > 0 && html`<nav aria-label="Views"><a class="quiet" href="#/" aria-current=${at.view === "home" ? "page" : undefined}>Sessions</a><a class="quiet" href="#/fleet" aria-current=${at.view === "fleet" ? "page" : undefined}>Fleet</a></nav>`}
      <span class="grow"></span>
      <span class=${`link link-${live.state}`} role="status">${live.state === "open" ? "live" : live.state === "lost" ? "reconnecting…" : "connecting…"}</span>
      <button class="quiet" onClick=${nextTheme} title="Light or dark (t)" aria-label=${`Colours: ${theme}`}>${{ auto: "◐", light: "☀", dark: "☾" }[theme]}</button>
      <button class="quiet" onClick=${() => setHelp(true)} title="Keys (?)" aria-label="Keys">?</button>
      <a class="quiet" href="/docs">API</a></header>
    ${live.state === "lost" && html`<div class="lost" role="alert">The server does not answer: <code>${serveCommand}</code> starts it again <${Copy} text=${serveCommand} what="the command" />. What is shown may be old; this page goes on as soon as it is back.</div>`}
    ${crash && html`<${Failure} error=${`A fault of this page: ${crash}`} retry=${() => location.reload()} />`}
    ${at.session ? html`<${Session} key=${at.session} id=${at.session} tab=${at.tab} query=${at.query} />` : at.view === "fleet" ? html`<${Fleet} hosts=${hosts} query=${at.query} />` : html`<${Home} query=${at.query} hosts=${hosts} />`}
    ${help && html`<${Help} close=${() => setHelp(false)} />`}`;
}

render(html`<${App} />`, document.getElementById("app"));
