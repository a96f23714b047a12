import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Child, startChild } from '../support/child.ts';
import { getText, request } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Services } from '../support/sandbox.ts';
import { findFaults, readEntries, startWriters, type StoredEntry } from '../support/writers.ts';

// `mlog list -f`: stored messages and then new ones, through outages, kills, closed pipes and
// Ctrl-C.

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const waitMs = 10_000;
const oneLine = /^mlog: [^\n]+\n$/;

let sandbox: Sandbox;
let services: Services;
let env: NodeJS.ProcessEnv;
let cursor: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  services = await sandbox.serveAll('--log-level', 'debug');
  env = { MLOG_URL: services.facade.url };
  cursor = join(sandbox.folder, 'mlog.cursor');
  return () => sandbox.close();
});

/** Sends messages together. Returns their ids. */
const post = async (...texts: string[]): Promise<string[]> => {
  const body = texts.map((txt) => `${JSON.stringify({ txt })}\n`).join('');
  const headers = { 'content-type': 'application/x-ndjson' };
  const reply = await request(services.facade.url, { method: 'POST', headers, body });
  expect(reply).toMatchObject({ status: 200 });
  return entriesOf(reply.text).map(({ id }) => id);
};

const start = async (command: string, args: readonly string[]): Promise<Child> => {
  const child = await startChild(command, args, {
    env: { ...sandbox.env, ...env, PATH: process.env['PATH'] },
    cwd: sandbox.folder,
  });
  sandbox.defer(() => child.kill());
  return child;
};

/** Starts `mlog list -f`, which runs until something ends it. */
const startList = (...args: string[]): Promise<Child> =>
  start(process.execPath, [programPath, 'list', '-f', ...args]);

/** Resolves once the head of the journal was requested, as `mlog list -f` does first. */
const asked = () =>
  services.facade.waitForLine(({ method, status }) => method === 'HEAD' && status === 200, waitMs);

const printed = (list: Child, stdout: string) =>
  list.waitFor(() => (list.stdout() === stdout ? true : undefined), waitMs);

const remarked = (list: Child, pattern: RegExp) =>
  list.waitFor(() => (pattern.test(list.stderr()) ? true : undefined), waitMs);

/** Starts all services again on the same ports and store. */
const serveAgain = async (...args: string[]): Promise<void> => {
  services = await sandbox.serveAll('--port', portOf(services.facade.url), ...args);
};

/** Returns the entries of all complete lines; the last line of a killed process may be cut. */
const entriesOf = (stdout: string): StoredEntry[] =>
  stdout
    .slice(0, stdout.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEntry);

const firstSeqIs = (firstSeq: number) =>
  vi.waitFor(
    async () => {
      const { headers } = await request(new URL('/logging', services.logging.url), {
        method: 'HEAD',
      });
      expect(headers['mlog-first-seq']).toBe(String(firstSeq));
    },
    { timeout: waitMs },
  );

