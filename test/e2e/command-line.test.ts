import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { getText, postForm } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox } from '../support/sandbox.ts';
import { startProgram } from '../support/program.ts';

const oneLine = /^mlog: [^\n]+\n$/;
const anyPorts = ['--port', '0', '--logging-port', '0', '--messages-port', '0'];

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('help', () => {
  const helpOf = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await sandbox.run(args);
    expect({ code, stderr }).toStrictEqual({ code: 0, stderr: '' });
    return stdout;
  };
  const examplesOf = (help: string): string[] => {
    const [, examples = ''] = help.split('\nExamples:\n');
    return examples.trimEnd().split('\n');
  };

  test('of the program and of every command ends in worked examples', async () => {
    const help = await helpOf(['--help']);
    expect(await helpOf(['help'])).toBe(help);
    const [list = ''] = help.split('\nCommands:\n')[1]!.split('\n\n');
    const names = Array.from(list.matchAll(/^ {2}([a-z]+) /gm), ([, name]) => name!);
    expect(names).toStrictEqual(expect.arrayContaining(['serve', 'send', 'list', 'help']));

    for (const line of examplesOf(help)) expect(line).toMatch(/mlog |curl /);
    for (const name of names.filter((command) => command !== 'help')) {
      const own = await helpOf([name, '--help']);
      expect(await helpOf(['help', name])).toBe(own);
      if (name !== 'version') expect(own).toMatch(/\(default\s+\S/);
      for (const line of examplesOf(own)) expect(line, name).toMatch(/mlog |curl /);
    }
  });

  test.each([
    [
      'serve',
      [
        '--port',
        '--store',
        '(default 2000, MLOG_RETRY_DELAY_MS; only facade)',
        'MLOG_STORE; only logging, messages or no role)',
        'MLOG_LOGGING_PORT; only without a role)',
        'MLOG_HOST)',
      ],
    ],
    ['send', ['--id', '--json', '(default 3, MLOG_ATTEMPTS_MAX)']],
    ['list', ['--after', '--last', '(default http://localhost:8880, MLOG_URL)']],
  ])('of `mlog %s` tells its flags, their defaults and variables', async (name, facts) => {
    const help = (await helpOf([name, '--help'])).replace(/\s+/g, ' ');
    for (const fact of facts) expect(help).toContain(fact);
  });

  test.each([
    ['list', /--attempts-max|--retry-delay-ms|--log-level/],
    ['backup', /--attempts-max|--retry-delay-ms|--log-level/],
    ['send', /--log-level/],
  ])('of `mlog %s` offers nothing that does nothing', async (name, idle) => {
    expect(await helpOf([name, '--help'])).not.toMatch(idle);
  });

  test.each(['facade', 'logging', 'messages'])(
    'of `mlog serve %s` shows the settings and examples of that role alone',
    async (role) => {
      const help = await helpOf(['serve', role, '--help']);
      expect(help).not.toMatch(/; only /);
      for (const line of examplesOf(help)) expect(line).toContain(`mlog serve ${role} `);
      expect(help.includes('--retry-delay-ms')).toBe(role === 'facade');
      expect(help.includes('--batch-max-count')).toBe(role !== 'messages');
      expect(help.includes('--follow')).toBe(role === 'messages');
      expect(help).toContain('--heartbeat-ms');
    },
  );

  test.each([
    [['sned', 'Its me'], "Unknown command 'sned'. Did you mean send? See `mlog --help`."],
    [
      ['send', '--jsn', 'x'],
      "Unknown option '--jsn'. Did you mean --json? See `mlog send --help`.",
    ],
    [['send', '- item'], 'after --: mlog send -- "- item". See `mlog send --help`.'],
    [['backup'], "Missing required argument 'file'. See `mlog backup --help`."],
    [['list', '--limit', 'x'], 'It must be a whole number of 0 or more. See `mlog list --help`.'],
    [['serve', 'facade', '--port', 'x'], '0 to 65535. See `mlog serve facade --help`.'],
  ])('tells what is wrong with `mlog %j` in a line that points to its help', async (args, said) => {
    const { code, stderr } = await sandbox.run(args);
    expect({ code, stderr }).toStrictEqual({ code: 2, stderr: expect.stringMatching(oneLine) });
    expect(stderr.trimEnd().endsWith(said), stderr).toBe(true);
  });

  test('tells its version', async () => {
    const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    for (const flag of ['--version', '-V']) {
      const run = await sandbox.run([flag]);
      expect(run).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
    }
  });

  test.each([
    [['serve', 'lodging'], /lodging/],
    [['serve', 'logging', 'facade'], /./],
    [['serve', '--prot', '0'], /--prot/],
    [['serve', 'messages', '--store', 'file:./x.db'], /--store needs --follow/],
    [['serve', 'facade', '--store', 'memory:'], /--store.*mlog serve logging.*mlog verify/],
    [['serve', '--store', 'file://host/x'], /--store is "file:\/\/host\/x"/],
    [['verify', '--store', 'file:///a%2Fb'], /--store is "file:\/\/\/a%2Fb"/],
    [['verify', '--store', 'memory:'], /`mlog verify` needs file:PATH/],
    [['backup', ''], /^mlog: The path of the copy is ""/],
    [['backup', 'file://host/x'], /^mlog: The path of the copy is "file:/],
    [['list', '--url', 'http://user:pw@localhost'], /^mlog: --url contains a user or password/],
    [['list', '--attempts-max', '1'], /--attempts-max/],
    [['serve', '--port'], /--port/],
    [['sned', 'Its me'], /sned/],
    [['send'], /text/],
    [['send', '--unknown', 'x'], /--unknown/],
    [['list', 'everything'], /./],
    [[], /Usage/],
  ])('ends with 2 on `mlog %j` and tells what was wrong on stderr', async (args, said) => {
    const run = await sandbox.run(args);
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(said) });
  });
});

