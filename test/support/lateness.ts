const everyMs = 10;

/** Measures how late timers fire, which shows how busy the machine is. */
export type Lateness = {
  /** Returns by how many milliseconds the latest timer was late so far. */
  maxMs: () => number;
  stop: () => void;
};

/** Starts measuring. A test that measures times allows for as much. */
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
