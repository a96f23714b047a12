const everyMs = 10;

/** Watches how late timers come, which tells how busy the machine is with something else. */
export type Lateness = {
  /** By how many milliseconds the latest timer was late so far. */
  maxMs: () => number;
  stop: () => void;
};

/** Starts to watch; whoever measures times allows for as much. */
export const watchLateness = (): Lateness => {
  let maxMs = 0;
  let dueAt = performance.now() + everyMs;
  const watching = setInterval(() => {
    const now = performance.now();
    maxMs = Math.max(maxMs, now - dueAt);
    dueAt = now + everyMs;
  }, everyMs);
  return { maxMs: () => maxMs, stop: () => clearInterval(watching) };
};
