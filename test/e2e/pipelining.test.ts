import { beforeEach, describe, expect, test } from 'vitest';
import { rawRequest } from '../support/http.ts';
import { openSandbox, type Sandbox, type Services } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

let sandbox: Sandbox;
let services: Services;
beforeEach(async () => {
  sandbox = await openSandbox();
  services = await sandbox.serveAll();
  return () => sandbox.close();
});

const post = (txt: string, more = ''): string =>
  `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n${more}` +
  `Content-Length: ${txt.length + 4}\r\n\r\ntxt=${txt}`;

describe('a connection', () => {
  test('gets the reply to a whole request although what follows is none', async () => {
    const raw = await rawRequest(services.facade.url, `${post('b')}GARBAGE \r\n\r\n`);
    expect(raw).toMatch(/^HTTP\/1\.1 200 /);
    expect(raw).not.toContain(' 400 ');
    expect(await readEntries(services.logging.url)).toMatchObject([{ txt: 'b' }]);
  });

  test('never gets a 400 in the middle of a reply to lines of which some are stored', async () => {
    const line = '{"txt":"one"}\n';
    const head =
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n';
    const raw = await rawRequest(
      services.facade.url,
      `${head}${line.length.toString(16)}\r\n${line}\r\nzz\r\n`,
    );
    expect(raw).not.toContain(' 400 ');
  });

  test('answers requests that were sent without waiting, each in its turn', async () => {
    const texts = ['one', 'two', 'three', 'four'];
    const last = post('five', 'Connection: close\r\n');
    const raw = await rawRequest(
      services.facade.url,
      texts.map((txt) => post(txt)).join('') + last,
    );
    const answers = Array.from(raw.matchAll(/"txt":"(\w+)"/g), ([, txt]) => txt);
    expect(answers).toEqual([...texts, 'five']);
    const stored = await readEntries(services.logging.url);
    expect(stored.map(({ txt }) => txt)).toEqual([...texts, 'five']);
  });
});
