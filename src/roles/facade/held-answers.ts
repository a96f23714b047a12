import { createNotice } from '../../journal/notice.ts';

/**
 * So much of its answers waits for a client that sends all of its lines before it reads: about
 * 100,000 answers, beside what the system keeps for the connection.
 */
export const heldMaxBytes = 8 * 1024 * 1024;

/** So much waits for all such clients together; beyond it, each is read only as fast as it reads. */
const allHeldMaxBytes = 64 * 1024 * 1024;
let allHeldBytes = 0;

/** How long the answers may wait, and what comes in their place. */
export interface HoldOptions {
  /** A client that reads nothing for so long, while all room is taken, will not read before its end. */
  readonly patienceMs: number;
  /** The last answer to such a client: no line behind it was taken. */
  readonly lastAnswer: () => string;
}

const never = new AbortController().signal;

/**
 * Gives answers at the pace of their reader while more are made, so that a client that writes all
 * before it reads does not wait for a service that waits for it. Where all room is taken and nothing
 * is read, no more lines are taken and the client is told: the rest of its body is dropped, so that
 * it gets to read.
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
  // Told when all that was made before is taken.
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
