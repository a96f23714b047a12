import { describe, expect, it } from 'vitest';
import { MlogError } from '../../src/errors.ts';
import { createHostList, parseHosts } from '../../src/security/hosts.ts';

const codeFor = (authority: string, host = '127.0.0.1', local = '127.0.0.1'): string => {
  try {
    createHostList(host, ['mlog.example', '10.0.0.7', 'fd00::7']).check(authority, local);
    return 'taken';
  } catch (error) {
    return error instanceof MlogError ? error.code : String(error);
  }
};

describe('the host of a request', () => {
  it.each([
    'localhost',
    'LocalHost:8880',
    'localhost.',
    'mlog.localhost:8880',
    '127.0.0.1:1',
    '127.8.8.8',
    '[::1]:8880',
    '[0:0:0:0:0:0:0:1]',
    'mlog.example',
    'MLOG.example.:443',
    '10.0.0.7:8880',
    '[fd00:0::7]:8880',
    'localhost:',
  ])('may be %s', (authority) => {
    expect(codeFor(authority)).toBe('taken');
  });

  it.each([
    'evil.example',
    'localhost.evil.example',
    'evil-localhost',
    'notlocalhost:8880',
    '127.0.0.1.evil.example',
    '10.0.0.8',
    '[::2]',
    'sub.mlog.example',
    '128.0.0.1',
  ])('may not be %s', (authority) => {
    expect(codeFor(authority)).toBe('misdirected');
  });

  it.each([
    '',
    ' ',
    'localhost, evil.example',
    'localhost evil.example',
    'localhost@evil.example',
    'localhost/evil',
    'localhost#',
    'localhost:8880:1',
    'localhost:x',
    '[::1',
    '::1',
    'http://localhost',
    'löcalhost',
    'a\0b',
  ])('is malformed as %j', (authority) => {
    expect(codeFor(authority)).toBe('invalid_argument');
  });

  it('may be the address of this machine that the client connected to', () => {
    expect(codeFor('10.1.2.3:8880', '0.0.0.0', '10.1.2.3')).toBe('taken');
    expect(codeFor('10.1.2.3:8880', '::', '::ffff:10.1.2.3')).toBe('taken');
    expect(codeFor('[fe80::1]', '::', 'fe80::1')).toBe('taken');
    expect(codeFor('10.1.2.4', '0.0.0.0', '10.1.2.3')).toBe('misdirected');
    expect(codeFor('box', 'box', '10.1.2.3')).toBe('taken');
  });

  it('is not remembered as allowed for another address of this machine', () => {
    const list = createHostList('0.0.0.0', []);
    list.check('10.1.2.3', '10.1.2.3');
    expect(() => list.check('10.1.2.3', '10.1.2.4')).toThrow('not known as 10.1.2.3');
  });
});

it('is parsed from a list of names', () => {
  expect(parseHosts('Mlog.example,10.0.0.7,::1')).toEqual(['mlog.example', '10.0.0.7', '[::1]']);
  for (const given of ['a,', 'a:1', '[::1]:1', 'http://a', 'a b', '*', '']) {
    expect(parseHosts(given), given).toBeUndefined();
  }
});