test('keeps a store in the home folder', async () => {
  const { ready } = await sandbox.serve('logging', '--store', 'file:~/in-home.db');
  expect(ready).toMatchObject({ store: 'file:~/in-home.db' });
  expect((await stat(join(sandbox.folder, 'in-home.db'))).isFile()).toBe(true);
});

describe('settings', () => {
  test.each([
    [['serve', '--port', '65536'], {}, '--port is "65536". It must be a whole number from 0 to'],
    [['serve'], { MLOG_PORT: 'http' }, 'MLOG_PORT is "http". It must be a whole number from 0 to'],
    [['serve'], { MLOG_LOG_LEVEL: 'loud' }, 'MLOG_LOG_LEVEL is "loud". It must be one of debug,'],
    [['serve', 'facade', '--logging', 'localhost:1'], {}, '--logging is "localhost:1". It must be'],
    [['serve'], { MLOG_STORE: 'redis:' }, 'MLOG_STORE is "redis:"'],
    [['serve', '--store', 'mlog.db'], {}, '--store is "mlog.db"'],
    [['send', 'x'], { MLOG_ATTEMPTS_MAX: '0' }, 'MLOG_ATTEMPTS_MAX is "0". It must be a whole'],
    [['list', '--url', 'ftp://localhost'], {}, '--url is "ftp://localhost". It must be an address'],
  ])(
    '`mlog %j` with %j is told which one is wrong, where from, and what is right',
    async (...row) => {
      const [args, env, said] = row;
      const run = await sandbox.run(args, { env });
      expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain(said);
      expect(run.stderr).toContain('It must be');
    },
  );

  test('come from the environment as from a flag, and the flag wins', async () => {
    const { facade } = await sandbox.serveAll();
    const port = portOf(facade.url);
    await facade.kill('SIGTERM');
    const env = {
      ...sandbox.env,
      MLOG_PORT: port,
      MLOG_LOGGING_PORT: '0',
      MLOG_MESSAGES_PORT: '0',
    };
    const program = await startProgram(['serve', '--store', 'memory:'], {
      env: { ...env, MLOG_STORE: `file:${join(sandbox.folder, 'unused.db')}` },
    });
    expect(program.ready).toMatchObject({ facade: facade.url, store: 'memory:' });
    expect(await postForm(facade.url, { txt: 'Its me' })).toMatchObject({ status: 200 });
  });

  test('in an empty variable count as not set', async () => {
    const env = { ...sandbox.env, MLOG_STORE: '', MLOG_LOG_LEVEL: '', MLOG_TXT_MAX_BYTES: '' };
    const { ready } = await startProgram(['serve', ...anyPorts], { env });
    const path = join(sandbox.folder, 'data', 'mlog', 'mlog.db');
    expect(ready['store']).toBe(`file:${path}`);
    const run = await sandbox.run(['send', 'Its me'], {
      env: { MLOG_URL: String(ready['facade']), MLOG_ATTEMPTS_MAX: '', MLOG_RETRY_DELAY_MS: '' },
    });
    expect(run).toMatchObject({ code: 0, stderr: '' });
  });

  test('of a start are told in its Ready line: addresses, store, durability', async () => {
    const { facade } = await sandbox.serveAll();
    expect(facade.ready).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      facade: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      logging: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      messages: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      store: sandbox.store,
      durability: expect.stringMatching(/disk/),
    });
  });
});

describe('a start that cannot be', () => {
  test('names the port that is in use, and what to do', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    sandbox.defer(() => blocker.close());
    const { port } = blocker.address() as { port: number };
    for (const flag of ['--port', '--logging-port', '--messages-port']) {
      const run = await sandbox.run(['serve', ...anyPorts, flag, String(port)]);
      expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain(`Port ${port} of 127.0.0.1 is in use`);
      expect(run.stderr).toContain(flag);
    }
  });

  test('leaves the store to the server that has it, which goes on unharmed', async () => {
    const { facade, logging } = await sandbox.serveAll();
    await postForm(facade.url, { txt: 'before' });
    for (const role of [['logging'], []]) {
      const rest = role.length > 0 ? ['--port', '0'] : anyPorts;
      const run = await sandbox.run(['serve', ...role, ...rest, '--store', sandbox.store]);
      expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toMatch(/mlog\.db is in use by another process/);
    }
    expect(await postForm(facade.url, { txt: 'after' })).toMatchObject({ status: 200 });
    await facade.kill('SIGKILL');
    const again = await sandbox.serve('logging', '--port', portOf(logging.url));
    expect(await getText(new URL('/logging', again.url))).toBe('["before","after"]\n');
  });

  test('says why a store cannot be where it should', async () => {
    const file = join(sandbox.folder, 'file');
    await writeFile(file, 'no store of mlog, and long enough to be one'.repeat(100));
    await mkdir(join(sandbox.folder, 'folder'));
    for (const path of [join(file, 'mlog.db'), file, join(sandbox.folder, 'folder')]) {
      const run = await sandbox.run(['serve', ...anyPorts, '--store', `file:${path}`]);
      expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain(path);
    }
    expect(await readFile(file, 'utf8')).toMatch(/^no store of mlog/);
  });

  test('says that a host is not of this machine', async () => {
    // An address of a block reserved for documentation (RFC 5737), and one that lacks its zone.
    for (const host of ['192.0.2.1', 'fe80::1']) {
      const run = await sandbox.run([
        'serve',
        'messages',
        '--port',
        '0',
        '--host',
        host,
        '--insecure-no-auth',
      ]);
      expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain(`${host} is not an address of this machine`);
    }
  });
});
