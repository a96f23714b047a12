import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Journal, ReadRange } from '../../src/journal/journal.ts';
import type { Entry, Message } from '../../src/message.ts';

/** A journal under test. */
export interface Subject {
  readonly journal: Journal;
  /** Ends what surrounds the journal, after the journal itself was closed. */
  readonly end?: () => Promise<void>;
}

/** A journal whose entries outlive it. */
export interface LastingSubject extends Subject {
  /** Closes the journal and opens it again over what it stored. */
  readonly reopen: () => Promise<Journal>;
}

/** States every promise of a journal, once, for one implementation or wrapper. */
export function describeJournal(name: string, open: () => Promise<Subject>): void {
  describe(`a journal: ${name}`, () => {
    let subject: Subject;
    let journal: Journal;

    beforeEach(async () => {
      subject = await open();
      journal = subject.journal;
    });

    afterEach(async () => {
      await journal.close().catch(() => {});
      await subject.end?.();
    });

    it('is empty at first', async () => {
      expect(await journal.head()).toMatchObject({ firstSeq: 1, lastSeq: 0 });
      expect(await readAll(journal)).toEqual([]);
      expect(await journal.append([])).toEqual([]);
    });

    it('numbers messages 1, 2, 3 in the order of their appends', async () => {
      const first = await journal.append([message('a'), message('b')]);
      const second = await journal.append([message('c')]);
      expect([...first, ...second]).toEqual([
        { id: 'a', seq: 1, status: 'logged' },
        { id: 'b', seq: 2, status: 'logged' },
        { id: 'c', seq: 3, status: 'logged' },
      ]);
      expect(await journal.head()).toMatchObject({ firstSeq: 1, lastSeq: 3 });
      const entries = await readAll(journal);
      expect(entries.map(({ seq, id, txt }) => [seq, id, txt])).toEqual([
        [1, 'a', 'text of a'],
        [2, 'b', 'text of b'],
        [3, 'c', 'text of c'],
      ]);
      for (const { at } of entries) expect(new Date(at).toISOString()).toBe(at);
    });

    it('keeps one message an id and tells a duplicate from a conflict', async () => {
      await journal.append([message('a')]);
      expect(await journal.append([message('b'), message('a'), { id: 'a', txt: 'other' }])).toEqual(
        [
          { id: 'b', seq: 2, status: 'logged' },
          { id: 'a', seq: 1, status: 'duplicate' },
          { id: 'a', seq: 1, status: 'conflict' },
        ],
      );
      expect(await journal.get('a')).toMatchObject({ seq: 1, id: 'a', txt: 'text of a' });
      expect(await journal.head()).toMatchObject({ firstSeq: 1, lastSeq: 2 });
    });

    it('keeps one message an id within one append, too', async () => {
      expect(await journal.append([message('a'), message('a'), { id: 'a', txt: 'other' }])).toEqual(
        [
          { id: 'a', seq: 1, status: 'logged' },
          { id: 'a', seq: 1, status: 'duplicate' },
          { id: 'a', seq: 1, status: 'conflict' },
        ],
      );
      expect(await readAll(journal)).toHaveLength(1);
    });

    it('logs each id exactly once among many that append the same ids at the same time', async () => {
      const ids = Array.from({ length: 40 }, (_, index) => `id-${index}`);
      const rounds = Array.from({ length: 10 }, () => ids.map((id) => [message(id)]));
      const results = await Promise.all(rounds.flat().map((append) => journal.append(append)));
      const logged = results.flat().filter(({ status }) => status === 'logged');
      expect(logged.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      expect(results.flat().filter(({ status }) => status === 'duplicate')).toHaveLength(360);
      expect(await readAll(journal)).toHaveLength(40);
    });

    it('keeps the messages of one append together', async () => {
      const appends = Array.from({ length: 30 }, (_, a) =>
        Array.from({ length: 7 }, (__, m) => message(`${a}-${m}`)),
      );
      const results = await Promise.all(appends.map((append) => journal.append(append)));
      for (const result of results) {
        const first = result[0]!.seq!;
        expect(result.map(({ seq }) => seq)).toEqual(result.map((_, index) => first + index));
      }
      expect((await readAll(journal)).map(({ seq }) => seq)).toEqual(
        Array.from({ length: 210 }, (_, index) => index + 1),
      );
    });

    it('gives back every text and id byte for byte', async () => {
      const strange = [
        'a\0b',
        'a\0c',
        '\0',
        'CR\rLF\nTAB\t',
        '😀 \u{10FFFF}',
        'עברית \u202Eright to left\u202C',
        ' ',
        'e\u0301',
        '\u00e9',
        '\uFEFF',
        '"\\\u2028\u2029',
        '__proto__',
        'A',
        'a',
      ];
      const messages = strange.map((text) => ({ id: text, txt: text }));
      const results = await journal.append(messages);
      expect(results.map(({ status }) => status)).toEqual(strange.map(() => 'logged'));
      expect((await readAll(journal)).map(({ id, txt }) => ({ id, txt }))).toEqual(messages);
      for (const { id, txt } of messages) expect((await journal.get(id))?.txt).toBe(txt);
      expect((await journal.append(messages)).map(({ status }) => status)).toEqual(
        strange.map(() => 'duplicate'),
      );
    });

    it('gives back any Unicode text byte for byte', async () => {
      let count = 0;
      const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (texts) => {
          const messages = texts.map((txt) => ({ id: `n-${(count += 1)}`, txt }));
          const after = (await journal.head()).lastSeq;
          await journal.append(messages);
          const entries = await readAll(journal, { after, limit: messages.length });
          expect(entries.map(({ id, txt }) => ({ id, txt }))).toEqual(messages);
        }),
        { numRuns: 40 },
      );
    });

    it('keeps texts of a MiB and pages them', async () => {
      const large = Array.from({ length: 4 }, (_, index) => ({
        id: `large-${index}`,
        txt: `${index}é`.repeat(1_048_576 / 3),
      }));
      for (const one of large) await journal.append([one]);
      const entries = await readAll(journal);
      expect(entries.map(({ txt }) => txt.length)).toEqual(large.map(({ txt }) => txt.length));
      expect(entries.every(({ txt }, index) => txt === large[index]!.txt)).toBe(true);
    });

    it('reads a range: behind a number, up to a count', async () => {
      await journal.append(Array.from({ length: 2_500 }, (_, index) => message(`m-${index + 1}`)));
      const seqs = async (range: ReadRange) =>
        (await readAll(journal, range)).map(({ seq }) => seq);
      expect(await seqs({ after: 2_497, limit: 10 })).toEqual([2_498, 2_499, 2_500]);
      expect(await seqs({ after: 0, limit: 2 })).toEqual([1, 2]);
      expect(await seqs({ after: 999, limit: 1_002 })).toEqual(
        Array.from({ length: 1_002 }, (_, index) => 1_000 + index),
      );
      expect(await seqs({ after: 0, limit: 0 })).toEqual([]);
      expect(await seqs({ after: 2_500, limit: 1 })).toEqual([]);
      // Over a wire this may be a position of another journal. A store just has no entries there.
      const beyond = await seqs({ after: 9_999, limit: 1 }).catch((error: unknown) => error);
      expect([[], expect.objectContaining({ code: 'gone' })]).toContainEqual(beyond);
      expect(await seqs({ after: 0, limit: Infinity })).toHaveLength(2_500);
    });

    it('goes on well after a reader that left early', async () => {
      await journal.append(Array.from({ length: 2_500 }, (_, index) => message(`m-${index}`)));
      for await (const page of journal.read({ after: 0, limit: Infinity })) {
        expect(page.length).toBeGreaterThan(0);
        break;
      }
      await journal.append([message('later')]);
      expect(await readAll(journal, { after: 2_499, limit: 9 })).toMatchObject([
        { seq: 2_500, id: 'm-2499' },
        { seq: 2_501, id: 'later' },
      ]);
    });

    it('knows nothing of an id that was never appended', async () => {
      await journal.append([message('a')]);
      expect(await journal.get('b')).toBeUndefined();
      expect(await journal.get('A')).toBeUndefined();
    });

    it('finishes what it accepted before it closes, and refuses what comes later', async () => {
      const accepted = Array.from({ length: 50 }, (_, index) =>
        journal.append([message(`${index}`)]),
      );
      const closed = journal.close();
      expect((await Promise.all(accepted)).flat()).toHaveLength(50);
      await closed;
      await expect(journal.append([message('late')])).rejects.toMatchObject({ code: 'closed' });
      await expect(journal.head()).rejects.toMatchObject({ code: 'closed' });
      await expect(readAll(journal)).rejects.toMatchObject({ code: 'closed' });
    });
  });
}

