import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { request } from '../support/http.ts';
import { openSandbox, type Sandbox, type Service } from '../support/sandbox.ts';

// A long journal is streamed, and takes no more memory than a short one.

const count = 100_000;

/** The most memory of a process. What it lists has 36 to 60 MB, and more as objects. */
const caps = { logging: 300, facade: 200 };

/**
 * The default of Node 20. Newer versions let young objects take four times as much before they are
 * collected, so that the memory of a process depends on chance.
 */
const youngAsNode20 = { NODE_OPTIONS: '--max-semi-space-size=16' };

let sandbox: Sandbox;
let logging: Service;
let facade: Service;
beforeAll(async () => {
  sandbox = await openSandbox(youngAsNode20);
  const filled = await sandbox.serveAll();
  await fill(filled.facade.url);
  await filled.facade.kill('SIGTERM');
  // Restarted, because the memory for filling it is not that for reading it.
  const patient = ['--reader-stall-ms', '60000', '--log-level', 'debug'];
  const messages = await sandbox.serve('messages');
  logging = await sandbox.serve('logging', ...patient);
  const below = ['--logging', logging.url, '--messages', messages.url];
  facade = await sandbox.serve('facade', ...below, ...patient);
}, 60_000);
afterAll(() => sandbox.close());

const txtOf = (n: number): string => `${n} ${'"quoted" \\ and Ünïcode 🙂 '.repeat(12)}`;

const fill = async (url: string): Promise<void> => {
  const headers = { 'content-type': 'application/x-ndjson' };
  const sent = http.request(url, { method: 'POST', headers, agent: false });
  const answered = once(sent, 'response').then(([response]) =>
    text(response as http.IncomingMessage),
  );
  for (let from = 1; from <= count; from += 1_000) {
    const lines = Array.from({ length: 1_000 }, (_, n) => JSON.stringify({ txt: txtOf(from + n) }));
    if (!sent.write(`${lines.join('\n')}\n`)) await once(sent, 'drain');
  }
  sent.end();
  expect((await answered).split('\n')).toHaveLength(count + 1);
};

/** Resets the peak memory of a process. */
const forgetPeak = ({ pid }: Service): Promise<void> => writeFile(`/proc/${pid}/clear_refs`, '5');

const peakMegabytes = async ({ pid }: Service): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
};

const ndjsonTexts = (body: string): string[] =>
  body
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { txt: string }).txt);

const eventTexts = (body: string): string[] =>
  ndjsonTexts(
    body
      .split('\n\n')
      .flatMap((block) => /^id: \d+\ndata: (.*)$/s.exec(block)?.[1] ?? [])
      .join('\n'),
  );

const referenceTexts = (body: string): string[] => {
  const [logged = ''] = JSON.parse(body) as string[];
  return JSON.parse(logged.replace('logging-service: ', '')) as string[];
};

const ndjson = 'application/x-ndjson';
const events = 'text/event-stream';

describe.runIf(process.platform === 'linux')(`${count} messages`, () => {
  test.each([
    ['logging', '/logging', 'application/json', (body: string) => JSON.parse(body) as string[]],
    ['logging', '/logging', ndjson, ndjsonTexts],
    ['logging', `/logging?limit=${count}`, events, eventTexts],
    ['facade', '/', 'application/json', referenceTexts],
    ['facade', '/', ndjson, ndjsonTexts],
    ['facade', `/?limit=${count}`, events, eventTexts],
  ] as const)('flow out of %s at %s as %s', async (role, target, accept, textsOf) => {
    const service = { logging, facade }[role];
    await Promise.all([logging, facade].map(forgetPeak));
    const askedAt = performance.now();
    const headers = { accept };
    const sent = http.get(new URL(target, service.url), { headers, agent: false });
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    expect(response).toMatchObject({ statusCode: 200 });
    response.setEncoding('utf8');
    const [first] = (await once(response, 'data')) as [string];
    const begunMs = performance.now() - askedAt;
    response.pause();
    // Most of the reply is still to be made, and a slow reader blocks nobody else.
    expect(await request(new URL('/livez', service.url))).toMatchObject({ status: 200 });

    const texts = textsOf(first + (await text(response)));
    expect(begunMs).toBeLessThan((performance.now() - askedAt) / 4);
    expect(texts).toHaveLength(count);
    expect(texts.findIndex((txt, index) => txt !== txtOf(index + 1))).toBe(-1);
    expect(await peakMegabytes(logging)).toBeLessThan(caps.logging);
    expect(await peakMegabytes(facade)).toBeLessThan(caps.facade);
  });
});
