import { describe, expect, it } from 'vitest';
import { createId, parseMessage } from '../src/message.ts';

const limit = { txtMaxBytes: 10 };

describe('a message', () => {
  it.each(['a', 'é'.repeat(128), '\0', ' ', '__proto__', 'x'.repeat(256)])(
    'may have the id %j',
    (id) => {
      expect(parseMessage(id, 'text', limit)).toEqual({ id, txt: 'text' });
    },
  );

  it.each([
    undefined,
    null,
    7,
    '',
    'x'.repeat(257),
    'é'.repeat(129),
    '\uD800',
    'a\uDC00b',
    ['a'],
    {},
  ])('may not have the id %j', (id) => {
    expect(() => parseMessage(id, 'text', limit)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });

  it.each([' ', '\0', '\r\n', '1234567890', 'ééééé', '😀😀'])('may say %j', (txt) => {
    expect(parseMessage('id', txt, limit).txt).toBe(txt);
  });

  it.each([undefined, null, 7, '', '\uDFFF', ['a']])('may not say %j', (txt) => {
    expect(() => parseMessage('id', txt, limit)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });

  it.each(['12345678901', 'éééééé', '😀😀😀'])('may not say more than the limit: %s', (txt) => {
    expect(() => parseMessage('id', txt, limit)).toThrow(
      expect.objectContaining({ code: 'too_large' }),
    );
  });

  it('gets ids that are UUIDv7, all different and rising', () => {
    const ids = Array.from({ length: 10_000 }, createId);
    expect(new Set(ids).size).toBe(10_000);
    expect(
      Math.abs(Number.parseInt(ids[0]!.replace('-', '').slice(0, 12), 16) - Date.now()),
    ).toBeLessThan(60_000);
    expect(ids.toSorted()).toEqual(ids);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });
});
