// Code in colours. What a library tells apart becomes nodes, never HTML; languages are fetched when they first come.
import { html } from "./ui.js";
import { tokenizer } from "./vendor/highlight/tokenize.js";

const LONGEST = 20000; // beyond, a page of spans would be slow to draw
const LANGUAGES = new Set("asm bash c css diff docker go html http ini java js jsdoc json log lua make md perl pl py regex rs sql todo toml ts uri xml yaml".split(" "));
const NAMES = { python: "py", javascript: "js", jsx: "js", mjs: "js", typescript: "ts", tsx: "ts", rust: "rs", shell: "bash", sh: "bash", zsh: "bash", console: "bash", perl: "pl", markdown: "md", yml: "yaml", cpp: "c", "c++": "c", dockerfile: "docker", makefile: "make", svg: "xml", patch: "diff", jsonl: "json" };
const known = new Map();
const drawn = new Set();

/** Hears when a language has come, so that what was drawn without can be drawn anew; returns how to stop. */
export function onLanguage(redraw) {
  drawn.add(redraw);
  return () => drawn.delete(redraw);
}

function definition(name) {
  if (!known.has(name)) {
    known.set(name, null);
    if (LANGUAGES.has(name)) {
      import(`./vendor/highlight/languages/${name}.js`).then((module) => {
        known.set(name, module.default);
        for (const redraw of drawn) redraw();
      }, () => known.delete(name));
    }
  }
  return known.get(name);
}

/** Nodes of some code: in colours, or as it is while its language is not there or is none that is known. */
export function highlighted(code, language) {
  const name = NAMES[language] ?? language;
  if (!name || code.length > LONGEST || !LANGUAGES.has(name)) return code;
  const nodes = [];
  const tokens = tokenizer(code, name, (text, type) => text && nodes.push(type ? html`<span class=${`hl-${type}`}>${text}</span>` : text));
  for (let step = tokens.next(); !step.done; ) {
    const found = definition(step.value);
    if (!found) return code;
    step = tokens.next(found);
  }
  return nodes;
}
