import { describe, expect, it } from 'vitest';
import { MlogError, toMlogError } from '../src/errors.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe('an error that is not one of ours', () => {
  it.each(['EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'ENOMEM', 'ERR_WORKER_INIT_FAILED'])(
    'is not called a fault in mlog where the system has run out of something: %s',
    (code) => {
      const error = toMlogError(systemError(code));
      expect(error).toMatchObject({
        code: 'failed_precondition',
        hint: expect.stringMatching(/\.$/),
      });
    },
  );

  it('is a fault in mlog otherwise, which tells a client nothing of its cause', () => {
    const cause = new TypeError('secret is not a function');
    expect(toMlogError(cause)).toMatchObject({ code: 'internal', cause });
    expect(toMlogError(cause).message).not.toContain('secret');
  });

  it('names no path to a client', () => {
    const cause = Object.assign(new Error("EMFILE: open '/home/me/mlog.db'"), { code: 'EMFILE' });
    const { message, hint } = toMlogError(cause);
    expect(message + String(hint)).not.toContain('/home/me');
  });

  it('is given as it is where it is one of ours', () => {
    const error = new MlogError('gone', 'It is gone.');
    expect(toMlogError(error)).toBe(error);
  });
});
