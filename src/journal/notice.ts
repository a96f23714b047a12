/** Tells whoever waits that there is something new. */
export interface Notice {
  /** How often there was something new; to be read before one looks, and given to `wait`. */
  readonly count: number;
  give(): void;
  /** Waits until there is more than was `seen`, or until the signal is aborted. */
  wait(seen: number, signal: AbortSignal): Promise<void>;
}

/** Makes a notice. Nobody who looks before waiting misses anything. */
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
