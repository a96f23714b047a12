import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHttpClient } from '../../../src/http/client/client.ts';
import { createFormJournal } from '../../../src/http/client/form.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { message } from '../../contract/journal-contract.ts';
import { httpAddress } from '../../support/address.ts';

type Said = { status: number; type?: string; location?: string; body: string };

const said = (status: number, body: unknown): Said => ({
  status,
  body: `${JSON.stringify(body)}\n`,
});

describe('the client of a reference logging service', () => {
  let replyTo: (n: number) => Said;
  let posts: string[];
  let underWayMax: number;
  let journal: Journal;
  let url: string;
  let close: () => Promise<void>;

  beforeEach(async () => {
    posts = [];
    let underWay = 0;
    underWayMax = 0;
    const server = createServer(async (request, response) => {
      underWay += 1;
      underWayMax = Math.max(underWayMax, underWay);
      const reply = replyTo(posts.push(await text(request)));
      const { status, type = 'application/json', location, body } = reply;
      await sleep(5); // Time for a second form to come, if the client would send one.
      underWay -= 1;
      response.writeHead(status, { 'content-type': type, ...(location && { location }) });
      response.end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    url = `http://127.0.0.1:${port}`;
    journal = createFormJournal(openHttpClient(httpAddress(url), { timeoutMs: 5_000 }));
    close = async () => {
      await journal.close();
      server.closeAllConnections();
      server.close();
    };
  });

  afterEach(() => close());

  it('sends forms one at a time and in order', async () => {
    replyTo = (n) => (n === 3 ? said(200, 'Duplicate detected') : said(201, 'Message logged'));
    const ids = ['a', 'b', 'c', 'd', 'e'];
    expect(await journal.append(ids.map((id) => message(id)))).toEqual(
      ids.map((id) => ({ id, status: id === 'c' ? 'duplicate' : 'logged' })),
    );
    expect(posts.map((form) => new URLSearchParams(form).get('id'))).toEqual(ids);
    expect(underWayMax).toBe(1);
  });

  it('sends nothing behind a form that failed', async () => {
    replyTo = (n) => (n === 2 ? said(500, 'Oh') : said(201, 'Message logged'));
    const messages = ['a', 'b', 'c'].map((id) => message(id));
    await expect(journal.append(messages)).rejects.toMatchObject({ code: 'unavailable' });
    expect(posts).toHaveLength(2);
  });

  it('escapes what a form would read otherwise', async () => {
    replyTo = () => said(201, 'Message logged');
    const odd = { id: 'a&txt=b', txt: '100 % + 1=\r\n\0&🙂' };
    await journal.append([odd]);
    expect(Object.fromEntries(new URLSearchParams(posts[0]))).toEqual(odd);
  });

  it.each<[string, Said]>([
    ['another text with 201', said(201, 'Something else')],
    ['another text with 200', said(200, 'Something else')],
    ['the word for a repeat with 201', said(201, 'Duplicate detected')],
    ['the word for a new one with 200', said(200, 'Message logged')],
    ['null', said(200, null)],
    ['an object', said(201, { message: 'Message logged' })],
    ['no body', { status: 201, body: '' }],
    ['HTML with 200', { status: 200, type: 'text/html', body: '<p>Welcome' }],
    ['HTML with 201', { status: 201, type: 'text/html', body: '<p>Welcome' }],
    ['success of another kind', said(202, 'Message logged')],
    ['20 MB', { status: 201, body: '"Message logged"'.padEnd(20_000_000) }],
  ])('takes a message for failed that is answered with %s', async (_, given) => {
    replyTo = () => given;
    await expect(journal.append([message('a')])).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  });

  it.each([301, 302, 307, 308])('names where a redirect %i leads to', async (status) => {
    replyTo = () => ({ ...said(status, ''), location: 'http://elsewhere/logging' });
    await expect(journal.append([message('a')])).rejects.toMatchObject({
      code: 'unavailable',
      message: `The service at ${url}/logging answered ${status}, a redirect to http://elsewhere/logging; redirects are not followed.`,
    });
  });

  it.each([401, 403, 404, 405, 410])(
    'takes %i for the answer of another service',
    async (status) => {
      replyTo = () => said(status, 'Not here');
      await expect(journal.append([message('a')])).rejects.toMatchObject({
        code: 'bad_gateway',
        message: `The service at ${url}/logging answered ${status}.`,
      });
    },
  );

  it.each([408, 425, 429, 503])('tries again later after %i', async (status) => {
    replyTo = () => said(status, 'Later');
    await expect(journal.append([message('a')])).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('takes a refusal for one', async () => {
    replyTo = () => said(400, 'No id or text');
    await expect(journal.append([message('a')])).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});
