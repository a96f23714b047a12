import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';
import { openSandbox, type Sandbox, type Services } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('mlog send --lines', () => {
  let services: Services;
  let env: NodeJS.ProcessEnv;
  beforeEach(async () => {
    services = await sandbox.serveAll();
    env = { MLOG_URL: services.facade.url };
  });

  const textsOf = async (): Promise<string[]> =>
    (await readEntries(services.logging.url)).map(({ txt }) => txt);

  test('sends each line of stdin in order, and leaves out empty ones, CRs and a byte order mark', async () => {
    const input = '\uFEFFfirst\n\r\n\n  second ünï🙂\r\n{"txt":"third"}\nlast without a newline';
    const run = await sandbox.run(['send', '--lines'], { env, input });
    expect(run).toMatchObject({ code: 0, stdout: '', stderr: '4 logged\n' });
    expect(await textsOf()).toEqual([
      'first',
      '  second ünï🙂',
      '{"txt":"third"}',
      'last without a newline',
    ]);
  });

  test('stores 20,000 lines of a file once, though it is sent twice', async () => {
    const folder = await temporaryFolder();
    sandbox.defer(() => folder.remove());
    const file = join(folder.path, 'lines.txt');
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index + 1}`);
    await writeFile(file, `${lines.join('\n')}\n`);
    const args = ['send', '--lines', '-f', file, '--id', 'run'];
    expect(await sandbox.run(args, { env })).toMatchObject({ code: 0, stderr: '20000 logged\n' });
    const again = await sandbox.run([...args, '--json'], { env });
    expect(again).toMatchObject({ code: 0, stderr: '0 logged, 20000 duplicate\n' });
    expect(again.stdout.split('\n')).toHaveLength(20_001);
    const entries = await readEntries(services.logging.url);
    expect(entries).toHaveLength(20_000);
    expect(new Map(entries.map(({ id, txt }) => [id, txt]))).toEqual(
      new Map(lines.map((txt, index) => [`run-${index + 1}`, txt])),
    );
  });

  test('takes JSON lines with their ids, and entries as mlog list --json writes them', async () => {
    const input = '{"id":"a","txt":"one"}\n{"seq":7,"id":"b","txt":"two","at":"x"}\n';
    expect(await sandbox.run(['send', '--ndjson'], { env, input })).toMatchObject({ code: 0 });
    const exported = await sandbox.run(['list', '--json'], { env });
    const imported = await sandbox.run(['send', '--ndjson'], { env, input: exported.stdout });
    expect(imported).toMatchObject({ code: 0, stderr: '0 logged, 2 duplicate\n' });
    expect(await textsOf()).toEqual(['one', 'two']);
  });

  test('tells of each line that is refused or in conflict, and stores the others', async () => {
    const input =
      '{"id":"a","txt":"one"}\nnot JSON\n{"id":"a","txt":"other"}\n{"id":"b","txt":"two"}\n';
    const run = await sandbox.run(['send', '--ndjson', '--json'], { env, input });
    expect(run.code).toBe(5);
    expect(run.stderr).toContain('Line 2 is refused: This is not JSON.');
    expect(run.stderr).toContain('Line 3 conflicts: another text is stored under the id a.\n');
    expect(run.stderr).toContain('mlog: 1 line has an id under which another text is stored.');
    expect(run.stderr).toContain('2 logged, 1 conflict, 1 refused');
    const answers = run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; status: string });
    expect(
      answers.toSorted((a, b) => a.line - b.line).map(({ line, status }) => [line, status]),
    ).toEqual([
      [1, 'logged'],
      [2, 'refused'],
      [3, 'conflict'],
      [4, 'logged'],
    ]);
    expect(await textsOf()).toEqual(['one', 'two']);
  });

  test('tells a line that is not UTF-8 by its number, and stores the others', async () => {
    const texts = Array.from({ length: 5_000 }, (_, index) => `line ${index + 1}`);
    const bytes = Buffer.from(texts.join('\n'));
    bytes[bytes.indexOf('line 3500')] = 0xe9;
    const run = await sandbox.run(['send', '--lines'], { env, input: bytes });
    expect(run).toMatchObject({ code: 4 });
    expect(run.stderr).toMatch(/^Line 3500 is refused: It is not valid UTF-8\.\n4999 logged, 1 r/);
    expect(await textsOf()).toEqual(texts.filter((text) => text !== 'line 3500'));
  });

  test('sends again what got no answer, and doubles nothing', async () => {
    const proxy = await startProxy(services.facade.url);
    sandbox.defer(() => proxy.close());
    let replies = 0;
    proxy.faults.dropReply = () => (replies += 1) === 1;
    const input = Array.from({ length: 3_000 }, (_, index) => `line ${index}\n`).join('');
    const args = ['send', '--lines', '--url', proxy.url, '--retry-delay-ms', '10'];
    const run = await sandbox.run(args, { input });
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/ Sending again\.\n\d+ logged, \d+ duplicate\n$/);
    expect(new Set(await textsOf()).size).toBe(3_000);
    expect(await textsOf()).toHaveLength(3_000);
  });

  test('keeps the order of the lines, also when it has to send some again', async () => {
    const proxy = await startProxy(services.facade.url);
    sandbox.defer(() => proxy.close());
    let replies = 0;
    proxy.faults.dropReply = () => (replies += 1) === 1;
    const texts = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);
    const args = ['send', '--lines', '--url', proxy.url, '--retry-delay-ms', '10'];
    const run = await sandbox.run(args, { input: texts.join('\n') });
    expect(run.code).toBe(0);
    expect(await textsOf()).toEqual(texts);
  });

  test.each([
    [['send', '--lines', 'text'], 'A text cannot be combined with --lines or --ndjson.'],
    [['send', '--file', 'x', 'text'], '--file needs --lines or --ndjson.'],
    [['send', '--lines', '--ndjson'], '--lines and --ndjson cannot be combined.'],
    [['send'], 'There is no text to send.'],
    [['send', '- item'], 'mlog send -- "- item"'],
    [['send', '--lines', '-f', '/nowhere/at/all'], '/nowhere/at/all cannot be read'],
  ])('is told how to be used: mlog %j', async (args, said) => {
    const run = await sandbox.run(args, { env });
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain(said);
  });

  test('fails when nothing answers', async () => {
    const args = ['send', '--lines', '--url', 'http://127.0.0.1:1', '--retry-delay-ms', '1'];
    const run = await sandbox.run(args, { input: 'a\nb\n' });
    expect(run.code).toBe(3);
    expect(run.stderr).toContain('Nothing listens at http://127.0.0.1:1');
  });
});
