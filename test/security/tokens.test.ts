import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkToken, ownToken, parseTokens, roleOf } from '../../src/security/tokens.ts';

const digest = createHash('sha256').update('hidden').digest('hex');
const tokens = parseTokens(
  `# who\n\napp write s3cret\r\n  board  read  re.ad~er+/-_==\nci write sha256:${digest}\n`,
  'tokens',
);

describe('a token', () => {
  it.each([
    ['Bearer s3cret', 'write'],
    ['bearer   s3cret', 'write'],
    ['Bearer re.ad~er+/-_==', 'read'],
    ['Bearer hidden', 'write'],
    ['Bearer s3cre', undefined],
    ['Bearer s3crets', undefined],
    ['Bearer ', undefined],
    ['s3cret', undefined],
    ['Basic s3cret', undefined],
    [`Bearer sha256:${digest}`, undefined],
    [`Bearer ${digest}`, undefined],
    [undefined, undefined],
  ])('sent as %s allows %s', (authorization, role) => {
    expect(roleOf(authorization, tokens)).toBe(role);
  });

  it('may stand alone, and then it may write', () => {
    expect(roleOf('Bearer one', parseTokens('one\n', 'a'))).toBe('write');
  });

  it('is not known where it is not sent, and forbidden where it only reads', () => {
    expect(() => checkToken(undefined, tokens, 'read')).toThrow('needs a token');
    expect(() => checkToken('Bearer no', tokens, 'read')).toThrow('does not know this token');
    expect(() => checkToken('Bearer re.ad~er+/-_==', tokens, 'write')).toThrow('may read but not');
    expect(() => checkToken('Bearer re.ad~er+/-_==', tokens, 'read')).not.toThrow();
    expect(() => checkToken('Bearer s3cret', tokens, 'write')).not.toThrow();
  });

  it('of a client is the first one that may write and is known in full', () => {
    expect(ownToken(tokens)).toBe('s3cret');
    expect(ownToken(parseTokens('a read one\nb read two', 'a'))).toBe('one');
    expect(ownToken(parseTokens(`a write sha256:${digest}`, 'a'))).toBeUndefined();
  });

  it.each(['a b', 'a write', 'a admin t', 'a write t x', 'a/b write t', 'tö', 'a write "t"'])(
    'is refused as %j, and not shown',
    (line) => {
      expect(() => parseTokens(`# x\n${line}`, 'tokens')).toThrow(
        'Line 2 of tokens is not a token.',
      );
    },
  );

  it('is missing in a file of comments', () => {
    expect(() => parseTokens('# none\n', 'tokens')).toThrow('There is no token in tokens.');
  });
});
