import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flagOf, readSettings, settingsOf, variableOf } from '../src/config.ts';
import type { Setting } from '../src/setting.ts';
import { settings } from '../src/settings.ts';

describe('the settings', () => {
  it('have one name in three spellings', () => {
    expect(flagOf('batchMaxCount')).toBe('--batch-max-count');
    expect(variableOf('batchMaxCount')).toBe('MLOG_BATCH_MAX_COUNT');
  });

  it('come from the flag, else from the variable, else by default', () => {
    const env = { MLOG_ATTEMPTS_MAX: '5', MLOG_RETRY_DELAY_MS: '7' };
    const read = readSettings('facade', { attemptsMax: '4' }, env);
    expect(read).toMatchObject({ attemptsMax: 4, retryDelayMs: 7, attemptTimeoutMs: 8_000 });
  });

  it.each([
    ['port', 'MLOG_PORT', 8880],
    ['loggingPort', 'MLOG_LOGGING_PORT', 8881],
    ['messagesPort', 'MLOG_MESSAGES_PORT', 8882],
    ['grpcPort', 'MLOG_GRPC_PORT', undefined],
  ] as const)('of %s ignore what a container platform sets in %s', (name, variable, usual) => {
    const others = {
      MLOG_SERVICE_HOST: '10.0.0.7',
      MLOG_SERVICE_PORT: '8880',
      MLOG_PORT_8880_TCP: 'tcp://10.0.0.7:8880',
      MLOG_PORT_8880_TCP_ADDR: '10.0.0.7',
    };
    for (const set of ['tcp://10.0.0.7:8880', 'udp://10.0.0.7:53', 'tcp://[fd00::7]:8880']) {
      expect(readSettings('all', {}, { ...others, [variable]: set })[name]).toBe(usual);
      expect(() => readSettings('all', { [name]: set }, {})).toThrow(
        `${flagOf(name)} is ${JSON.stringify(set)}. It must be`,
      );
    }
    for (const wrong of ['abc', 'tcp://', 'tcp:8880', 'http://10.0.0.7:8880']) {
      expect(() => readSettings('all', {}, { [variable]: wrong })).toThrow(`${variable} is "`);
    }
  });

  it('take an empty variable as not set', () => {
    expect(readSettings('logging', {}, { MLOG_PORT: '' }).port).toBe(8881);
  });

  it.each(['', '-1', '65536', '1.5', '0x10', '1e3', ' 80', 'http', '99999999999999999999'])(
    'refuse the port %j, naming the flag and what is right',
    (given) => {
      expect(() => readSettings('facade', { port: given }, {})).toThrow(
        `--port is ${JSON.stringify(given)}. It must be a whole number from 0 to 65535.`,
      );
    },
  );

  it('name the variable that is wrong', () => {
    expect(() => readSettings('all', {}, { MLOG_LOG_LEVEL: 'loud' })).toThrow(
      'MLOG_LOG_LEVEL is "loud". It must be one of debug, info, warn, error, silent.',
    );
    expect(() => readSettings('client', {}, { MLOG_URL: 'localhost' })).toThrow(
      'MLOG_URL is "localhost". It must be an address such as http://localhost:8880.',
    );
  });

  it('refuse a flag of another role, and leave its variable alone', () => {
    expect(() => readSettings('facade', { store: 'memory:' }, {})).toThrow(
      '--store is not a setting of `mlog serve facade`.',
    );
    expect(
      readSettings('facade', {}, { MLOG_STORE: 'memory:', MLOG_APPEND_MAX_COUNT: 'x' }),
    ).toBeDefined();
  });

  it('name every place of a flag as it is called', () => {
    expect(() => readSettings('facade', { store: 'memory:' }, {})).toThrow(
      expect.objectContaining({
        hint: 'It belongs to `mlog serve logging`, `mlog serve`, `mlog serve messages`, `mlog verify`.',
      }) as Error,
    );
  });

  it('are known only where they do something', () => {
    const inClients = settingsOf('client');
    expect(inClients).toStrictEqual([
      'url',
      'tokenFile',
      'token',
      'tlsCert',
      'tlsKey',
      'ca',
      'timeoutMs',
    ]);
    expect(settingsOf('send')).toStrictEqual([
      'url',
      'tokenFile',
      'token',
      'tlsCert',
      'tlsKey',
      'ca',
      'attemptsMax',
      'retryDelayMs',
      'timeoutMs',
    ]);
  });

  it.each([
    'http://user:secret@host',
    'http://:secret@host',
    'user:secret@host',
    'htp://u:secret@h',
    'grpc://user:secret@host:50051',
  ])('refuse the user in %j and never show the password', (given) => {
    for (const read of [
      () => readSettings('client', { url: given }, {}),
      () => readSettings('facade', {}, { MLOG_LOGGING: given }),
      () => readSettings('logging', { store: given.replace(/^user/, 'http://user') }, {}),
    ]) {
      expect(read).toThrow(/ contains a user or password\. It must be (?!.*secret)/);
    }
  });

  it.each([
    ['client', 'url', 'localhost:8880', 'http://localhost:8880'],
    ['facade', 'logging', 'http://localhost:8881/logging', 'http://localhost:8881'],
    ['facade', 'messages', 'http://localhost:8882/messages', 'http://localhost:8882'],
    ['messages', 'follow', 'http://localhost:8881/logging', 'http://localhost:8881'],
    ['facade', 'logging', 'grpc://localhost:50051', 'grpc://localhost:50051'],
  ] as const)('of %s take %s as %j', (reader, name, given, base) => {
    for (const read of [
      readSettings(reader, { [name]: given }, {}),
      readSettings(reader, {}, { [variableOf(name)]: given }),
    ]) {
      expect(read).toMatchObject({ [name]: { text: base } });
    }
  });

  it('take an @ in the path of an address', () => {
    const url = 'http://localhost:8880/a@b';
    expect(readSettings('client', { url }, {}).url.text).toBe(url);
  });

  it.each(['file://host/x', 'file:///a%2Fb', 'file:///%', 'file:', 'file:a\0b', 'file', 'redis:'])(
    'refuse the store %j',
    (store) => {
      expect(() => readSettings('logging', { store }, {})).toThrow(
        `--store is ${JSON.stringify(store)}. It must be memory: or file:PATH`,
      );
    },
  );

  it.each([
    ['file:~/x.db', join(homedir(), 'x.db')],
    ['file:./~/x.db', resolve('~/x.db')],
    ['file:///a%20b', '/a b'],
    ['file:/a%20b', '/a%20b'],
  ])('find the store %j at %j', (store, path) => {
    expect(readSettings('logging', { store }, {}).store).toMatchObject({ text: store, path });
  });

  it.each([
    ['0', 0],
    ['0d', 0],
    ['1ms', 1],
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['007d', 604_800_000],
  ])('take %j for a time of %i ms', (retainAge, ms) => {
    expect(readSettings('logging', { retainAge }, {}).retainAge).toBe(ms);
    expect(readSettings('all', {}, { MLOG_RETAIN_AGE: retainAge }).retainAge).toBe(ms);
  });

  it.each([
    '',
    '7',
    '00',
    'd',
    '-7d',
    '1.5h',
    '7 d',
    '7D',
    '7days',
    '7d ',
    '1h30m',
    '1e3s',
    '7w',
    '9999999999ms',
  ])('refuse %j for a time, naming the units', (given) => {
    expect(() => readSettings('logging', { retainAge: given }, {})).toThrow(
      `--retain-age is ${JSON.stringify(given)}. It must be a whole number with a unit, ms, s, ` +
        'm, h or d, such as 7d.',
    );
  });

  it('keep all messages, and every service says that it lives, where nothing is said', () => {
    expect(readSettings('all', {}, {})).toMatchObject({
      retainMessages: 0,
      retainAge: 0,
      heartbeatMs: 10_000,
    });
  });

  it.each(['1', '15000'])('take %s ms for a heartbeat', (heartbeatMs) => {
    for (const reader of ['facade', 'logging', 'messages', 'all'] as const) {
      expect(readSettings(reader, { heartbeatMs }, {}).heartbeatMs).toBe(Number(heartbeatMs));
    }
  });

  it.each(['0', '15001', '', '-1', '1.5', '10s'])('refuse %j for a heartbeat', (heartbeatMs) => {
    expect(() => readSettings('logging', { heartbeatMs }, {})).toThrow(
      `--heartbeat-ms is ${JSON.stringify(heartbeatMs)}. It must be a whole number from 1 to 15000.`,
    );
  });

  it('let a messages service be a replica that keeps its messages in memory', () => {
    expect(readSettings('messages', {}, { XDG_DATA_HOME: '/data' })).toMatchObject({
      store: { scheme: 'memory' },
    });
    expect(readSettings('messages', {}, {}).follow).toBeUndefined();
    const follow = 'http://localhost:8881';
    expect(readSettings('messages', { follow, store: 'file:/x.db' }, {})).toMatchObject({
      follow: { text: follow },
      store: { scheme: 'file', path: '/x.db' },
    });
    expect(() => readSettings('messages', { follow: 'localhost' }, {})).toThrow(
      '--follow is "localhost". It must be one address such as http://localhost:8881 or grpc://',
    );
  });

  it.each([
    'grpc://localhost:50051',
    'grpc://127.0.0.1:1',
    'grpc://[::1]:50051',
    'grpc://a-b.c:65535',
  ])('take %j for a logging service', (logging) => {
    expect(readSettings('facade', { logging }, {}).logging.text).toBe(logging);
    expect(readSettings('messages', { follow: logging }, {}).follow?.text).toBe(logging);
    expect(() => readSettings('client', { url: logging }, {})).toThrow('--url is');
  });

  it.each([
    'grpc://localhost',
    'grpc://localhost:0',
    'grpc://localhost:65536',
    'grpc://:50051',
    'grpc://localhost:50051/',
    'grpc://localhost:50051/x',
    'grpc://localhost:50051?x',
    'grpc:localhost:50051',
    'grpc://[::1:50051',
    'grpcx://localhost:50051',
  ])('refuse %j and say what is right', (logging) => {
    expect(() => readSettings('facade', { logging }, {})).toThrow(
      `--logging is ${JSON.stringify(logging)}. It must be one address such as ` +
        'http://localhost:8881 or grpc://localhost:50051.',
    );
  });

  it('have a port for gRPC only where somebody says one', () => {
    expect(readSettings('logging', {}, {}).grpcPort).toBeUndefined();
    expect(readSettings('all', {}, { MLOG_GRPC_PORT: '0' }).grpcPort).toBe(0);
    expect(() => readSettings('facade', { grpcPort: '1' }, {})).toThrow('not a setting of');
  });

  it('keep the data in the XDG data folder', () => {
    expect(readSettings('all', {}, { XDG_DATA_HOME: '/data' }).store.text).toBe(
      'file:/data/mlog/mlog.db',
    );
    expect(readSettings('all', {}, { XDG_DATA_HOME: 'data' }).store.text).toMatch(
      /^file:\/.*\/\.local\/share\/mlog\/mlog\.db$/,
    );
  });

  it('say of each what it is, and have defaults that they take themselves', () => {
    for (const setting of Object.values(settings)) {
      expect(setting.help).toMatch(/^[A-Z]/);
      const { default: byDefault, defaultText = String(byDefault) }: Setting<unknown> = setting;
      if (byDefault === undefined || typeof byDefault === 'function') continue;
      // An empty list is not written.
      if (Array.isArray(byDefault)) continue;
      expect(setting.parse(defaultText)).toEqual(byDefault);
    }
  });
});
