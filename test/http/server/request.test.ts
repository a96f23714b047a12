import { once } from 'node:events';
import { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { BodyRequest } from '../../../src/http/server/request.ts';

describe('the body of a request', () => {
  let request: BodyRequest;
  let heard: (string | null)[];
  const listen = () =>
    request.listenToBody({
      onPiece: (piece) => heard.push(piece?.toString() ?? null),
      onGivenUp: ({ message }) => heard.push(message),
    });
  const push = (...pieces: (string | null)[]) => {
    for (const piece of pieces) request.push(piece === null ? null : Buffer.from(piece));
  };

  beforeEach(() => {
    request = new BodyRequest(new Socket());
    heard = [];
  });

  it('comes at once, and past the stream', () => {
    listen();
    push('a', 'b', null);
    expect(heard).toEqual(['a', 'b', null]);
    expect(request.readableLength).toBe(0);
  });

  it('comes whole and in order where it began before somebody listened', async () => {
    push('a', 'b');
    listen();
    push('c', null);
    await once(request, 'end');
    expect(heard).toEqual(['a', 'b', 'c', null]);
  });

  it.each([
    ['as the parser gives it', []],
    ['by the stream', ['a']],
  ])('is not given to who left, when it came %s', async (_, before) => {
    push(...before);
    listen();
    push('b');
    await new Promise((resolve) => setImmediate(resolve));
    request.leaveBody();
    const known = [...heard];
    push('c', null);
    request.resume();
    await once(request, 'end');
    expect(heard).toEqual(known);
  });
});
