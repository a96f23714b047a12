import { beforeEach, expect, test, vi } from 'vitest';
import { openEvents } from '../support/events.ts';
import { postForm, request } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox } from '../support/sandbox.ts';

// What a facade and a replica do while the service behind them is away.

const waitMs = 15_000;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

test('events are answered 200 while the logging service is away, and begin when it is there', async () => {
  const logging = await sandbox.serve('logging');
  await postForm(new URL('/logging', logging.url), { id: '1', txt: 'one' });
  const beat = ['--heartbeat-ms', '100'];
  const facade = await sandbox.serve('facade', '--logging', logging.url, ...beat);
  await logging.kill('SIGTERM');
  const streams = [
    await openEvents(facade.url),
    await openEvents(new URL('/?after=0', facade.url)),
    await openEvents(new URL('/?last=1', facade.url), { 'last-event-id': '0' }),
  ];
  const beyond = await openEvents(new URL('/?after=7', facade.url));
  for (const stream of [...streams, beyond]) {
    expect(stream.status).toBe(200);
    await stream.waitFor(() => stream.blocks.find(({ comment }) => comment !== undefined), waitMs);
    expect(stream.seqs()).toStrictEqual([]);
  }
  const list = { accept: 'application/x-ndjson' };
  expect(await request(facade.url, { headers: list })).toMatchObject({ status: 503 });

  await sandbox.serve('logging', '--port', portOf(logging.url));
  for (const stream of streams) {
    await stream.waitFor(() => stream.seqs()[0], waitMs);
    expect(stream.seqs()).toStrictEqual([1]);
    stream.close();
  }
  // A stream whose journal turns out to be another one says so in an event.
  expect(await beyond.ended).toBe(true);
  expect(beyond.blocks.at(-1)).toMatchObject({ event: 'gone' });
});

test('a client of events that comes back gets all behind its last one, whatever it asked at first', async () => {
  const { facade } = await sandbox.serveAll();
  for (const txt of ['1', '2', '3', '4', '5']) await postForm(facade.url, { txt });
  const url = new URL('/?last=2', facade.url);
  const first = await openEvents(url);
  await first.waitFor(() => first.seqs()[1]);
  expect(first.seqs()).toStrictEqual([4, 5]);
  first.close();
  const again = await openEvents(url, { 'last-event-id': '1' });
  await again.waitFor(() => again.seqs()[3]);
  expect(again.seqs()).toStrictEqual([2, 3, 4, 5]);
  again.close();
});

test('a replica is ready once it has reached its original, and empty is not what it says before', async () => {
  const away = await sandbox.serve('logging');
  await postForm(new URL('/logging', away.url), { id: '1', txt: 'one' });
  await away.kill('SIGTERM');
  const replica = await sandbox.serve('messages', '--follow', away.url);
  const ready = () => request(new URL('/readyz', replica.url));
  const waiting = await ready();
  expect(waiting).toMatchObject({ status: 503 });
  expect(JSON.parse(waiting.text)).toMatchObject({
    dependencies: { store: 'ok', replica: expect.stringContaining('not been reached yet') },
  });
  const list = await request(new URL('/messages', replica.url));
  expect(list).toMatchObject({ status: 503, text: expect.stringContaining('--follow') });
  const events = await openEvents(new URL('/messages', replica.url));
  expect(events.status).toBe(200);

  await sandbox.serve('logging', '--port', portOf(away.url));
  await events.waitFor(() => events.seqs()[0], waitMs);
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 200 }), {
    timeout: waitMs,
  });
  events.close();
});
