import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { mediaTypes } from '../../../src/http/formats.ts';
import type { Server } from '../../../src/http/server/server.ts';
import { startHttpServer } from '../../support/http-server.ts';

/** More than the system buffers for a reader that reads nothing. */
const bytes = 60_000_000;

const readerStallMs = 1_000;

// eslint-disable-next-line typescript/require-await
async function* pieces(size: number, onEnd: () => void): AsyncGenerator<string> {
  try {
    for (let sent = 0; sent < bytes; sent += size) yield 'x'.repeat(size);
  } finally {
    onEnd();
  }
}

describe('the reader of a long reply', () => {
  let server: Server;
  afterEach(() => server.close());

  const ask = async (pieceBytes: number) => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const body = () => pieces(pieceBytes, end);
    const GET = () => ({ status: 200, type: mediaTypes.text, body });
    server = await startHttpServer({ '/': { GET } }, { readerStallMs });
    const reader = connect(Number(new URL(server.url).port), '127.0.0.1');
    reader.pause().write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let isCut = false;
    void once(reader, 'close').then(() => (isCut = true));
    reader.on('error', () => {});
    return { reader, ended, isCut: () => isCut };
  };

  it.each([
    ['pages', 64_000],
    ['messages of a megabyte', 1_000_000],
  ])('may take %s as slowly as 400 kB/s', async (_, pieceBytes) => {
    const { reader, isCut } = await ask(pieceBytes);
    await once(reader, 'readable');
    // Longer than the stall limit, and less than the system buffers, so that nothing drains
    // meanwhile.
    for (let taken = 0; taken < 1_000_000 && !isCut(); taken += 16_000) {
      reader.read(Math.min(16_000, reader.readableLength));
      await sleep(40);
    }
    expect(reader.closed || reader.readableEnded).toBe(false);
    // What was in flight arrives; the connection was not cut.
    const more = new Promise((resolve) => reader.once('data', resolve));
    reader.resume();
    await more;
    let taken = 0;
    reader.on('data', (piece: Buffer) => (taken += piece.length));
    await expect.poll(() => taken > 10_000_000 || isCut(), { timeout: 20_000 }).toBe(true);
    expect(isCut()).toBe(false);
    reader.destroy();
  });

  it('is cut when it takes nothing for so long', async () => {
    const { reader, ended, isCut } = await ask(64_000);
    await once(reader, 'readable');
    await ended;
    let taken = 0;
    reader.on('data', (piece: Buffer) => (taken += piece.length)).resume();
    await expect.poll(isCut, { timeout: 20_000 }).toBe(true);
    expect(taken).toBeLessThan(bytes);
  });
});
