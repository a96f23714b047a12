import { afterEach, beforeAll, expect } from 'vitest';
import { type Reply, request } from './http.ts';
import { openSandbox, type Services } from './sandbox.ts';
import { readEntries } from './writers.ts';

/** The path that takes messages, by the role that serves it. */
export const paths = { facade: '/', logging: '/logging' };

/**
 * Serves one set of services to all tests of a file. After each test they must be alive and have
 * stored nothing: a malformed request is refused before anything is stored.
 */
export const serveRefusing = (): (() => Services) => {
  let services: Services;
  let storedBefore = 0;

  beforeAll(async () => {
    const sandbox = await openSandbox();
    services = await sandbox.serveApart();
    return () => sandbox.close();
  });

  afterEach(async () => {
    const entries = await readEntries(services.logging.url);
    const stored = entries.slice(storedBefore);
    storedBefore = entries.length; // One that got through fails its own test and no other.
    expect(stored).toStrictEqual([]);
    for (const { url } of Object.values(services)) {
      expect(await request(new URL('/livez', url))).toMatchObject({ status: 200 });
    }
  });

  return () => services;
};

/**
 * Returns the status of a refusal with a complete problem document (RFC 9457); of any other reply,
 * what it is instead.
 */
export const refusalOf = ({ status, headers, text }: Reply): number | string => {
  const type = headers['content-type'];
  const other = `${status} ${type} ${text}`;
  if (type !== 'application/problem+json' || /\bat \S+:\d+:\d+/.test(text)) return other;
  const problem = JSON.parse(text) as Record<string, unknown>;
  const isWhole = [problem['type'], problem['title'], problem['detail']].every(
    (member) => typeof member === 'string' && member !== '',
  );
  return isWhole && problem['status'] === status ? status : other;
};

/** Parses a reply from a bare socket; the first one, if there are several. */
export const toReply = (raw: string): Reply => {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => line.split(': ')).map(([name, value]) => [name!.toLowerCase(), value!]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') };
};
