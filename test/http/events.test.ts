import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { encodeEvents, readEvents } from '../../src/http/events.ts';
import type { Entry } from '../../src/message.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { entriesFrom } from '../contract/follow-contract.ts';
import { message } from '../contract/journal-contract.ts';

const lineMaxLength = 1_000_000;
const running = { heartbeatMs: 10_000, stopping: new AbortController().signal };
const stopped = { ...running, stopping: AbortSignal.abort() };

/** Any text, including what might begin or end a line of an event. */
const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc
    .array(fc.constantFrom('\n', '\r', '\r\n', '\u2028', '\uFEFF', '\0', 'id: 9', 'data: ', ':'))
    .map((parts) => `x${parts.join('')}`),
);
const entries = fc
  .array(fc.tuple(text, text), { minLength: 1, maxLength: 20 })
  .map((texts) => texts.map(([id, txt], index) => toEntry(index + 1, id, txt)));

function toEntry(seq: number, id: string, txt: string): Entry {
  return { seq, id, txt, at: '2026-01-01T00:00:00.000Z' };
}

describe('entries as server-sent events', () => {
  it('are read as they were, whatever their texts and wherever the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        entries,
        fc.array(fc.integer({ min: 1, max: 40 })),
        fc.nat(20),
        async (written, cuts, middle) => {
          const pages = [written.slice(0, middle), written.slice(middle)].filter(
            ({ length }) => length > 0,
          );
          const encoded = await join(encodeEvents(each(pages), stopped));
          const read = await collect(readEvents(cutAt(encoded, cuts), lineMaxLength));
          expect(read.flat().map((data) => JSON.parse(data) as unknown)).toEqual(written);
        },
      ),
    );
  });

  it('are read the same one character at a time', async () => {
    const written = [toEntry(1, '😀', 'data: \r\n\r\nid: 7\n\n'), toEntry(2, ':', '\u2028\uFEFF')];
    const encoded = await join(encodeEvents(each([written]), running));
    const read = await collect(readEvents(each(encoded.split('')), lineMaxLength));
    expect(read.flat()).toEqual(written.map((entry) => JSON.stringify(entry)));
  });

  it('have the seq as the id and one line of JSON as the data', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (written) => {
        const encoded = await join(encodeEvents(each([written]), running));
        const [retry, ...events] = encoded.split('\n\n').slice(0, -1);
        expect(retry).toMatch(/^retry: \d+$/);
        expect(events).toEqual(
          written.map((entry) => `id: ${entry.seq}\ndata: ${JSON.stringify(entry)}`),
        );
        expect(encoded).not.toContain('\r');
      }),
    );
  });

  it('come in small pieces', async () => {
    const pieces = await collect(encodeEvents(each([entriesFrom(1, 950)]), running));
    expect(pieces.map((piece) => piece.split('data: ').length - 1)).toEqual([
      0, 200, 200, 200, 200, 150,
    ]);
    const large = entriesFrom(1, 5).map((entry) => ({ ...entry, txt: 'x'.repeat(40_000) }));
    const alone = await collect(encodeEvents(each([large]), running));
    expect(alone.map((piece) => piece.split('data: ').length - 1)).toEqual([0, 1, 1, 1, 1, 1]);
  });

  it('wait for the next one with comments, which have no id, and then it comes', async () => {
    const journal = openMemoryJournal();
    const stopping = new AbortController();
    const followed = journal.follow({ after: 0, signal: stopping.signal });
    const options = { heartbeatMs: 1, stopping: stopping.signal };
    const pieces = encodeEvents(followed, options)[Symbol.asyncIterator]();
    const seen: string[] = [];
    const take = async () => seen.push(String((await pieces.next()).value));
    for (let count = 0; count < 4; count += 1) await take();
    await journal.append([message('a')]);
    while (!seen.at(-1)!.startsWith('id:')) await take();
    await take();
    expect(seen[0]).toMatch(/^retry: \d+\n\n$/);
    const [first, ...others] = seen.filter((piece) => piece.startsWith('id:'));
    expect(others).toEqual([]);
    expect(first).toMatch(/^id: 1\ndata: .*\n\n$/);
    const comments = seen.slice(1).filter((piece) => piece !== first);
    expect(comments.length).toBeGreaterThanOrEqual(4);
    for (const comment of comments) expect(comment).toMatch(/^: [^\n]*\n\n$/);
    expect(await collect(readEvents(each(seen), lineMaxLength))).toHaveLength(1);
    stopping.abort();
    await collect({ [Symbol.asyncIterator]: () => pieces });
  });

  it('wait for the next one by one handler, however many comments they write meanwhile', async () => {
    const page = new Promise<IteratorResult<Entry[]>>(() => {});
    const handlers = vi.spyOn(page, 'then');
    const pages = { [Symbol.asyncIterator]: () => ({ next: () => page }) };
    const pieces = encodeEvents(pages, { ...running, heartbeatMs: 1 })[Symbol.asyncIterator]();
    for (let count = 0; count < 20; count += 1) await pieces.next();
    await pieces.return(undefined);
    expect(handlers).toHaveBeenCalledTimes(1);
  });

  it('say at a stop that it is one, in an event without an id', async () => {
    const stopping = new AbortController();
    const journal = openMemoryJournal();
    await journal.append([message('a')]);
    const followed = journal.follow({ after: 0, signal: stopping.signal });
    const pieces: string[] = [];
    const options = { heartbeatMs: 10_000, stopping: stopping.signal };
    for await (const piece of encodeEvents(followed, options)) {
      pieces.push(piece);
      if (piece.startsWith('id: 1')) stopping.abort();
    }
    expect(pieces.at(-1)).toBe('event: stop\ndata: {}\n\n');
    expect(await collect(readEvents(each(pieces), lineMaxLength))).toHaveLength(1);
  });

  it('end without a word where it is the reader that has gone', async () => {
    const encoded = await join(encodeEvents(each([entriesFrom(1, 2)]), running));
    expect(encoded).not.toContain('event:');
  });

  it('break off where the journal does, having let go of it', async () => {
    let isFreed = false;
    async function* failing() {
      try {
        yield entriesFrom(1, 2);
        throw new Error('The journal failed.');
      } finally {
        isFreed = true;
      }
    }
    const pieces: string[] = [];
    await expect(
      (async () => {
        for await (const piece of encodeEvents(failing(), stopped)) pieces.push(piece);
      })(),
    ).rejects.toThrow('The journal failed.');
    expect(pieces.join('')).not.toContain('stop');
    expect(isFreed).toBe(true);
    isFreed = false;
    for await (const piece of encodeEvents(failing(), running)) {
      if (piece.startsWith('id:')) break;
    }
    expect(isFreed).toBe(true);
  });
});

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

async function* cutAt(whole: string, sizes: readonly number[]): AsyncGenerator<string> {
  let from = 0;
  for (const size of sizes) {
    yield whole.slice(from, from + size);
    from += size;
  }
  yield whole.slice(from);
}

async function join(pieces: AsyncIterable<string>): Promise<string> {
  return (await collect(pieces)).join('');
}

async function collect<T>(pieces: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}
