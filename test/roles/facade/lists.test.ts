import { expect, it } from 'vitest';
import { MlogError } from '../../../src/errors.ts';
import { oneText } from '../../../src/journal/texts.ts';
import { listOfServices, type Source } from '../../../src/roles/facade/lists.ts';

const collect = async (source: Source): Promise<string> => {
  let text = '';
  for await (const piece of (await source()).chunks) text += piece;
  return text;
};

const long = `["${'x'.repeat(200_000)}"]\n`;

/** A list in pieces that counts its readers. */
const openOf = (text: string) => {
  const seen = { opened: 0, open: 0 };
  // eslint-disable-next-line typescript/require-await
  const source: Source = async () => {
    seen.opened += 1;
    async function* give(): AsyncGenerator<string> {
      seen.open += 1;
      try {
        for (let from = 0; from < text.length; from += 50_000) {
          yield await Promise.resolve(text.slice(from, from + 50_000));
        }
      } finally {
        seen.open -= 1;
      }
    }
    return { chunks: give(), cancel: () => {} };
  };
  return { seen, source };
};

it('the second list is open only while it is read, however long the first one takes', async () => {
  const second = openOf(long);
  const list = listOfServices(async () => await Promise.resolve(oneText('["a"]\n')), second.source);
  const { chunks } = await list();
  expect(second.seen).toEqual({ opened: 1, open: 0 });
  let text = '';
  for await (const piece of chunks) {
    if (!text.includes('message-service')) expect(second.seen.open).toBe(0);
    text += piece;
  }
  expect(second.seen).toEqual({ opened: 2, open: 0 });
  expect(JSON.parse(text)).toEqual(['logging-service: ["a"]\n', `message-service: ${long}`]);
});

it('a short second list is asked for once', async () => {
  const second = openOf('["b"]\n');
  const list = listOfServices(openOf(long).source, second.source);
  expect(JSON.parse(await collect(list))).toEqual([
    `logging-service: ${long}`,
    'message-service: ["b"]\n',
  ]);
  expect(second.seen.opened).toBe(1);
});

it('nothing of a list is given where one of the two is not there', async () => {
  const away = () => Promise.reject(new MlogError('unavailable', 'Nobody is there.'));
  const there = async () => await Promise.resolve(oneText('[]\n'));
  await expect(listOfServices(there, away)()).rejects.toThrow('Nobody');
  await expect(listOfServices(away, there)()).rejects.toThrow('Nobody');
});