describe('mlog list -f', () => {
  test('prints what there is and then what comes, made visible', async () => {
    await post('one', 'two');
    const list = await startList();
    await printed(list, 'one\ntwo\n');
    await post('three');
    await printed(list, 'one\ntwo\nthree\n');
    await post('\u001B[2J four\n');
    await printed(list, 'one\ntwo\nthree\n\\u{1b}[2J four\\n\n');
    expect(list.stderr()).toBe('');
  });

  test.each([
    [['--last', '1'], 'three\nfour\n'],
    [['--last', '0'], 'four\n'],
    [['--after', '1'], 'two\nthree\nfour\n'],
    [['--after', '1', '--last', '1'], 'three\nfour\n'],
    [['--after', '3'], 'four\n'],
  ])('begins where %j asks it to', async (args, expected) => {
    await post('one', 'two', 'three');
    const list = await startList(...args);
    await asked();
    await post('four');
    await printed(list, expected);
    await post('five');
    await printed(list, `${expected}five\n`);
    expect(list.stderr()).toBe('');
  });

  test.each([
    [['--limit', '3'], 2, 1],
    [['--limit', '2'], 5, 0],
    [['--limit', '0'], 1, 0],
    [['--limit', '4', '--after', '1'], 2, 3],
  ])('ends by itself with %j', async (args, before, later) => {
    const texts = Array.from({ length: before + later }, (_, index) => `text ${index + 1}`);
    await post(...texts.slice(0, before));
    const list = await startList('--json', ...args);
    await asked();
    for (const txt of texts.slice(before)) await post(txt);
    expect(await list.exited).toStrictEqual({ code: 0, signal: null });
    expect(list.stderr()).toBe('');
    const limit = Number(args[1]);
    const after = Number(args[3] ?? 0);
    const all = await readEntries(services.logging.url);
    expect(entriesOf(list.stdout())).toStrictEqual(all.slice(after, after + limit));
  });

  test('says once that the facade is gone and once that it is back, and misses nothing', async () => {
    await post('one');
    const list = await startList();
    await printed(list, 'one\n');
    for (const [index, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
      await services.facade.kill(signal);
      await remarked(list, /Trying again\.\n$/);
      // Something that is no facade hangs up repeatedly, which deserves no remark.
      await hangUp(services.facade.url, 2 - index);
      await serveAgain();
      await post(`after ${signal}`);
      await printed(
        list,
        ['one\n', 'after SIGKILL\n', 'after SIGTERM\n'].slice(0, index + 2).join(''),
      );
    }
    expect(list.stderr()).toMatch(
      /^[^\n]+ Trying again\.\nConnected again\.\nThe facade has stopped\. Trying again\.\nConnected again\.\n$/,
    );
    expect(await list.kill('SIGINT')).toStrictEqual({ code: null, signal: 'SIGINT' });
  });

  /** Takes the place of a service, closes this many connections, and leaves again. */
  const hangUp = async (url: string, count: number): Promise<void> => {
    let left = count;
    await new Promise<void>((resolve, reject) => {
      const server: Server = createServer((socket) => {
        socket.resetAndDestroy();
        left -= 1;
        if (left === 0) server.close(() => resolve());
      });
      server.on('error', reject).listen(Number(portOf(url)), '127.0.0.1');
    });
  };

  test('ends with 3 where there is no facade at first', async () => {
    await services.facade.kill();
    const run = await sandbox.run(['list', '-f'], { env });
    expect(run).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(oneLine) });
    expect(run.stderr).toContain(services.facade.url);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('is ended by %s, without a word', async (signal) => {
    await post('one');
    const list = await startList();
    await printed(list, 'one\n');
    expect(await list.kill(signal)).toStrictEqual({ code: null, signal });
    expect({ stdout: list.stdout(), stderr: list.stderr() }).toStrictEqual({
      stdout: 'one\n',
      stderr: '',
    });
  });

  test('is ended by SIGINT while it waits for the facade', async () => {
    const list = await startList();
    await asked();
    await services.facade.kill();
    await remarked(list, /Trying again\.\n$/);
    const said = list.stderr();
    expect(await list.kill('SIGINT')).toStrictEqual({ code: null, signal: 'SIGINT' });
    expect(list.stderr()).toBe(said);
  });

  test('is quiet and ends with 0 when its reader goes away', async () => {
    await post('one', 'two');
    const script = '{ timeout 60 "$0" "$1" list -f; echo "exit $?" >&2; } | head -n 3';
    const shell = await start('sh', ['-c', script, process.execPath, programPath]);
    await asked();
    await post('three');
    await printed(shell, 'one\ntwo\nthree\n');
    // Only a write shows that nobody reads a pipe.
    let hasEnded = false;
    void shell.exited.then(() => (hasEnded = true));
    while (!hasEnded) await post('more');
    expect(await shell.exited).toStrictEqual({ code: 0, signal: null });
    expect(shell.stderr()).toBe('exit 0\n');
    expect(shell.stdout()).toBe('one\ntwo\nthree\n');
  });
});

describe('mlog list --cursor', () => {
  const cursorText = () => readFile(cursor, 'utf8');
  const keptAt = (seq: number) => new RegExp(`^${seq} [\\da-f-]{36}\n$`);

  test('goes on where a killed follower was, each line once a process', async () => {
    const writers = startWriters(services.facade.url, 2);
    sandbox.defer(writers.stop);
    const all: StoredEntry[] = [];
    const follow = async (isEnough: (some: StoredEntry[]) => boolean, signal: NodeJS.Signals) => {
      const list = await startList('--json', '--cursor', cursor);
      await list.waitFor(() => isEnough(entriesOf(list.stdout())) || undefined, waitMs);
      await list.kill(signal);
      expect(list.stderr()).toBe('');
      const some = entriesOf(list.stdout());
      expect(some.map(({ seq }) => seq)).toStrictEqual(some.map((_, n) => some[0]!.seq + n));
      // Only the line at which it was killed may be repeated.
      const last = all.at(-1)?.seq ?? 0;
      if (last > 0 && some[0]?.seq === last) expect(some.shift()).toStrictEqual(all.at(-1));
      expect(some[0]?.seq ?? last + 1).toBe(last + 1);
      all.push(...some);
    };
    for (let kills = 0; kills < 4; kills += 1) {
      await follow((some) => some.length >= 20 + kills * 13, 'SIGKILL');
    }
    await writers.stop();
    const entries = await readEntries(services.logging.url);
    await follow((some) => some.at(-1)?.seq === entries.length, 'SIGINT');
    expect(all).toStrictEqual(entries);
    expect(findFaults(all, writers)).toStrictEqual([]);
    expect(await cursorText()).toMatch(keptAt(entries.length));
    const idle = await sandbox.run(['list', '--cursor', cursor], { env });
    expect(idle).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  test('keeps no position of a line that stdout has not taken', async () => {
    const line = 'x'.repeat(63);
    await post(...Array.from({ length: 3_000 }, () => line)); // A pipe holds 1,024 of them.
    const pipe = join(sandbox.folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    sandbox.defer(() => reader.close());
    const script = 'exec "$0" "$1" list -f --cursor "$2" > pipe';
    const list = await start('sh', ['-c', script, process.execPath, programPath, cursor]);
    await vi.waitFor(
      async () => expect(Number.parseInt(await cursorText())).toBeGreaterThan(1_000),
      {
        timeout: waitMs,
      },
    );
    await list.kill('SIGKILL');
    const taken = (await reader.readFile('utf8')).split('\n').length - 1;
    const position = Number.parseInt(await cursorText());
    expect(taken - position).toBeGreaterThanOrEqual(0);
    expect(taken - position).toBeLessThanOrEqual(1);
  });

  test('goes on from a position that somebody wrote, in their own way', async () => {
    await post('one', 'two', 'three');
    for (const text of ['2', '2\n', '0002\n\n', '2 \r\n']) {
      await writeFile(cursor, text);
      const list = await startList('--cursor', cursor);
      await printed(list, 'three\n');
      await list.kill();
      await writeFile(cursor, text.replace('2', '3'));
      const idle = await sandbox.run(['list', '--limit', '0', '--cursor', cursor], { env });
      expect(idle).toMatchObject({ code: 0, stdout: '' });
      expect(await cursorText()).toMatch(keptAt(3));
    }
  });

  test('refuses a file that holds no position, and leaves it as it is', async () => {
    for (const text of ['abc', '1\n2\n', '-1', '1.5', '12345678901234567890', '\0', ' 1']) {
      await writeFile(cursor, text);
      const run = await sandbox.run(['list', '-f', '--cursor', cursor], { env });
      expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain(cursor);
      expect(await cursorText()).toBe(text);
    }
  });

  test('refuses a path that cannot be one', async () => {
    await mkdir(cursor);
    for (const path of [cursor, join(sandbox.folder, 'nowhere', 'mlog.cursor'), '']) {
      const run = await sandbox.run(['list', '-f', '--cursor', path], { env });
      expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain('--cursor');
    }
  });

  test.each([
    ['--after', '1'],
    ['--last', '1'],
  ])('is refused beside %s', async (...flag) => {
    const run = await sandbox.run(['list', '-f', '--cursor', cursor, ...flag], { env });
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(oneLine) });
    expect(run.stderr).toMatch(new RegExp(`${flag[0]}.*--cursor`));
    await expect(stat(cursor)).rejects.toThrow('ENOENT');
  });
});

describe('a position that is gone', () => {
  beforeEach(async () => {
    await services.facade.kill('SIGTERM');
    await serveAgain('--retain-messages', '1');
  });

  test('ends a list with 6 and names the first one there is', async () => {
    await post('one', 'two', 'three', 'four', 'five');
    await firstSeqIs(5);
    await writeFile(cursor, '2\n');
    for (const args of [
      ['--after', '2'],
      ['--after', '2', '-f'],
      ['--cursor', cursor],
      ['--cursor', cursor, '-f'],
    ]) {
      const run = await sandbox.run(['list', ...args], { env });
      expect(run).toMatchObject({ code: 6, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain('seq 5');
    }
    expect(await readFile(cursor, 'utf8')).toBe('2\n');
    for (const args of [[], ['-f', '--limit', '1']]) {
      expect(await sandbox.run(['list', ...args], { env })).toMatchObject({
        code: 0,
        stdout: 'five\n',
        stderr: '',
      });
    }
  });

  test('ends a follower that was away while it was removed', async () => {
    await post('one', 'two');
    const list = await startList('--after', '1');
    await printed(list, 'two\n');
    const before = services;
    await services.facade.kill('SIGTERM');
    services = await sandbox.serveAll('--retain-messages', '1');
    const [third] = await post('three', 'four', 'five');
    await vi.waitFor(
      async () => {
        const url = new URL(`/logging?id=${third}`, services.logging.url);
        expect(await request(url)).toMatchObject({ status: 404 });
      },
      { timeout: waitMs },
    );
    await services.facade.kill('SIGTERM');
    services = before;
    await serveAgain('--retain-messages', '1');
    expect(await list.exited).toStrictEqual({ code: 6, signal: null });
    expect(list.stdout()).toBe('two\n');
    expect(list.stderr()).toMatch(/\nmlog: [^\n]*seq 5[^\n]*\n$/);
  });
});

test('what is exported is imported once, however often', async () => {
  await post('one', 'Ünïcode 🙂 \u202E \0 \r\n', 'one');
  const file = join(sandbox.folder, 'all.ndjson');
  const exporting = await sandbox.run(['list', '--json'], { env });
  await writeFile(file, exporting.stdout);
  const other = await sandbox.serveAll('--store', 'memory:');
  const lists: string[] = [];
  for (const url of [other.facade.url, other.facade.url, services.facade.url]) {
    const importing = await sandbox.run(['send', '--ndjson', '-f', file, '--url', url]);
    expect(importing).toMatchObject({ code: 0 });
    lists.push(await getText(url, { accept: 'application/x-ndjson' }));
  }
  const [first, second, source] = lists.map((list) =>
    entriesOf(list).map(({ seq, id, txt }) => ({ seq, id, txt })),
  );
  expect(first).toHaveLength(3);
  expect(second).toStrictEqual(first);
  expect(source).toStrictEqual(first);
});

test('a position of another journal ends a list with 6, not in silence', async () => {
  await post('one', 'two');
  await writeFile(cursor, '5\n');
  for (const args of [
    ['--cursor', cursor],
    ['--cursor', cursor, '-f'],
  ]) {
    const run = await sandbox.run(['list', ...args], { env });
    expect(run).toMatchObject({ code: 6, stdout: '', stderr: expect.stringMatching(oneLine) });
    expect(run.stderr).toContain('the journal ends at 2');
  }
  expect(await readFile(cursor, 'utf8')).toBe('5\n');
});

test('a follower is told when an emptier journal takes the place of its own', async () => {
  const begin = (port: string) =>
    sandbox.serve('logging', '--store', 'memory:', '--port', port, '--grpc-port', '0');
  const logging = await begin('0');
  const facade = await sandbox.serve('facade', '--logging', logging.url);
  env = { MLOG_URL: facade.url };
  const form = { method: 'POST', body: 'txt=old', headers: { 'content-type': formType } };
  for (let n = 0; n < 3; n += 1) await request(facade.url, form);
  const list = await startList();
  await printed(list, 'old\nold\nold\n');
  await logging.kill('SIGKILL');
  await begin(portOf(logging.url));
  await request(facade.url, form);
  expect(await list.exited).toMatchObject({ code: 6 });
  expect(list.stderr()).toContain('This is journal ');
});

const formType = 'application/x-www-form-urlencoded';
