// What is found out about a session, kept up with it.
import { useCallback, useEffect, useState } from "./ui.js";
import { analysis, drift, live } from "./api.js";

const LEAST_MS = 1500;

/** Returns [analysis, error, look]. */
export const useAnalysis = (id) => useAnswer(analysis, id);

/** Returns [drift, error, look]: of a long log in pieces, until all of it was looked through. */
export function useDrift(id) {
  const [found, error, look] = useAnswer(drift, id);
  useEffect(() => { if (found && !found.complete) look(); }, [found]);
  return [found, error, look];
}

/** Returns [answer, error, look]: asked anew when something has happened, but not all the time. */
function useAnswer(question, id) {
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const look = useCallback(() => question(id).then((one) => (setFound(one), setError(null)), (failure) => setError(failure.message)), [question, id]);
  useEffect(() => {
    let timer = 0;
    let took = 0;
    const now = async () => {
      const began = Date.now();
      await look();
      took = Date.now() - began;
      timer = 0;
    };
    const stop = live.on((events, reopened) => {
      if ((reopened || events.some((event) => event.session_id === id)) && !timer) timer = setTimeout(now, Math.max(LEAST_MS, took * 4));
    });
    now();
    return () => { stop(); clearTimeout(timer); };
  }, [look]);
  return [found, error, look];
}
