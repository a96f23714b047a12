import { EventEmitter, once } from 'node:events';
import * as http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredEntry } from './writers.ts';

const waitTimeoutMs = 20_000;
const reconnectMs = 20;

/** The lines between two blank lines of a stream: its fields, or a comment. */
export type Block = Partial<Record<'id' | 'event' | 'data' | 'retry' | 'comment', string>>;

/** A connection with server-sent events, everything that arrived on it, and a way to wait. */
export type EventStream = {
  status: number;
  headers: http.IncomingHttpHeaders;
  blocks: readonly Block[];
  /** Returns the seqs of the events with an id. */
  seqs: () => number[];
  /** Calls `look` now and after each block, until it returns something. */
  waitFor: <T>(look: () => T | undefined, timeoutMs?: number) => Promise<T>;
  /** Resolves at the end: true if the server ended the body, false if it was cut. */
  ended: Promise<boolean>;
  /** Disconnects without a word. */
  close: () => void;
};

/** Requests events on a connection of its own. Resolves with the head of the reply. */
export const openEvents = async (
  url: string | URL,
  headers: http.OutgoingHttpHeaders = {},
): Promise<EventStream> => {
  const accept = { accept: 'text/event-stream' };
  const sent = http.request(url, { headers: { ...accept, ...headers }, agent: false });
  const [response] = await new Promise<[http.IncomingMessage]>((resolve, reject) => {
    sent.on('error', reject).on('response', (reply) => resolve([reply]));
    sent.end();
  });
  const news = new EventEmitter().setMaxListeners(0);
  const blocks: Block[] = [];
  let rest = '';
  response.setEncoding('utf8').on('data', (piece: string) => {
    const texts = (rest + piece).split('\n\n');
    rest = texts.pop()!;
    blocks.push(...texts.map(parseBlock));
    news.emit('news');
  });
  let hasEnded = false;
  const ended = new Promise<boolean>((resolve) => {
    response
      .on('error', () => {})
      .once('close', () => {
        hasEnded = true;
        news.emit('news');
        resolve(response.complete);
      });
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    blocks,
    seqs: () => blocks.filter(({ id }) => id !== undefined).map(({ id }) => Number(id)),
    waitFor: async (look, timeoutMs = waitTimeoutMs) => {
      const signal = AbortSignal.timeout(timeoutMs);
      for (;;) {
        const found = look();
        if (found !== undefined) return found;
        if (hasEnded) throw new Error('the stream ended before what was waited for');
        await once(news, 'news', { signal });
      }
    },
    ended,
    close: () => void sent.destroy(),
  };
};

const parseBlock = (text: string): Block => {
  const block: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z]*): ?(.*)$/s.exec(line) ?? [];
    if (name === undefined) throw new Error(`no line of an event: ${JSON.stringify(line)}`);
    block[name || 'comment'] = value!;
  }
  return block;
};

/** How a follower sends its position. */
export type Position = 'Last-Event-ID' | 'after';

/** A client of events that resumes from its last position, however often it is cut off. */
export type Follower = {
  /** Everything it ever received, in the order of arrival. */
  entries: readonly StoredEntry[];
  /** Everything it received that is no entry and no comment, or that was wrong. */
  oddities: readonly string[];
  /** Returns how often it was answered 200. */
  connections: () => number;
  /** Resolves once it has an entry with this seq or a later one. */
  reach: (seq: number) => Promise<void>;
  /** Disconnects without a word, and resumes from its position. */
  leave: () => void;
  close: () => Promise<void>;
};

/** Starts a follower from the beginning of a journal. */
export const startFollower = (url: string | URL, by: Position): Follower => {
  const entries: StoredEntry[] = [];
  const oddities: string[] = [];
  const news = new EventEmitter().setMaxListeners(0);
  let connections = 0;
  let isClosed = false;
  let stream: EventStream | undefined;

  const take = ({ id, event, data, retry, comment }: Block): void => {
    if (retry !== undefined || comment !== undefined) return;
    if (event !== undefined)
      oddities.push(`event ${event}${id === undefined ? '' : ` with ${id}`}`);
    if (id === undefined) return;
    const entry = JSON.parse(data ?? 'null') as StoredEntry;
    if (String(entry.seq) !== id) oddities.push(`id ${id} of entry ${entry.seq}`);
    entries.push(entry);
  };

  const followOnce = async (): Promise<void> => {
    const after = entries.at(-1)?.seq ?? 0;
    const target = new URL(url);
    if (by === 'after') target.searchParams.set('after', String(after));
    stream = await openEvents(target, by === 'after' ? {} : { 'last-event-id': String(after) });
    if (isClosed) stream.close();
    if (stream.status === 200) connections += 1;
    // A request that is delayed for this long arrives too late, and is repeated.
    else if (stream.status < 500 && stream.status !== 408) oddities.push(`status ${stream.status}`);
    let taken = 0;
    const takeNew = (): undefined => {
      for (; taken < stream!.blocks.length; taken += 1) take(stream!.blocks[taken]!);
      news.emit('news');
    };
    // It looks at each piece and waits for nothing, so only the end of the stream ends it.
    if (stream.status === 200) await stream.waitFor(takeNew, 2 ** 31 - 1).catch(() => {});
    await stream.ended;
  };

  const following = (async () => {
    while (!isClosed) {
      await followOnce().catch(() => {}); // Nobody listens just now.
      await sleep(reconnectMs);
    }
  })();

  return {
    entries,
    oddities,
    connections: () => connections,
    reach: async (seq) => {
      const signal = AbortSignal.timeout(waitTimeoutMs);
      while (!((entries.at(-1)?.seq ?? 0) >= seq)) {
        await once(news, 'news', { signal }).catch(() => {
          throw new Error(
            `a follower of ${String(url)} stands at ${entries.at(-1)?.seq}, not ${seq}`,
          );
        });
      }
    },
    leave: () => stream?.close(),
    close: async () => {
      isClosed = true;
      stream?.close();
      await following;
    },
  };
};
