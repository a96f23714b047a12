import { MlogError } from '../../errors.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import { noLoggingError, strangeError } from '../../journal/remote/no-answer.ts';
import { createReferenceJournal } from '../../journal/remote/reference.ts';
import type { Message } from '../../message.ts';
import type { HttpClient, HttpReply } from './client.ts';
import { mediaTypes } from '../formats.ts';
import { isRedirect, statusError } from './problem.ts';

/**
 * The journal of a reference logging service, which knows only forms and the array of texts: one
 * message a request, no numbers, no entries. A repeat of an id is a `duplicate` whatever its text.
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
        isMisfit: true,
      });
    }
    if (reply.status === 201 && says(reply, 'Message logged')) return { id, status: 'logged' };
    // The second attempt of a message whose first reply was lost: it is stored, that is success.
    if (reply.status === 200 && says(reply, 'Duplicate detected')) {
      return { id, status: 'duplicate' };
    }
    throw toReferenceReplyError(reply);
  }

  return createReferenceJournal({ url: client.url, appendOne, close: () => client.close() });
}

/** The statuses by which a service refuses a message, and does not only say that it takes none. */
const refusals = new Set([400, 409, 413, 422]);

/** The statuses by which a service puts a request off. */
const delays = new Set([408, 425]);

function toReferenceReplyError(reply: HttpReply): MlogError {
  const { status, url } = reply;
  const isPlain = status >= 500 || status === 429 || refusals.has(status);
  if (isPlain || isRedirect(reply)) return statusError(reply);
  if (delays.has(status)) return new MlogError('overloaded', statusError(reply).message);
  if (status < 400) return strangeError(url);
  return noLoggingError(`The service at ${url} answered ${status}.`);
}

/** Any web server answers 200 to something; only the words of the reference tell of a message. */
function says({ text }: HttpReply, words: string): boolean {
  try {
    return JSON.parse(text) === words;
  } catch {
    return false;
  }
}
