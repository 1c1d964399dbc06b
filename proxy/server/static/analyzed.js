// The analysis of a session, kept up with it.
import { useCallback, useEffect, useState } from "./ui.js";
import { analysis, live } from "./api.js";

const LEAST_MS = 1500;

/** Returns [analysis, error, look]: fetched anew when something has happened, but not all the time. */
export function useAnalysis(id) {
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const look = useCallback(() => analysis(id).then((one) => (setFound(one), setError(null)), (failure) => setError(failure.message)), [id]);
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
