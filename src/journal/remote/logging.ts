import type { Journal } from '../journal.ts';
import type { TextStream } from '../texts.ts';

/** A logging service behind a wire, either mlog or the reference. */
export interface RemoteLogging {
  /** Its journal. Closing it closes the connections to the service. */
  readonly journal: Journal;
  /** Opens the plain list of all texts as the reference writes it on this wire. */
  readonly list: () => Promise<TextStream>;
  /** Throws the reason if the service cannot do its part. */
  readonly check: () => Promise<void>;
  /**
   * Says how a facade in front of this service replies, because the reference differs by wire. Over
   * gRPC (true) it replies to a form with the status of the message and lists the texts alone. Over
   * HTTP (false) it replies with the message and also lists the messages service.
   */
  readonly tellsStatus: boolean;
}
