import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { postForm, request } from '../support/http.ts';
import { startReferenceLogging } from '../support/reference.ts';
import { openSandbox, portOf, type Sandbox } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// How a facade handles the services that it is pointed to.

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const quick = ['--retry-delay-ms', '20'];

const serveStandIn = async (
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<string> => {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  sandbox.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe('an address', () => {
  test('of a service is taken as the reference spells it', async () => {
    const [logging, messages] = [await sandbox.serve('logging'), await sandbox.serve('messages')];
    const below = ['--logging', `${logging.url}/logging`, '--messages', `${messages.url}/messages`];
    const facade = await sandbox.serve('facade', ...below);
    expect(await postForm(facade.url, { txt: 'Its me' })).toMatchObject({ status: 200 });
    expect((await request(facade.url)).text).toMatch(/Its me.*message-service: Message-service/);

    const replica = await sandbox.serve('messages', '--follow', `${logging.url}/logging`);
    await expect
      .poll(async () => (await request(`${replica.url}/messages`)).text)
      .toBe('["Its me"]\n');

    const { host } = new URL(facade.url);
    const sent = await sandbox.run(['send', 'Hello', '--url', host]);
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect((await sandbox.run(['list'], { env: { MLOG_URL: host } })).stdout).toContain('Hello');
  });

  test('at which there is no logging service is told with what was asked, by 502', async () => {
    const messages = await sandbox.serve('messages');
    for (const [logging, said] of [
      [`${messages.url}/x`, `The service at ${messages.url}/x/logging answered 404.`],
      [messages.url, `At ${messages.url} is a messages service, not logging.`],
    ] as const) {
      const facade = await sandbox.serve('facade', '--logging', logging, ...quick);
      const posted = await postForm(facade.url, { txt: 'x' });
      expect(posted.status).toBe(502);
      expect(posted.text).toContain(said);
      const read = await request(`${facade.url}/?after=0`);
      expect(read).toMatchObject({ status: 502 });
      expect(read.text).toContain(said);
      expect(await request(facade.url)).toMatchObject({ status: 500 });
    }
  });

  test('that redirects is told with the place it leads to', async () => {
    const url = await serveStandIn((_, response) => {
      response.writeHead(308, { location: 'https://elsewhere/logging' }).end();
    });
    const facade = await sandbox.serve('facade', '--logging', url, '--messages', url, ...quick);
    const posted = await postForm(facade.url, { txt: 'x' });
    expect(posted.status).toBe(500);
    expect(posted.text).toMatch(
      /3 attempts .*answered 308, a redirect to https:\/\/elsewhere\/logging/,
    );
    expect((await request(facade.url)).text).toMatch(/redirect to https:\/\/elsewhere\/logging/);
    const sent = await sandbox.run(['send', 'x', '--url', url, '--attempts-max', '1']);
    expect(sent.stderr).toMatch(/redirect to https:\/\/elsewhere\/logging/);
  });
});

test('another kind of service in the place of the first one gets the next message', async () => {
  const logging = await sandbox.serve('logging');
  const facade = await sandbox.serve('facade', '--logging', logging.url, '--attempts-max', '1');
  expect(await postForm(facade.url, { id: 'a', txt: 'x' })).toMatchObject({ status: 200 });
  const port = Number(portOf(logging.url));
  await logging.kill('SIGTERM');

  const reference = await startReferenceLogging({ port });
  expect(await postForm(facade.url, { id: 'b', txt: 'y' })).toMatchObject({ status: 200 });
  expect(reference.texts()).toEqual(['y']);
  await reference.close();

  const again = await sandbox.serve('logging', '--port', String(port));
  expect(await request(`${facade.url}/?after=0`)).toMatchObject({ status: 200 });
  expect(await postForm(facade.url, { id: 'c', txt: 'z' })).toMatchObject({ status: 200 });
  expect(await readEntries(again.url)).toMatchObject([{ id: 'a' }, { id: 'c' }]);
});

test('a reference service that is silent for one message answers the others', async () => {
  const reference = await startReferenceLogging({
    onPost: ({ id }) => (id === 'silent' ? 'hang' : 'store'),
  });
  sandbox.defer(reference.close);
  const pace = ['--attempts-max', '1', '--attempt-timeout-ms', '1500'];
  const facade = await sandbox.serve('facade', '--logging', reference.url, ...pace);
  await postForm(facade.url, { id: 'first', txt: 'x' });
  const silent = postForm(facade.url, { id: 'silent', txt: 'x' });
  const ids = Array.from({ length: 20 }, (_, n) => `m-${n}`);
  const replies = await Promise.all(ids.map((id) => postForm(facade.url, { id, txt: 'x' })));
  expect(replies.map(({ status }) => status)).toEqual(ids.map(() => 200));
  expect((await silent).text).toMatch(/One attempt failed\. No reply/);
});

describe('the diagnostics', () => {
  const linesOf = (stderr: string): Record<string, unknown>[] =>
    stderr
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  const warningsOf = ({ stderr }: { stderr: () => string }) =>
    // On an old line of Node, a service says so at its start.
    linesOf(stderr())
      .filter(({ level }) => level === 'warn')
      .filter(({ msg }) => !String(msg).includes('no security fixes'));

  test('name with each 5xx the reason and the service, with each attempt the message', async () => {
    const pace = ['--attempts-max', '2', ...quick];
    const facade = await sandbox.serve('facade', '--logging', 'http://127.0.0.1:1', ...pace);
    expect(await postForm(facade.url, { id: 'one', txt: 'x' })).toMatchObject({ status: 500 });
    expect(await request(`${facade.url}/readyz`)).toMatchObject({ status: 503 });
    const attempt = await facade.waitForLine((line) => 'attempt' in line, 5_000);
    expect(attempt).toMatchObject({ attempt: 1, id: 'one' });
    const reason = expect.stringContaining('Nothing listens at http://127.0.0.1:1') as string;
    for (const status of [500, 503]) {
      const failed = await facade.waitForLine((line) => line['status'] === status, 5_000);
      expect(failed).toMatchObject({ service: 'facade', reason });
    }
  });

  test('tell a conflict in one line, in one process and in several', async () => {
    const all = await sandbox.serveAll();
    await postForm(all.facade.url, { id: 'one', txt: 'x' });
    expect(await postForm(all.facade.url, { id: 'one', txt: 'y' })).toMatchObject({ status: 422 });
    await all.facade.kill('SIGTERM');
    expect(warningsOf(all.facade)).toMatchObject([
      { msg: expect.stringContaining('one') as string },
    ]);

    const { facade, logging } = await sandbox.serveApart();
    expect(await postForm(facade.url, { id: 'one', txt: 'y' })).toMatchObject({ status: 422 });
    for (const { kill } of [facade, logging]) await kill('SIGTERM');
    expect(warningsOf(facade)).toMatchObject([{ code: 'conflict', id: 'one' }]);
    expect(warningsOf(logging)).toHaveLength(1);
  });

  test('tell a burst in one line a second, and then how many there were', async () => {
    const facade = await sandbox.serve(
      'facade',
      '--attempts-max',
      '1',
      '--logging',
      'http://127.0.0.1:1',
    );
    await Promise.all(Array.from({ length: 100 }, () => postForm(facade.url, { txt: 'x' })));
    await facade.waitForLine((line) => line['more'] === 98 && line['status'] === 500, 5_000);
    const failed = linesOf(facade.stderr()).filter(({ msg }) => msg === 'Request failed');
    expect(failed).toHaveLength(2);
  });

  test('have the warnings of Node as lines of their own kind', async () => {
    const script = 'setTimeout(() => process.emitWarning("Look out"), 500)';
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(script)}` };
    const warned = await openSandbox(env);
    sandbox.defer(() => warned.close());
    const { facade } = await warned.serveAll();
    const line = await facade.waitForLine(({ msg }) => String(msg).includes('Look out'), 5_000);
    expect(line).toMatchObject({ level: 'warn', name: 'Warning' });
    expect(linesOf(facade.stderr()).length).toBeGreaterThan(1);
  });
});
