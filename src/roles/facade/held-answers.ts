import { createNotice } from '../../journal/notice.ts';

/**
 * How many answers wait for a client that sends all its lines before it reads: about 100,000,
 * besides what the system buffers for the connection.
 */
export const heldMaxBytes = 8 * 1024 * 1024;

/**
 * How much waits for all such clients together. Beyond it, each is answered only as fast as it
 * reads.
 */
const allHeldMaxBytes = 64 * 1024 * 1024;
let allHeldBytes = 0;

/** How long answers may wait, and what replaces them. */
export interface HoldOptions {
  /**
   * A client that reads nothing for this long, while there is no room, will not read before it has
   * sent everything.
   */
  readonly patienceMs: number;
  /** The last answer to such a client: no line from here on was taken. */
  readonly lastAnswer: () => string;
}

const never = new AbortController().signal;

/**
 * Yields answers at the pace of their reader while more are made, so that a client that writes
 * everything before it reads does not deadlock with the service. If there is no room and nothing is
 * read, no further lines are taken, the client is told, and the rest of its body is dropped so that
 * it starts to read.
 */
export async function* holdAnswers(
  answers: AsyncGenerator<string>,
  { patienceMs, lastAnswer }: HoldOptions,
): AsyncGenerator<string> {
  const made = createNotice();
  const taken = createNotice();
  const held: string[] = [];
  let heldBytes = 0;
  let isEnded = false;
  let isLeft = false;

  function count(bytes: number): void {
    heldBytes += bytes;
    allHeldBytes += bytes;
  }
  function hold(answer: string): void {
    held.push(answer);
    count(answer.length);
    made.give();
  }

  /** Says whether there is room for more, now or before the patience ends. */
  async function hasRoom(): Promise<boolean> {
    for (;;) {
      const isFull = heldBytes > heldMaxBytes || allHeldBytes > allHeldMaxBytes;
      if (isLeft || !isFull || held.length === 0) return true;
      const seen = taken.count;
      await taken.wait(seen, AbortSignal.timeout(patienceMs));
      if (taken.count === seen) return false;
    }
  }

  async function make(): Promise<void> {
    try {
      for await (const answer of answers) {
        if (isLeft) return;
        hold(answer);
        if (await hasRoom()) continue;
        return hold(lastAnswer());
      }
    } finally {
      isEnded = true;
      made.give();
    }
  }

  const making = make();
  // Reported after everything made before it was taken.
  making.catch(() => {});
  try {
    for (;;) {
      const seen = made.count;
      const answer = held.shift();
      if (answer !== undefined) {
        count(-answer.length);
        taken.give();
        yield answer;
      } else if (isEnded) break;
      else await made.wait(seen, never);
    }
    await making;
  } finally {
    isLeft = true;
    count(-heldBytes);
    taken.give();
  }
}
