/** Wakes waiting readers when something is new. */
export interface Notice {
  /** Counts the news so far. Read it before looking for news, and pass it to `wait`. */
  readonly count: number;
  give(): void;
  /** Waits until the count exceeds `seen`, or until the signal is aborted. */
  wait(seen: number, signal: AbortSignal): Promise<void>;
}

/** Returns a notice. A reader that takes the count before it looks misses nothing. */
export function createNotice(): Notice {
  let count = 0;
  const waiting = new Set<() => void>();
  return {
    get count() {
      return count;
    },
    give() {
      count += 1;
      for (const wake of waiting) wake();
    },
    wait(seen, signal) {
      if (count > seen || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        function wake(): void {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        }
        waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    },
  };
}
