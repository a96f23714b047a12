import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { startProxy } from '../support/proxy.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// `mlog send --lines` at the end of a live pipe: pauses, signals, and services that go away.

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

type Sending = {
  child: ChildProcess;
  write: (text: string) => void;
  end: () => void;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
};

/** Starts `mlog send` with stdin open. */
const startSending = (...args: string[]): Sending => {
  const child = spawn(process.execPath, [programPath, 'send', ...args], {
    env: { PATH: process.env['PATH'], ...sandbox.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  sandbox.defer(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => {});
  child.stdout.resume();
  const said = text(child.stderr);
  return {
    child,
    write: (lines) => void child.stdin.write(lines),
    end: () => void child.stdin.end(),
    ended: once(child, 'close').then(async ([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stderr: await said,
    })),
  };
};

/** Serves something in the place of a facade. Returns its address. */
const serve = async (handler: RequestListener): Promise<string> => {
  const server = createServer(handler).listen(0, '127.0.0.1');
  sandbox.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const textsOf = async (url: string): Promise<string[]> =>
  (await readEntries(url)).map(({ txt }) => txt);

const stored = async (url: string, count: number): Promise<void> => {
  await expect.poll(async () => (await readEntries(url)).length, { timeout: 10_000 }).toBe(count);
};

describe('mlog send --lines from a live pipe', () => {
  test('sends a line as soon as it is read, and has no request open during a pause', async () => {
    const { facade, logging } = await sandbox.serveAll('--request-timeout-ms', '1000');
    const sending = startSending('--lines', '--url', facade.url);
    sending.write('one\n');
    await stored(logging.url, 1);
    // Longer than a body may pause: a request that stayed open would get 408 or be cut.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    sending.write('two\nthr');
    await stored(logging.url, 2);
    sending.write('ee\n');
    await stored(logging.url, 3);
    sending.end();
    expect(await sending.ended).toEqual({ code: 0, signal: null, stderr: '3 logged\n' });
    expect(await textsOf(logging.url)).toEqual(['one', 'two', 'three']);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'sends what was read after %s, but no part of a line, prints the totals, and ends by it',
    async (signal) => {
      const { facade, logging } = await sandbox.serveAll();
      const proxy = await startProxy(facade.url);
      sandbox.defer(() => proxy.close());
      const sending = startSending('--lines', '--url', proxy.url);
      sending.write('one\n');
      await stored(logging.url, 1);
      proxy.faults.paused = true;
      sending.write('two\n');
      await expect.poll(() => sending.child.stdin!.writableLength).toBe(0);
      sending.write('three\nhalf a li');
      // The process has taken both pieces once the pipe is empty and the first one is in flight.
      await expect.poll(() => sending.child.stdin!.writableLength).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 200));
      sending.child.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
      proxy.faults.paused = false;
      const { code, signal: by, stderr } = await sending.ended;
      expect({ code, by }).toEqual({ code: null, by: signal });
      expect(stderr).toContain('3 logged\n');
      expect(await textsOf(logging.url)).toEqual(['one', 'two', 'three']);
    },
  );

  test('ends at once by a second signal', async () => {
    const { facade, logging } = await sandbox.serveAll();
    const proxy = await startProxy(facade.url);
    sandbox.defer(() => proxy.close());
    const sending = startSending('--lines', '--url', proxy.url);
    sending.write('one\n');
    await stored(logging.url, 1);
    proxy.faults.paused = true;
    sending.write('two\n');
    await new Promise((resolve) => setTimeout(resolve, 200));
    sending.child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sending.child.exitCode ?? sending.child.signalCode).toBeNull();
    sending.child.kill('SIGINT');
    expect(await sending.ended).toMatchObject({ code: null, signal: 'SIGINT' });
  });

  test('keeps the order through an outage of the logging service', async () => {
    const logging = await sandbox.serve('logging');
    const proxy = await startProxy(logging.url);
    sandbox.defer(() => proxy.close());
    const hasty = ['--retry-delay-ms', '10', '--attempts-max', '2'];
    const facade = await sandbox.serve('facade', '--logging', proxy.url, ...hasty);
    // Two batches in a row fail in every attempt; the lines after them would succeed.
    let replies = 0;
    proxy.faults.dropReply = () => (replies += 1) > 3 && replies < 9;
    const texts = Array.from({ length: 30_000 }, (_, index) => `line ${index}`);
    const sending = startSending('--lines', '--url', facade.url, '--retry-delay-ms', '10');
    sending.write(texts.join('\n'));
    sending.end();
    const { code, stderr } = await sending.ended;
    expect(stderr).toContain('Sending again.');
    expect(code).toBe(0);
    expect(await textsOf(logging.url)).toEqual(texts);
  });

  test('says what is unknown and that nothing behind it was sent when it gives up', async () => {
    const logging = await sandbox.serve('logging');
    const proxy = await startProxy(logging.url);
    sandbox.defer(() => proxy.close());
    const hasty = ['--retry-delay-ms', '1', '--attempts-max', '1'];
    const facade = await sandbox.serve('facade', '--logging', proxy.url, ...hasty);
    let replies = 0;
    proxy.faults.dropReply = () => (replies += 1) > 3;
    const texts = Array.from({ length: 30_000 }, (_, index) => `line ${index}`);
    const sending = startSending('--lines', '--id', 'x', '--url', facade.url, ...hasty);
    sending.write(texts.join('\n'));
    sending.end();
    const { code, stderr } = await sending.ended;
    expect(code).toBe(3);
    const [, count, from, to] =
      /The outcome of (\d+) lines, from line (\d+) to line (\d+), is unknown; nothing after line \d+ was/.exec(
        stderr,
      )!;
    expect(Number(to) - Number(from) + 1).toBe(Number(count));
    expect(stderr).toContain(`${Number(from) - 1} logged, ${count} unknown`);
    const entries = await readEntries(logging.url);
    expect(entries.length).toBeGreaterThanOrEqual(Number(from) - 1);
    expect(entries.length).toBeLessThanOrEqual(Number(to));
    expect(entries.map(({ txt }) => txt)).toEqual(texts.slice(0, entries.length));
  });

  test('names an address that answers 200 and is no facade, and does not send there again', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      request.resume();
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
    });
    const sending = startSending('--lines', '--url', url);
    sending.write('one\n');
    sending.end();
    const { code, stderr } = await sending.ended;
    expect(code).toBe(3);
    expect(stderr).toContain(
      `The service at ${url} is not a facade. The outcome of line 1 is unknown`,
    );
    expect(requests).toBe(1);
  });

  test('gives up an answer that never ends', async () => {
    const url = await serve((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      const goOn = () => {
        while (response.write('x'.repeat(16_384)));
      };
      response.on('drain', goOn);
      goOn();
    });
    const sending = startSending('--lines', '--url', url, '--attempts-max', '1');
    sending.write('one\n');
    sending.end();
    const { code, stderr } = await sending.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('A line of the reply exceeds 65536 characters.');
  });

  test('does not say that what was read was sent where a signal comes during an outage', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      request.resume();
      response.writeHead(503).end();
    });
    const sending = startSending('--lines', '--url', url, '--retry-delay-ms', '500');
    sending.write('one\n');
    await expect.poll(() => requests, { timeout: 10_000 }).toBe(1);
    sending.child.kill('SIGINT');
    const { code, stderr } = await sending.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('Interrupted: sending what was read.');
    expect(stderr).toMatch(/\n0 logged, 1 unknown\nmlog: .* The outcome of line 1 is unknown/);
  });

  test('sends again, under the same ids, what was answered 408, and halves what is too large', async () => {
    const bodies: string[] = [];
    const url = await serve(async (request, response) => {
      const body = await text(request);
      bodies.push(body);
      if (bodies.length === 1) response.writeHead(408).end();
      else if (body.length > 1_000) response.writeHead(413).end();
      else {
        const lines = body.trimEnd().split('\n');
        const ids = lines.map((line) => (JSON.parse(line) as { id: string }).id);
        response.writeHead(200, { 'content-type': 'application/x-ndjson' });
        response.end(ids.map((id) => `${JSON.stringify({ id, status: 'logged' })}\n`).join(''));
      }
    });
    const sending = startSending('--lines', '--url', url, '--retry-delay-ms', '10');
    const lines = [
      'small',
      'x'.repeat(2_000),
      ...Array.from({ length: 100 }, (_, n) => `line ${n}`),
    ];
    sending.write(`${lines.join('\n')}\n`);
    sending.end();
    const { code, stderr } = await sending.ended;
    expect(code).toBe(4);
    expect(stderr).toMatch(/answered 408\. Sending again\./);
    expect(stderr).toContain('Line 2 is refused: ');
    expect(stderr).toContain('101 logged, 1 refused');
    expect(bodies[1]).toBe(bodies[0]);
  });
});
