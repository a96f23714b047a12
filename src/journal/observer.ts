import type { MlogError } from '../errors.ts';
import type { Message } from '../message.ts';
import type { AppendResult } from './journal.ts';

/**
 * Hears what happens in a journal and in what wraps it. A role hands one to all of them, so that
 * whatever tells of a journal, such as the diagnostics, is one object.
 */
export interface Observer {
  /** An append was committed, or its messages were there before. */
  readonly onAppend?: (results: readonly AppendResult[], messages: readonly Message[]) => void;
  /** One attempt to append failed; `attempt` counts from 1. */
  readonly onFailedAppend?: (
    error: MlogError,
    attempt: number,
    messages: readonly Message[],
  ) => void;
  /** What is followed is away; told once until it is there again. */
  readonly onOutage?: (error: MlogError) => void;
  /** Something is strange about a store that can be used all the same. */
  readonly onWarning?: (warning: string) => void;
  /** A store did something by itself, such as removing messages. */
  readonly onNotice?: (notice: string) => void;
  /**
   * A store keeps nothing any more, as after a failed sync. Only a new start of the process can tell
   * what is on the disk.
   */
  readonly onFatal?: (error: MlogError) => void;
}
