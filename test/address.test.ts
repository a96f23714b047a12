import { describe, expect, it } from 'vitest';
import {
  addScheme,
  httpSchemes,
  mayHoldUser,
  originOf,
  parseAddress,
  parseAddresses,
  serviceSchemes,
} from '../src/address.ts';
import { anyAddress } from './support/address.ts';

const parseHttp = (given: string, endpoint?: string) => parseAddress(given, httpSchemes, endpoint);

describe('an http address', () => {
  it.each([
    ['http://localhost:8881', 'http://localhost:8881'],
    ['http://localhost:8881/', 'http://localhost:8881'],
    ['http://localhost:8881/logging', 'http://localhost:8881'],
    ['http://localhost:8881/logging/', 'http://localhost:8881'],
    ['https://host/a/logging', 'https://host/a'],
    ['http://host/a/b', 'http://host/a/b'],
    ['http://host/a@b', 'http://host/a@b'],
    ['HTTP://Host:80/', 'http://host'],
  ])('%j is read as %j', (given, base) => {
    expect(parseHttp(given, '/logging')?.text).toBe(base);
  });

  it('keeps a path that is no endpoint of the service', () => {
    expect(parseHttp('http://host/logging')?.text).toBe('http://host/logging');
    expect(parseHttp('http://host/messages', '/logging')?.text).toBe('http://host/messages');
    expect(parseHttp('http://host/xlogging', '/logging')?.text).toBe('http://host/xlogging');
  });

  it.each([
    '',
    ' ',
    'htp://host',
    'grpc://host:1',
    'memory:',
    'localhost:8881',
    'file:./x.db',
    'host:port',
    'http://',
    'http://host:99999',
    'http://host?x=1',
    'localhost:8880/?x',
    'http://host/#a',
    'http://user@host',
    'user:secret@host',
    'two words',
  ])('%j is none', (given) => {
    expect(parseHttp(given)).toBeUndefined();
  });
});

it.each(['localhost:8880', '127.0.0.1:8880', '[::1]:8880', 'my-host:1/a'])(
  '%j lacks only its scheme',
  (given) => {
    expect(parseHttp(addScheme(given))?.text).toBe(`http://${given}`);
  },
);

it.each(['localhost', 'http://localhost:1', 'user:secret@host', 'htp://host:1', 'host:port', ''])(
  '%j is left as it is',
  (given) => {
    expect(addScheme(given)).toBe(given);
  },
);

it.each(['http://u:p@host', 'u:p@host', 'grpc://u:p@host:1', 'htp://u:p@host'])(
  '%j may hold a password',
  (given) => {
    expect(mayHoldUser(given)).toBe(true);
  },
);

it.each(['grpc://localhost:50051', 'grpc://[::1]:50051'])('%j is an address of gRPC', (given) => {
  expect(parseAddress(given, ['grpc'])?.text).toBe(given);
  expect(mayHoldUser(given)).toBe(false);
});

it.each([
  ['http://Host/a/b/', { scheme: 'http', host: 'host', port: 80, path: '/a/b' }],
  ['https://[::1]', { scheme: 'https', host: '[::1]', port: 443, path: '' }],
  ['grpc://[::1]:50051', { scheme: 'grpc', host: '[::1]', port: 50_051, path: '' }],
  ['file:/data/x.db', { scheme: 'file', host: '', port: 0, path: '/data/x.db' }],
  ['memory:', { scheme: 'memory', host: '', port: 0, path: '', text: 'memory:' }],
])('%j is taken apart once', (given, parts) => {
  expect(anyAddress(given)).toMatchObject(parts);
});

it('has an origin to which paths are added', () => {
  expect(originOf(anyAddress('http://host:8880/a/b/'))).toBe('http://host:8880');
  expect(originOf(anyAddress('http://host'))).toBe('http://host');
});

it('is one of a list, of which each is parsed', () => {
  const texts = (given: string) => parseAddresses(given, serviceSchemes)?.map(({ text }) => text);
  expect(texts('http://a:1,grpc://b:2')).toEqual(['http://a:1', 'grpc://b:2']);
  expect(texts('http://a:1')).toEqual(['http://a:1']);
  for (const given of ['http://a:1,', ',http://a:1', 'http://a:1,b', 'http://a,b:1']) {
    expect(texts(given), given).toBeUndefined();
  }
});
