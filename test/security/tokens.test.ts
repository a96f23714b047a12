import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  checkToken,
  ownToken,
  parseTokens,
  roleOf,
  type TokenRole,
} from '../../src/security/tokens.ts';

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
    const check =
      (authorization: string | undefined, needs: TokenRole, known = tokens) =>
      () =>
        checkToken(authorization, known, needs, connection);
    const connection = {};
    expect(check(undefined, 'read')).toThrow('needs a token');
    expect(check('Bearer no', 'read')).toThrow('does not know this token');
    expect(check('Bearer re.ad~er+/-_==', 'write')).toThrow('may read but not');
    expect(check('Bearer re.ad~er+/-_==', 'read')).not.toThrow();
    expect(check('Bearer s3cret', 'write')).not.toThrow();
    // The same again, on the same connection: it holds, until the tokens are others.
    expect(check('Bearer s3cret', 'write')).not.toThrow();
    expect(check('Bearer s3cre', 'write')).toThrow('does not know this token');
    expect(check('Bearer s3cret', 'read', parseTokens('other', 'a'))).toThrow('does not know');
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
