import type { ServerDuplexStream } from '@grpc/grpc-js';
import { stoppingError, writeMessage, type Answer, type StreamLimits } from './call.ts';
import { noteTaken } from './open-calls.ts';

/** The messages of one call in flight. Nothing more is read until one of them is answered. */
const underWayMax = 16;

/**
 * Answers each message of a stream with one of its own, as soon as it is ready, and ends the stream
 * when the client has ended it or the server stops. Rejects with what to tell the client, once
 * everything that began is answered.
 */
export function answerEach(
  call: ServerDuplexStream<Buffer, Buffer>,
  answer: Answer,
  stopping: AbortSignal,
  limits: StreamLimits,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = new AbortController();
    const ask = async (request: Buffer) => answer(request);
    let underWay = 0;
    let isEnding = false;
    let failure: unknown;

    // While a client is slow to read, its requests are not kept beside the replies.
    async function reply(answering: Promise<Buffer>): Promise<void> {
      try {
        await writeMessage(call, await answering, gone.signal, limits);
      } catch (error) {
        end(error);
      }
      underWay -= 1;
      if (!isEnding) call.resume();
      else if (underWay === 0) finish();
    }

    function end(error?: unknown): void {
      failure ??= error;
      if (isEnding) return;
      isEnding = true;
      call.pause();
      if (underWay === 0) finish();
    }

    function finish(): void {
      stopping.removeEventListener('abort', stop);
      if (failure !== undefined) return reject(failure);
      call.end();
      resolve();
    }

    function stop(): void {
      end(stoppingError);
    }

    call.on('data', (request: Buffer) => {
      if (isEnding) return;
      noteTaken(call as { call?: unknown });
      underWay += 1;
      if (underWay === underWayMax) call.pause();
      void reply(ask(request));
    });
    call.once('end', () => end());
    call.once('cancelled', () => {
      gone.abort();
      end();
    });
    stopping.addEventListener('abort', stop);
    if (stopping.aborted) stop();
  });
}
