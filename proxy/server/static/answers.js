// What the server says, kept up with what happens.
import { html, useCallback, useEffect, useRef, useState } from "./ui.js";
import { exact } from "./format.js";
import { Question, analysis, approvals, drift, isFinal, live } from "./api.js";

const LEAST_MS = 1500;

/**
 * Returns [answer, error, again] to a question, `ask(signal)`, that does not change from one drawing to the next.
 *
 * It is asked anew when an event has happened that it `hears`, after `wait(took)` milliseconds (`took`: for the answer
 * before), and every `beat`; without these, once. The answer to a former question, or `first`, stays until there is another.
 */
export function useAnswer(ask, { hears, wait, beat, first = null } = {}) {
  const [[answer, error], set] = useState([first, null]);
  const question = useRef(null);
  useEffect(() => {
    let took = 0;
    const timed = async (signal) => {
      const began = performance.now();
      try {
        return await ask(signal);
      } finally {
        took = performance.now() - began;
      }
    };
    let isHopeless = false;
    const failed = (failure) => {
      isHopeless = isFinal(failure);
      set(([found]) => [found, failure]);
    };
    const asking = new Question(timed, (found) => set([found, null]), failed);
    question.current = asking;
    set((held) => (held[1] ? [held[0], null] : held));
    asking.soon();
    const stop = live.on((events, reopened) => {
      if (hears && (reopened || events.some(hears))) asking.soon(wait(took));
    });
    const timer = beat && setInterval(() => isHopeless || asking.soon(), beat); // should it come to be after all, it is heard of
    return () => { stop(); clearInterval(timer); asking.stop(); };
  }, [ask]);
  return [answer, error, useCallback(() => question.current.soon(), [])];
}

/** Asks about a session, not all the time. */
const useLooked = (look, id) => useAnswer(useCallback((signal) => look(id, signal), [id]), { hears: (event) => event.session_id === id, wait: (took) => Math.max(LEAST_MS, took * 4) });

/** Returns [analysis, error, again]: of a long session in pieces, until all of it was looked at. */
export function useAnalysis({ session_id: id, state }) {
  const [found, error, again] = useLooked(analysis, id);
  useEffect(() => { if (found) again(); }, [state]); // a crash is no event
  const before = useRef(-1);
  useEffect(() => {
    const goesOn = found && !found.complete && found.events !== before.current; // else the index holds no more of it
    before.current = found?.events ?? -1;
    if (goesOn) again();
  }, [found]);
  return [found, error, again];
}

/** Returns [approvals, error, again]: how many calls were decided by whom, and how. */
export const useApprovals = (id) => useLooked(approvals, id);

/** Returns [drift, error, again]: of a long log in pieces, until all of it was looked through. */
export function useDrift(id) {
  const [found, error, again] = useLooked(drift, id);
  useEffect(() => { if (found && !found.complete) again(); }, [found]);
  return [found, error, again];
}

/** How far an analysis of a long session is, while it is of a part of it. */
export const Partial = ({ found, session }) => !found.complete && found.events < session.events && html`<div class="progress" role="status"><progress value=${found.events} max=${session.events} aria-label="Analysed"></progress><span class="faint num">${exact(found.events)} of ${exact(session.events)} events; figures are of these.</span></div>`;
