import { MlogError } from '../../errors.ts';

/** The options that say where the messages of `mlog send` come from. */
export interface SendInputOptions {
  readonly lines?: unknown;
  readonly ndjson?: unknown;
  readonly file?: unknown;
}

/**
 * Says whether to send one message, or lines. Throws `usage` if the call asks for both or neither.
 */
export function inputKindOf(
  words: readonly string[],
  { lines, ndjson, file }: SendInputOptions,
): 'message' | 'lines' {
  const isBulk = Boolean(lines ?? ndjson);
  if (file !== undefined && !isBulk) {
    throw new MlogError('usage', '--file is there without --lines or --ndjson.', {
      hint: 'Say which of the two its lines are, or send it whole: `mlog send - < FILE`.',
    });
  }
  if (isBulk && words.length > 0) {
    throw new MlogError('usage', 'There is a text beside --lines or --ndjson.', {
      hint: 'These read the messages from stdin, or from the file of --file.',
    });
  }
  if (!isBulk && words.length === 0) {
    throw new MlogError('usage', 'There is no text to send.', {
      hint: 'Say `mlog send "Hello"`, or `mlog send -` for a text from stdin.',
    });
  }
  if (lines && ndjson) {
    throw new MlogError('usage', 'There are both --lines and --ndjson.', {
      hint: 'Say which of the two the lines are.',
    });
  }
  return isBulk ? 'lines' : 'message';
}
