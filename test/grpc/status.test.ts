import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { MlogError, type Code } from '../../src/errors.ts';
import { isExhausted, isUnread, statusError, toStatus } from '../../src/grpc/status.ts';

const url = 'grpc://localhost:1';

describe('the status of an error', () => {
  it.each<[Code, status]>([
    ['invalid_argument', status.INVALID_ARGUMENT],
    ['conflict', status.ALREADY_EXISTS],
    ['not_found', status.NOT_FOUND],
    ['gone', status.OUT_OF_RANGE],
    ['too_large', status.RESOURCE_EXHAUSTED],
    ['overloaded', status.UNAVAILABLE],
    ['storage_full', status.UNAVAILABLE],
    ['deadline_exceeded', status.DEADLINE_EXCEEDED],
    ['unimplemented', status.UNIMPLEMENTED],
    ['data_loss', status.DATA_LOSS],
  ])('of %s is %i, and comes back as it was', (code, expected) => {
    const told = toStatus(new MlogError(code, 'Said.', { hint: 'Done.' }));
    expect(told).toMatchObject({ code: expected, details: 'Said. Done.' });
    expect(statusError(told, url)).toMatchObject({ code });
  });

  it.each(['closed', 'internal', 'cancelled'] as const)(
    'that says of the other service that it is %s comes back as an outage, which may pass',
    (code) => {
      const told = toStatus(new MlogError(code, 'Said.'));
      expect(statusError(told, url)).toMatchObject({ code: 'unavailable', retryable: true });
    },
  );

  it('tells where a journal begins, and nothing of an error that is not ours', () => {
    const gone = toStatus(new MlogError('gone', 'Said.', { details: { firstSeq: 41 } }));
    expect(statusError(gone, url)).toMatchObject({ code: 'gone', details: { firstSeq: 41 } });
    const told = toStatus(new TypeError('at /secret/path'));
    expect(told.code).toBe(status.INTERNAL);
    expect(JSON.stringify([told.details, told.metadata.getMap()])).not.toContain('secret');
  });
});

describe('where there is no reply', () => {
  const none = 'No connection established. Last error:';

  it.each([
    [
      `${none} Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: `,
      `Nothing listens at ${url}.`,
    ],
    [
      'Name resolution failed for target dns:nowhere:1',
      `The host name of ${url} does not resolve.`,
    ],
    [
      `${none} Error: connect EHOSTUNREACH 10.0.0.1:1. Resolution note: `,
      `The call to ${url} ended with UNAVAILABLE: ${none} Error: connect EHOSTUNREACH 10.0.0.1:1.`,
    ],
    ['Connection dropped', `The call to ${url} ended with UNAVAILABLE: Connection dropped.`],
  ])('%j is told as a sentence', (details, message) => {
    const error = statusError({ code: status.UNAVAILABLE, details, metadata: new Metadata() }, url);
    expect(error).toMatchObject({ code: 'unavailable', message });
  });

  it('a call without a reply in time is told as over HTTP', () => {
    const details = 'Deadline exceeded after 2.001s,metadata filters: 0.001s';
    const late = { code: status.DEADLINE_EXCEEDED, details, metadata: new Metadata() };
    const message = `No reply from ${url} in time.`;
    expect(statusError(late, url)).toMatchObject({ code: 'deadline_exceeded', message });
  });

  it('what the service itself says is told as it is', () => {
    const told = toStatus(new MlogError('unavailable', 'ECONNREFUSED is a word.'));
    expect(statusError(told, url).message).toContain('UNAVAILABLE: ECONNREFUSED is a word.');
  });
});

describe('a call that was too much', () => {
  const { RESOURCE_EXHAUSTED: code } = status;
  const details = 'said';

  it('was refused unread where the status came in the place of a reply', () => {
    const metadata = new Metadata();
    metadata.set('content-type', 'application/grpc+proto');
    expect(isUnread({ code, details, metadata })).toBe(true);
    metadata.set('mlog-code', 'too_large');
    expect(isExhausted({ code, details, metadata })).toBe(false);
  });

  it('may have been read where grpc-js at this end says it of a stream that was reset', () => {
    const metadata = new Metadata();
    expect(isExhausted({ code, details, metadata })).toBe(true);
    expect(isUnread({ code, details, metadata })).toBe(false);
  });
});

describe('the status of another server', () => {
  it.each<[status, Code, boolean]>([
    [status.UNAVAILABLE, 'unavailable', true],
    [status.UNKNOWN, 'unavailable', true],
    [status.INTERNAL, 'unavailable', true],
    [status.CANCELLED, 'unavailable', true],
    [status.ABORTED, 'unavailable', true],
    [status.RESOURCE_EXHAUSTED, 'overloaded', true],
    [status.DEADLINE_EXCEEDED, 'deadline_exceeded', true],
    [status.INVALID_ARGUMENT, 'invalid_argument', false],
    [status.FAILED_PRECONDITION, 'invalid_argument', false],
    [status.ALREADY_EXISTS, 'conflict', false],
    [status.UNAUTHENTICATED, 'unauthenticated', false],
    [status.UNIMPLEMENTED, 'unimplemented', false],
  ])('%i means %s', (code, expected, retryable) => {
    const metadata = new Metadata();
    metadata.set('mlog-code', 'constructor');
    const error = statusError({ code, details: 'said', metadata }, url);
    expect(error).toMatchObject({ code: expected, retryable });
    expect(error.message).toContain(url);
  });
});
