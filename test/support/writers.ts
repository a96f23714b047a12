import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import * as http from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { getText } from './http.ts';

const requestTimeoutMs = 20_000;
const progressTimeoutMs = 20_000;
const pauseAfterFailureMs = 10;

/** An entry as a logging service lists it. */
export type StoredEntry = { seq: number; id: string; txt: string; at: string };

/** Reads every entry of a logging service, or of a facade, which has them at `/`. */
export const readEntries = async (
  serviceUrl: string,
  path = '/logging',
): Promise<StoredEntry[]> => {
  const url = new URL(path, serviceUrl);
  const lines = await getText(url, { accept: 'application/x-ndjson' });
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEntry);
};

/** Clients that send without a pause and continue after every failure. */
export type Writers = {
  /** The text of every id that was ever sent. */
  attempted: ReadonlyMap<string, string>;
  /** The ids that were answered 200 with their own text. */
  acknowledged: ReadonlySet<string>;
  /** Every other reply: its status and body. */
  refusals: readonly string[];
  /** Resolves when this many more messages are acknowledged. */
  progress: (more: number) => Promise<void>;
  /** Waits for the requests in flight and closes the connections. */
  stop: () => Promise<void>;
};

/**
 * Starts clients of a facade, each with one request at a time on a kept connection. After a
 * failure, a client sends the same message again, or, every other time, gives it up.
 */
export const startWriters = (facadeUrl: string, count: number): Writers => {
  const attempted = new Map<string, string>();
  const acknowledged = new Set<string>();
  const refusals: string[] = [];
  const news = new EventEmitter().setMaxListeners(0);
  const agent = new http.Agent({ keepAlive: true, maxSockets: count });
  const run = randomUUID();
  let isStopped = false;

  const sendOne = async (id: string, txt: string): Promise<boolean> => {
    attempted.set(id, txt);
    try {
      const { status, body } = await postJson(facadeUrl, agent, { id, txt });
      if (status === 200 && body === `${JSON.stringify({ id, txt })}\n`) {
        acknowledged.add(id);
        news.emit('acknowledged');
        return true;
      }
      refusals.push(`${status} ${body}`);
    } catch {
      // The connection was refused or broke, so the outcome is unknown.
    }
    return false;
  };

  const write = async (writer: number): Promise<void> => {
    for (let n = 1; !isStopped; n += 1) {
      const id = `${run}-${writer}-${n}`;
      const txt = `${'x'.repeat((n * 37) % 300)} of ${id}\r\n🙂`;
      while (!(await sendOne(id, txt)) && !isStopped) {
        await sleep(pauseAfterFailureMs);
        if (n % 2 === 0) break;
      }
    }
  };

  const writing = Promise.all(Array.from({ length: count }, (_, writer) => write(writer)));
  return {
    attempted,
    acknowledged,
    refusals,
    progress: async (more) => {
      const goal = acknowledged.size + more;
      const signal = AbortSignal.timeout(progressTimeoutMs);
      while (acknowledged.size < goal) await once(news, 'acknowledged', { signal });
    },
    stop: async () => {
      isStopped = true;
      await writing;
      agent.destroy();
    },
  };
};

/** Describes what is wrong with the stored entries, given what the writers did. */
export const findFaults = (
  entries: readonly StoredEntry[],
  { attempted, acknowledged }: Pick<Writers, 'attempted' | 'acknowledged'>,
): string[] => {
  const faults: string[] = [];
  const stored = new Set<string>();
  for (const [index, { seq, id, txt }] of entries.entries()) {
    if (seq !== index + 1) faults.push(`seq ${seq} at place ${index + 1}`);
    if (stored.has(id)) faults.push(`${id} doubled`);
    if (!attempted.has(id)) faults.push(`${id} never sent`);
    else if (attempted.get(id) !== txt) faults.push(`${id} altered: ${JSON.stringify(txt)}`);
    stored.add(id);
  }
  for (const id of acknowledged) if (!stored.has(id)) faults.push(`${id} lost`);
  return faults;
};

const postJson = async (
  url: string,
  agent: http.Agent,
  message: { id: string; txt: string },
): Promise<{ status: number; body: string }> => {
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const headers = { 'content-type': 'application/json' };
  const sent = http.request(url, { method: 'POST', headers, agent, signal });
  const received = new Promise<http.IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve).on('error', reject);
  });
  sent.end(JSON.stringify(message));
  const response = await received;
  return { status: response.statusCode ?? 0, body: await text(response) };
};
