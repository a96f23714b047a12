import { describe, expect, it } from 'vitest';
import { addScheme, isGrpcAddress, mayHoldUser, parseHttpAddress } from '../src/address.ts';

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
    expect(parseHttpAddress(given, '/logging')).toBe(base);
  });

  it('keeps a path that is no endpoint of the service', () => {
    expect(parseHttpAddress('http://host/logging')).toBe('http://host/logging');
    expect(parseHttpAddress('http://host/messages', '/logging')).toBe('http://host/messages');
    expect(parseHttpAddress('http://host/xlogging', '/logging')).toBe('http://host/xlogging');
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
    expect(parseHttpAddress(given)).toBeUndefined();
  });
});

it.each(['localhost:8880', '127.0.0.1:8880', '[::1]:8880', 'my-host:1/a'])(
  '%j lacks only its scheme',
  (given) => {
    expect(parseHttpAddress(addScheme(given))).toBe(`http://${given}`);
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
  expect(isGrpcAddress(given)).toBe(true);
  expect(mayHoldUser(given)).toBe(false);
});
