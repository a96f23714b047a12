import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { paths, serveRefusing } from '../support/refusal.ts';

// Randomly malformed requests: whatever the reply, nothing of them is stored.

const services = serveRefusing();
const requestsCount = 1000;
const clientsCount = 20;
const silenceMaxMs = 10_000;

/** Returns random numbers that repeat for the same seed (mulberry32). */
const createRandom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Bytes to send, and whether the client then closes its side within the request. */
type Malformed = { bytes: Buffer; isCut: boolean };

/** Makes malformed requests, none of which may ever be taken as a message. */
class Fuzz {
  readonly #random: () => number;
  readonly #path: string;

  constructor(seed: number, path: string) {
    this.#random = createRandom(seed);
    this.#path = path;
  }

  next(): Malformed {
    const kinds = [
      () => this.#whole(this.#noise(200)),
      () => this.#post('application/x-www-form-urlencoded', this.#badForm()),
      () => this.#post('application/json', this.#cutJson()),
      () => this.#post('application/json', this.#wrongJson()),
      () => this.#post(this.#pick(types), this.#notUtf8()),
      () => this.#post(this.#wrongType(), Buffer.from('id=one&txt=a')),
      () => this.#cut(),
      () => this.#badChunks(),
      () => this.#badHeader(),
    ];
    return this.#pick(kinds)();
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }

  #noise(length: number): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.#below(length) }, () => this.#below(256)));
  }

  #whole(bytes: Buffer): Malformed {
    return { bytes: Buffer.concat([bytes, Buffer.from('\r\n\r\n')]), isCut: true };
  }

  #post(type: string, body: Buffer): Malformed {
    const head =
      `POST ${this.#path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
    return { bytes: Buffer.concat([Buffer.from(head), body]), isCut: false };
  }

  #badForm(): Buffer {
    const escape = this.#pick(['%', '%g1', '%1', '%%41', '%u0041', '%ff', '%e2%82', '%ed%a0%80']);
    const texts = [
      `id=one&txt=${escape}`,
      `txt=a&id=${escape}`,
      `txt=a&txt=${this.#below(9)}&id=1`,
    ];
    return Buffer.from(this.#pick(texts));
  }

  #cutJson(): Buffer {
    const text = JSON.stringify({ id: `id-${this.#below(99)}`, txt: 'x'.repeat(this.#below(50)) });
    return Buffer.from(text.slice(0, this.#below(text.length)));
  }

  #wrongJson(): Buffer {
    const wrong = this.#pick(['17', 'true', '[]', '{}', '["a"]', '"\\ud800"', '"\\udc00a"']);
    const key = this.#pick(['id', 'txt']);
    const other = key === 'id' ? 'txt' : 'id';
    return Buffer.from(this.#pick([wrong, `[${wrong}]`, `{"${key}":${wrong},"${other}":"a"}`]));
  }

  #notUtf8(): Buffer {
    const text = Buffer.from(this.#pick(['id=one&txt=a', '{"id":"one","txt":"abc"}']));
    const at = this.#below(text.length);
    const wrong = this.#pick([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5], [0x80]]);
    return Buffer.concat([text.subarray(0, at), Buffer.from(wrong), text.subarray(at)]);
  }

  #wrongType(): string {
    return this.#pick(['image/png', 'text/html', 'multipart/form-data', 'form', '/', 'a/b; c=d']);
  }

  /** A valid request whose last byte never arrives. */
  #cut(): Malformed {
    const body = this.#pick(['id=one&txt=a', 'id=one&txt=a%20b', '{"id":"one","txt":"a"}']);
    const type = body.startsWith('{') ? 'application/json' : 'application/x-www-form-urlencoded';
    const { bytes } = this.#post(type, Buffer.from(body));
    return { bytes: bytes.subarray(0, 1 + this.#below(bytes.length - 1)), isCut: true };
  }

  #badChunks(): Malformed {
    const chunks = this.#pick([
      'zz\r\nid=one&txt=a\r\n0\r\n\r\n',
      'c\r\nid=one&txt=a\r\n',
      '-1\r\n',
    ]);
    const head = `POST ${this.#path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
    return { bytes: Buffer.from(head + chunks), isCut: true };
  }

  #badHeader(): Malformed {
    const line = this.#pick(['X y: z', ': z', 'X\0: z', 'X: \u0001\0', 'Content-Length: -1', 'X']);
    const head = `POST ${this.#path} HTTP/1.1\r\nHost: localhost\r\n${line}\r\nContent-Length: 12\r\n\r\n`;
    return { bytes: Buffer.from(`${head}id=one&txt=a`), isCut: false };
  }
}

const types = ['application/x-www-form-urlencoded', 'application/json'];

/** Sends the bytes. Returns the status of the reply, or 0 if the connection closes without one. */
const exchange = async (url: string, { bytes, isCut }: Malformed): Promise<number> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => {});
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(silenceMaxMs) });
  if (isCut) socket.end(bytes);
  else socket.write(bytes);
  await closed;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(Buffer.concat(pieces).toString())?.[1];
  return Number(status ?? 0);
};

describe.each(['facade', 'logging'] as const)('the %s service', (role) => {
  test(`stores nothing of ${requestsCount} random malformed requests`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const fuzz = new Fuzz(seed, paths[role]);
    const statuses = new Map<number, number>();
    let left = requestsCount;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const malformed = fuzz.next();
        const status = await exchange(services()[role].url, malformed).catch((error: unknown) => {
          throw new Error(`no end to ${JSON.stringify(malformed.bytes.toString())}`, {
            cause: error,
          });
        });
        const isFine = (status >= 400 && status < 500) || (status === 0 && malformed.isCut);
        const shown = `seed ${seed}: ${malformed.bytes.toString('latin1')}`;
        expect(isFine ? 'refused' : status, shown).toBe('refused');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: clientsCount }, client));
    expect(statuses.get(400)).toBeGreaterThan(requestsCount / 2);
    expect(statuses.get(415)).toBeGreaterThan(requestsCount / 20);
  });
});
