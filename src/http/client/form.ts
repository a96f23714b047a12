import { MlogError } from '../../errors.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import { notLoggingError, unexpectedReplyError } from '../../journal/remote/remote-errors.ts';
import { createReferenceJournal } from '../../journal/remote/reference.ts';
import type { Message } from '../../message.ts';
import type { HttpClient, HttpReply } from './client.ts';
import { mediaTypes } from '../formats.ts';
import { isRedirect, statusError } from './problem.ts';

/**
 * Returns the journal of a logging service of the reference over HTTP, which takes forms and lists
 * texts: one message per request, no numbers, no entries. A repeated id is a `duplicate`, whatever
 * its text.
 */
export function createFormJournal(client: HttpClient): Journal {
  async function appendOne({ id, txt }: Message): Promise<AppendResult> {
    const reply = await client.exchange({
      method: 'POST',
      path: '/logging',
      headers: { 'content-type': mediaTypes.form },
      body: `id=${encodeURIComponent(id)}&txt=${encodeURIComponent(txt)}`,
    });
    if (reply.header('mlog-role') !== '') {
      throw new MlogError('unavailable', `The service at ${client.url} is mlog now.`, {
        isUnexpected: true,
      });
    }
    if (reply.status === 201 && says(reply, 'Message logged')) return { id, status: 'logged' };
    // An attempt whose reply was lost has stored the message, so this is success.
    if (reply.status === 200 && says(reply, 'Duplicate detected')) {
      return { id, status: 'duplicate' };
    }
    throw toReferenceReplyError(reply);
  }

  return createReferenceJournal({ url: client.url, appendOne, close: () => client.close() });
}

/** The statuses by which a service refuses a message. */
const refusals = new Set([400, 409, 413, 422]);

/** The statuses that ask to try again later. */
const delays = new Set([408, 425]);

function toReferenceReplyError(reply: HttpReply): MlogError {
  const { status, url } = reply;
  const isPlain = status >= 500 || status === 429 || refusals.has(status);
  if (isPlain || isRedirect(reply)) return statusError(reply);
  if (delays.has(status)) return new MlogError('overloaded', statusError(reply).message);
  if (status < 400) return unexpectedReplyError(url);
  return notLoggingError(`The service at ${url} answered ${status}.`);
}

/** Any web server may answer 200. Only the words of the reference confirm a message. */
function says({ text }: HttpReply, words: string): boolean {
  try {
    return JSON.parse(text) === words;
  } catch {
    return false;
  }
}
