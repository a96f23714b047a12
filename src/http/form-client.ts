import { MlogError } from '../errors.ts';
import type { AppendResult, Journal } from '../journal/journal.ts';
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

  return {
    async append(messages) {
      const results: AppendResult[] = [];
      for (const message of messages) results.push(await appendOne(message));
      return results;
    },
    // eslint-disable-next-line require-yield
    async *read() {
      throw unimplementedError(client.url);
    },
    // eslint-disable-next-line require-yield
    async *follow() {
      throw unimplementedError(client.url);
    },
    get: () => Promise.reject(unimplementedError(client.url)),
    head: () => Promise.reject(unimplementedError(client.url)),
    close: () => client.close(),
  };
}

/** Any web server answers 200 to something; only the words of the reference tell of a message. */
function says({ text }: HttpReply, words: string): boolean {
  try {
    return JSON.parse(text) === words;
  } catch {
    return false;
  }
}

function unimplementedError(url: string): MlogError {
  return new MlogError(
    'unimplemented',
    `The logging service at ${url} lists texts and no entries.`,
    {
      hint: 'Ask for the list alone, or put `mlog serve logging` in its place.',
    },
  );
}
