import type { MlogError } from '../errors.ts';
import type { Message } from '../message.ts';
import type { AppendResult } from './journal.ts';

/**
 * Hears what happens in a journal and its wrappers. A role passes one observer to all of them, so
 * that diagnostics, and later metrics, each are one object.
 */
export interface Observer {
  /** An append was answered: its messages are stored now, or were before. */
  readonly onAppend?: (results: readonly AppendResult[], messages: readonly Message[]) => void;
  /** One attempt to append failed; `attempt` counts from 1. */
  readonly onFailedAppend?: (
    error: MlogError,
    attempt: number,
    messages: readonly Message[],
  ) => void;
  /** The followed journal is away. Reported once until it is back. */
  readonly onOutage?: (error: MlogError) => void;
  /** A store can be used, but something about it is unusual. */
  readonly onWarning?: (warning: string) => void;
  /** A store acted by itself, such as by removing messages. */
  readonly onNotice?: (notice: string) => void;
  /**
   * A store stores nothing any more, as after a failed sync. Only a restart of the process can tell
   * what is on the disk.
   */
  readonly onFatal?: (error: MlogError) => void;
}
