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
    throw new MlogError('usage', '--file needs --lines or --ndjson.', {
      hint: 'Choose one of them, or send the file as one message: `mlog send - < FILE`.',
    });
  }
  if (isBulk && words.length > 0) {
    throw new MlogError('usage', 'A text cannot be combined with --lines or --ndjson.', {
      hint: 'They read the messages from stdin, or from --file.',
    });
  }
  if (!isBulk && words.length === 0) {
    throw new MlogError('usage', 'There is no text to send.', {
      hint: 'Use `mlog send "Hello"`, or `mlog send -` for a text from stdin.',
    });
  }
  if (lines && ndjson) {
    throw new MlogError('usage', '--lines and --ndjson cannot be combined.', {
      hint: 'Choose the one that the lines are.',
    });
  }
  return isBulk ? 'lines' : 'message';
}
