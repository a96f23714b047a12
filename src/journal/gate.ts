import { MlogError } from '../errors.ts';

/** Lets calls through until it is closed; closing waits for those that are inside. */
export interface Gate {
  /** Runs a call. Throws `closed` once the gate is closing. */
  pass<T>(call: () => Promise<T>): Promise<T>;
  /** Throws `closed` once the gate is closing. */
  check(): void;
  close(): Promise<void>;
}

/** Makes an open gate. */
export function createGate(): Gate {
  let inside = 0;
  let closed: Promise<void> | undefined;
  let onEmpty = () => {};

  function check(): void {
    if (closed) throw new MlogError('closed', 'The journal is closed.');
  }

  return {
    check,
    async pass(call) {
      check();
      inside += 1;
      try {
        return await call();
      } finally {
        inside -= 1;
        if (inside === 0) onEmpty();
      }
    },
    close() {
      closed ??= new Promise((resolve) => {
        onEmpty = resolve;
        if (inside === 0) resolve();
      });
      return closed;
    },
  };
}
