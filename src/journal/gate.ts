import { MlogError } from '../errors.ts';

/** Lets calls through until it is closed; closing waits for those that are inside. */
export interface Gate {
  /** Notes that a call is inside. Throws `closed` once the gate is closing. */
  enter(): void;
  /** Notes that so many calls have come out. */
  leave(count?: number): void;
  /** Runs a call inside. Throws `closed` once the gate is closing. */
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
