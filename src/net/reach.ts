/** How a service is reached: every client that connects out takes it, over either wire. */
export interface Reach {
  /** From a request to its whole reply, or between two pieces of a reply that flows. */
  readonly timeoutMs: number;
}

/**
 * The longest heartbeat that can be set: a stream without news sends a sign of life at least as
 * often, so that its reader can tell a silent connection from a dead one.
 */
export const heartbeatMaxMs = 15_000;
