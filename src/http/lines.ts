import { isUtf8 } from 'node:buffer';
import { MlogError } from '../errors.ts';
import { GatheredBytes, overloadedError } from './gathered-bytes.ts';

/**
 * Splits the text of a streamed reply into lines. Throws `unavailable` once a line is longer than
 * `lineMaxLength`, since it may never end. Services end every line with a newline, so text after
 * the last newline means that the reply was cut, and also throws `unavailable`.
 */
export async function* splitLines(
  chunks: AsyncIterable<string>,
  lineMaxLength: number,
): AsyncGenerator<string[]> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = chunk.split('\n');
    lines[0] = rest + lines[0]!;
    if (lines.some(({ length }) => length > lineMaxLength)) throw tooLongLineError(lineMaxLength);
    rest = lines.pop()!;
    if (lines.length > 0) yield lines;
  }
  if (rest) throw new MlogError('unavailable', 'The reply was cut in the middle of a line.');
}

function tooLongLineError(lineMaxLength: number): MlogError {
  return new MlogError('unavailable', `A line of the reply exceeds ${lineMaxLength} characters.`, {
    isUnexpected: true,
  });
}

function cut(line: string, lineMaxLength: number): string {
  return line.length > lineMaxLength ? line.slice(0, lineMaxLength + 1) : line;
}

/** The bounds on the lines of a sender. */
export interface LineLimits {
  readonly lineMaxBytes: number;
  /** What all unfinished lines and bodies of this process may hold together; unbounded if unset. */
  readonly heldMaxBytes?: number;
}

/**
 * Splits streamed bytes of a sender into lines of text. A last line without a newline counts if the
 * chunks end; if they throw, it was cut and is dropped. A line that is not UTF-8 comes as
 * undefined, and a line beyond `lineMaxBytes` is truncated one character after the limit; the other
 * lines are unaffected. A byte order mark at the start is skipped. Throws `overloaded` if an
 * unfinished line finds no room beside the others.
 */
export async function* splitBytes(
  chunks: AsyncIterable<Buffer>,
  { lineMaxBytes, heldMaxBytes = Infinity }: LineLimits,
): AsyncGenerator<(string | undefined)[]> {
  const rest = new GatheredBytes();
  let isFirst = true;

  function decode(bytes: Buffer): (string | undefined)[] {
    const lines = decodeLines(bytes, lineMaxBytes);
    if (isFirst && lines[0]?.startsWith(byteOrderMark)) lines[0] = lines[0].slice(1);
    isFirst = false;
    return lines;
  }

  try {
    for await (const chunk of chunks) {
      const end = chunk.lastIndexOf(newline) + 1;
      if (end > 0) {
        rest.add(chunk.subarray(0, end - 1));
        yield decode(rest.take());
      }
      // Everything beyond the limit is dropped, except the one byte that shows it was exceeded.
      const more = chunk.subarray(end, end + lineMaxBytes + 1 - rest.length);
      if (!rest.hasRoomFor(more.length, heldMaxBytes)) throw overloadedError();
      rest.add(more);
    }
    if (rest.length > 0) yield decode(rest.take());
  } finally {
    rest.drop();
  }
}

const byteOrderMark = '\uFEFF';
const newline = 0x0a;

function decodeLines(bytes: Buffer, lineMaxBytes: number): (string | undefined)[] {
  if (isUtf8(bytes)) {
    return bytes
      .toString()
      .split('\n')
      .map((line) => cut(line, lineMaxBytes));
  }
  const lines: (string | undefined)[] = [];
  for (let from = 0; from <= bytes.length;) {
    const at = bytes.indexOf(newline, from);
    const end = at < 0 ? bytes.length : at;
    const line = bytes.subarray(from, Math.min(end, from + lineMaxBytes + 1));
    // The limit may fall within a character.
    if (line.length > lineMaxBytes) lines.push(line.toString('latin1'));
    else lines.push(isUtf8(line) ? line.toString() : undefined);
    from = end + 1;
  }
  return lines;
}
