import { describe, expect, it } from 'vitest';
import { checkOrigin, parseOrigins } from '../../src/security/origins.ts';

const allowed = new Set(['https://app.example']);
const check =
  (origin?: string, site?: string, host = 'localhost:8880') =>
  () =>
    checkOrigin({ host, origin, site }, allowed);

describe('a request that may change something', () => {
  it.each([
    [undefined, undefined],
    ['http://localhost:8880', undefined],
    ['http://localhost:8880', 'same-origin'],
    [undefined, 'same-origin'],
    [undefined, 'none'],
    ['https://app.example', 'cross-site'],
    ['https://app.example', undefined],
  ])('is taken from origin %s and site %s', (origin, site) => {
    expect(check(origin, site)).not.toThrow();
  });

  it.each([
    ['null', undefined],
    ['null', 'cross-site'],
    ['http://localhost:3000', undefined],
    ['http://localhost:3000', 'same-site'],
    ['http://localhost', undefined],
    ['http://evil.example', undefined],
    ['http://evil.example', 'cross-site'],
    [undefined, 'cross-site'],
    [undefined, 'same-site'],
    [undefined, 'anything'],
    ['file://', undefined],
    ['http://app.example', undefined],
    ['https://app.example:444', undefined],
    ['https://app.example.evil.example', undefined],
    ['', undefined],
  ])('is refused from origin %s and site %s', (origin, site) => {
    expect(check(origin, site)).toThrow('A page of another origin may not send');
  });

  it('compares the port that the scheme implies', () => {
    expect(check('http://mlog.example', undefined, 'mlog.example:80')).not.toThrow();
    expect(check('https://mlog.example', undefined, 'MLOG.example')).not.toThrow();
    expect(check('https://mlog.example', undefined, 'mlog.example:80')).toThrow('another origin');
  });
});

it('is parsed from a list of origins', () => {
  expect(parseOrigins('https://App.example:443,http://localhost:3000')).toEqual([
    'https://app.example',
    'http://localhost:3000',
  ]);
  for (const given of ['', '*', 'null', 'app.example', 'https://a/', 'https://u@a', 'ftp://a']) {
    expect(parseOrigins(given), given).toBeUndefined();
  }
});
