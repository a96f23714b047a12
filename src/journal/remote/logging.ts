import type { Journal } from '../journal.ts';
import type { TextStream } from '../texts.ts';

/** A logging service, seen over a wire: one of mlog or the reference. */
export interface RemoteLogging {
  /** Its journal; closing it closes the connections to the service. */
  readonly journal: Journal;
  /** Opens the plain list of all texts, as the reference gives it on this wire. */
  readonly list: () => Promise<TextStream>;
  /** Throws why the service cannot do its part. */
  readonly check: () => Promise<void>;
  /**
   * Says how a facade in front of it answers, for the reference differs by wire. Over gRPC it answers
   * a form by the status of the message and lists the texts alone; over HTTP it answers by the
   * message and lists those of the messages service, too.
   */
  readonly tellsStatus: boolean;
}
