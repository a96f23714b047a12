import { MlogError } from '../errors.ts';

/** Counts the calls inside. Closing it refuses new calls and waits for those inside. */
export interface Gate {
  /** Counts a call in. Throws `closed` once the gate is closing. */
  enter(): void;
  /** Counts calls out, one by default. */
  leave(count?: number): void;
  /** Runs a call inside the gate. Throws `closed` once the gate is closing. */
  pass<T>(call: () => Promise<T>): Promise<T>;
  /** Throws `closed` once the gate is closing. */
  check(): void;
  close(): Promise<void>;
}

/** Returns an open gate. */
export function createGate(): Gate {
  let inside = 0;
  let closed: Promise<void> | undefined;
  let onEmpty = () => {};

  function check(): void {
    if (closed) throw new MlogError('closed', 'The journal is closed.');
  }

  function enter(): void {
    check();
    inside += 1;
  }

  function leave(count = 1): void {
    inside -= count;
    if (inside === 0) onEmpty();
  }

  return {
    enter,
    leave,
    check,
    async pass(call) {
      enter();
      try {
        return await call();
      } finally {
        leave();
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