/** States what a journal promises that tells its id, for one implementation or wrapper. */
export function describeIdentity(name: string, open: () => Promise<Subject>): void {
  describe(`a journal with an id: ${name}`, () => {
    let subject: Subject;
    let journal: Journal;

    beforeEach(async () => {
      subject = await open();
      journal = subject.journal;
    });

    afterEach(async () => {
      await journal.close();
      await subject.end?.();
    });

    it('has an id of its own that stays', async () => {
      const { journal: id } = await journal.head();
      expect(id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
      await journal.append([message('a')]);
      expect((await journal.head()).journal).toBe(id);
      const other = await open();
      expect((await other.journal.head()).journal).not.toBe(id);
      await other.journal.close();
      await other.end?.();
    });

    it('is read by its id, and throws gone where another journal is meant', async () => {
      const { journal: id } = await journal.head();
      await journal.append([message('a'), message('b')]);
      expect(await readAll(journal, { after: 1, limit: 9, journal: id })).toHaveLength(1);
      const another = { after: 1, limit: 9, journal: randomUUID() };
      await expect(readAll(journal, another)).rejects.toMatchObject({ code: 'gone' });
      const { signal } = new AbortController();
      for await (const page of journal.follow({ after: 1, signal, journal: id })) {
        expect(page).toMatchObject([{ seq: 2 }]);
        break;
      }
      const followed = journal.follow({ ...another, signal })[Symbol.asyncIterator]();
      await expect(followed.next()).rejects.toMatchObject({ code: 'gone' });
    });
  });
}

/** States what a journal additionally promises if its entries outlive it. */
export function describeLastingJournal(name: string, open: () => Promise<LastingSubject>): void {
  describe(`a lasting journal: ${name}`, () => {
    it('has all of it after a new start, and goes on counting', async () => {
      const { journal, reopen, end } = await open();
      await journal.append([message('a'), message('b')]);
      const [before, { journal: id }] = [await readAll(journal), await journal.head()];
      const again = await reopen();
      expect(await readAll(again)).toEqual(before);
      expect((await again.head()).journal).toBe(id);
      expect(await again.append([message('b'), message('c'), { id: 'a', txt: 'x' }])).toEqual([
        { id: 'b', seq: 2, status: 'duplicate' },
        { id: 'c', seq: 3, status: 'logged' },
        { id: 'a', seq: 1, status: 'conflict' },
      ]);
      await again.close();
      await end?.();
    });
  });
}

/** Returns a message whose text follows from its id. */
export function message(id: string): Message {
  return { id, txt: `text of ${id}` };
}

/** Reads the entries of a range, by default all, and checks that no page is empty. */
export async function readAll(
  journal: Journal,
  range: ReadRange = { after: 0, limit: Infinity },
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const page of journal.read(range)) {
    expect(page.length).toBeGreaterThan(0);
    entries.push(...page);
  }
  return entries;
}
