import { MlogError } from '../errors.ts';
import type { AppendResult, Journal } from '../journal/journal.ts';
import { createReferenceJournal } from '../journal/reference.ts';
import type { Message } from '../message.ts';
import type { HttpClient, HttpReply } from './client.ts';
import { mediaTypes } from './formats.ts';
import { statusError } from './problem.ts';

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
      throw new MlogError('unavailable', `The service at ${client.url} is mlog now.`);
    }
    if (reply.status === 201 && says(reply, 'Message logged')) return { id, status: 'logged' };
    // The second attempt of a message whose first reply was lost: it is stored, that is success.
    if (reply.status === 200 && says(reply, 'Duplicate detected')) {
      return { id, status: 'duplicate' };
    }
    throw statusError(reply.status < 400 ? 502 : reply.status, client.url);
  }

  return createReferenceJournal({ url: client.url, appendOne, close: () => client.close() });
}

/** Any web server answers 200 to something; only the words of the reference tell of a message. */
function says({ text }: HttpReply, words: string): boolean {
  try {
    return JSON.parse(text) === words;
  } catch {
    return false;
  }
}
