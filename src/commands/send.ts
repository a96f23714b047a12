import { buffer } from 'node:stream/consumers';
import { readSettings } from '../config.ts';
import { MlogError } from '../errors.ts';
import { decodeText, mediaTypes } from '../http/formats.ts';
import { createLoneClient, type LoneClient } from '../http/lone-client.ts';
import { retry } from '../journal/retry.ts';
import { createId, parseMessage, type Message } from '../message.ts';
import { toVisible } from '../observe/visible.ts';
import { facadeError } from './facade-error.ts';
import { print, printJson, remark } from './print.ts';

/** What `mlog send` may be told beside the settings. */
export interface SendOptions {
  readonly id?: string;
  readonly json?: boolean;
}

/** Sends the words as one message, or stdin where the only word is `-`; prints the id. */
export async function send(words: readonly string[], options: SendOptions): Promise<void> {
  const settings = readSettings('send', { ...options });
  const { attemptsMax, retryDelayMs } = settings;
  const txt = words.join(' ') === '-' ? decodeText(await buffer(process.stdin)) : words.join(' ');
  // The id is made before the first attempt and kept through all of them: a repeat stores nothing.
  const message = parseMessage(options.id ?? createId(), txt, { txtMaxBytes: Infinity });

  const client = createLoneClient(settings.url, settings);
  const sent = await retry(() => post(client, message), {
    attemptsMax,
    retryDelayMs,
    onFailedAttempt(error, attempt) {
      if (error.retryable && attempt < attemptsMax) {
        remark(`Attempt ${attempt} of ${attemptsMax} failed: ${error.message}`);
      }
    },
  }).catch((error: unknown) => {
    throw withId(error, message.id);
  });
  await (options.json ? printJson(sent) : print(`${toVisible(sent.id)}\n`));
}

/** Names the id in the error, with which the person may send the message again. */
function withId(error: unknown, id: string): unknown {
  if (!(error instanceof MlogError) || error.code !== 'outcome_unknown') return error;
  const hint = `Sent again with --id ${id} it is stored once, whatever became of it.`;
  return new MlogError(error.code, error.message, { hint, cause: error });
}

interface Sent extends Message {
  readonly status: 'logged' | 'duplicate';
}

/** Posts the form that every facade understands; the reference makes an id of its own. */
async function post(client: LoneClient, { id, txt }: Message): Promise<Sent> {
  const reply = await client.exchange({
    method: 'POST',
    path: '/',
    headers: { 'content-type': mediaTypes.form },
    body: `id=${encodeURIComponent(id)}&txt=${encodeURIComponent(txt)}`,
  });
  if (reply.status !== 200) throw facadeError(reply, client.url);
  const status = reply.header('idempotent-replayed') === 'true' ? 'duplicate' : 'logged';
  return { id: idOf(reply.text, client.url), txt, status };
}

function idOf(text: string, url: string): string {
  try {
    const { id } = JSON.parse(text) as { id?: unknown };
    if (typeof id === 'string') return id;
  } catch {
    // Not JSON: it is no facade that answered.
  }
  throw new MlogError('failed_precondition', `What answers at ${url} is no facade.`, {
    hint: 'Name the place of the facade with --url or MLOG_URL.',
  });
}
