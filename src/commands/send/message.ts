import { isUtf8 } from 'node:buffer';
import { readSettings, type SettingsOf } from '../../config.ts';
import { MlogError, toMlogError } from '../../errors.ts';
import { mediaTypes } from '../../http/formats.ts';
import { createLoneClient, type LoneClient } from '../../http/client/lone.ts';
import { isNotListeningError } from '../../journal/remote/remote-errors.ts';
import { retry } from '../../journal/wrap/retry.ts';
import { createId, parseMessage, type Message } from '../../message.ts';
import { toVisible } from '../../observe/visible.ts';
import { facadeError, notFacadeError } from '../facade-error.ts';
import { openInput, toInputError } from '../input.ts';
import { inputMaxBytes } from './line-input.ts';
import type { Outcome } from './answer.ts';
import { flush, print, printJson, remark } from '../print.ts';
import { reachOf } from '../reach.ts';

/** The options of `mlog send` besides the settings. */
export interface SendOptions {
  readonly id?: string;
  readonly json?: boolean;
}

/**
 * Sends the words as one message, or stdin if the only word is `-`, and prints the id. With `json`
 * it also prints the outcome of a message that is not stored.
 */
export async function sendMessage(words: readonly string[], options: SendOptions): Promise<void> {
  const settings = readSettings('send', { ...options });
  const txt = words.join(' ') === '-' ? await readStdin() : words.join(' ');
  // The id is made before the first attempt and kept in all of them, so a repeat stores nothing
  // twice.
  const message = parseMessage(options.id ?? createId(), txt, { txtMaxBytes: Infinity });
  try {
    const sent = await deliver(message, settings);
    await printSent(sent, options);
  } catch (error) {
    const status = options.json ? statusOf(error) : undefined;
    if (status) await printJson({ id: message.id, status, error: toMlogError(error).message });
    throw error;
  }
}

/** Reads stdin as one text, up to the largest possible message. */
async function readStdin(): Promise<string> {
  const { stream, name } = await openInput();
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > inputMaxBytes) {
        throw new MlogError('too_large', `stdin is larger than ${inputMaxBytes} bytes.`, {
          hint: 'That is not one message. To send a message per line, use `mlog send --lines`.',
        });
      }
      pieces.push(piece);
    }
  } catch (error) {
    throw toInputError(error, name);
  }
  const whole = Buffer.concat(pieces);
  if (isUtf8(whole)) return whole.toString();
  throw new MlogError('invalid_argument', 'stdin is not valid UTF-8.');
}

async function deliver(message: Message, settings: SettingsOf<'send'>): Promise<Sent> {
  const { attemptsMax, retryDelayMs, url } = settings;
  const client = createLoneClient(url, reachOf(settings));
  let mayBeStored = false;
  try {
    return await retry(() => post(client, message), {
      attemptsMax,
      retryDelayMs,
      onFailedAttempt(error, attempt) {
        mayBeStored ||= !isNotListeningError(error) && error.code !== 'storage_full';
        if (!error.retryable || attempt >= attemptsMax) return;
        // Shown with the first attempt, so that a user who forgot to start the service need not
        // wait.
        const hint = attempt === 1 && isNotListeningError(error) ? ` ${error.hint}` : '';
        remark(`Attempt ${attempt} of ${attemptsMax} failed: ${error.message}${hint}`);
      },
    });
  } catch (error) {
    throw withId(error, message.id, mayBeStored);
  }
}

/** Adds the id to the error, so that the user can send the message again. */
function withId(error: unknown, id: string, mayBeStored: boolean): unknown {
  if (!(error instanceof MlogError) || error.code !== 'outcome_unknown') return error;
  const { message, cause } = error;
  if (mayBeStored || !(cause instanceof MlogError)) {
    const hint = `Send it again with --id ${id}: it is then stored exactly once.`;
    return new MlogError('outcome_unknown', message, { hint, cause: error });
  }
  const hint = `It is not stored. Send it again with --id ${id} or a new id.`;
  return new MlogError(cause.code, message, { hint, cause: error });
}

/**
 * Prints the outcome. If stdout cannot be written, the error names the id of the stored message.
 */
async function printSent(sent: Sent, { json }: SendOptions): Promise<void> {
  try {
    await (json ? printJson(sent) : print(`${toVisible(sent.id)}\n`));
    await flush();
  } catch (error) {
    throw withHint(error, `The message is stored; its id is ${sent.id}.`);
  }
}

function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof MlogError)) return error;
  return new MlogError(error.code, error.message, { hint, cause: error });
}

function statusOf(error: unknown): Outcome | undefined {
  const { code, httpStatus } = toMlogError(error);
  if (code === 'conflict') return 'conflict';
  if (code === 'outcome_unknown') return 'unknown';
  return httpStatus >= 400 && httpStatus < 500 ? 'refused' : undefined;
}

interface Sent extends Message {
  readonly status: 'logged' | 'duplicate';
}

/** Posts the form that every facade accepts. The reference makes an id of its own. */
async function post(client: LoneClient, { id, txt }: Message): Promise<Sent> {
  const reply = await client.exchange({
    method: 'POST',
    path: '/',
    headers: { 'content-type': mediaTypes.form },
    body: `id=${encodeURIComponent(id)}&txt=${encodeURIComponent(txt)}`,
  });
  if (reply.status !== 200) throw await facadeError(reply, client);
  const status = reply.header('idempotent-replayed') === 'true' ? 'duplicate' : 'logged';
  return { id: idOf(reply.text, client.url), txt, status };
}

function idOf(text: string, url: string): string {
  try {
    const { id } = JSON.parse(text) as { id?: unknown };
    if (typeof id === 'string') return id;
  } catch {
    // Not JSON, so it was no facade that answered.
  }
  throw notFacadeError(url);
}
