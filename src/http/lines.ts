import { isUtf8 } from 'node:buffer';
import { overloadedError } from './body.ts';
import { GatheredBytes } from './gathered-bytes.ts';

/**
 * Cuts flowing text into its lines; a last line without a newline counts too. A line beyond
 * `lineMaxLength` comes cut one character past it, so memory stays bounded and its reader can see
 * that it is too long.
 */
export async function* splitLines(
  chunks: AsyncIterable<string>,
  lineMaxLength: number,
): AsyncGenerator<string[]> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = chunk.split('\n');
    lines[0] = rest + lines[0]!;
    rest = cut(lines.pop()!, lineMaxLength);
    if (lines.length > 0) yield lines.map((line) => cut(line, lineMaxLength));
  }
  if (rest) yield [rest];
}

function cut(line: string, lineMaxLength: number): string {
  return line.length > lineMaxLength ? line.slice(0, lineMaxLength + 1) : line;
}

/**
 * Cuts flowing bytes into lines of text as `splitLines` does; a line that is not UTF-8 comes as
 * undefined, and the others do not suffer from it. Throws `overloaded` where an unfinished line
 * finds no room beside all other bodies, which may hold `heldMaxBytes` together.
 */
export async function* splitBytes(
  chunks: AsyncIterable<Buffer>,
  { lineMaxBytes, heldMaxBytes }: { lineMaxBytes: number; heldMaxBytes: number },
): AsyncGenerator<(string | undefined)[]> {
  const rest = new GatheredBytes();
  try {
    for await (const chunk of chunks) {
      const end = chunk.lastIndexOf(newline) + 1;
      if (end > 0) {
        rest.add(chunk.subarray(0, end - 1));
        yield decodeLines(rest.take(), lineMaxBytes);
      }
      // What is beyond the limit is dropped, but for the one byte that tells of it.
      const more = chunk.subarray(end, end + lineMaxBytes + 1 - rest.length);
      if (!rest.hasRoomFor(more.length, heldMaxBytes)) throw overloadedError();
      rest.add(more);
    }
    if (rest.length > 0) yield decodeLines(rest.take(), lineMaxBytes);
  } finally {
    rest.drop();
  }
}

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
    const found = bytes.indexOf(newline, from);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(from, Math.min(end, from + lineMaxBytes + 1));
    lines.push(isUtf8(line) ? line.toString() : undefined);
    from = end + 1;
  }
  return lines;
}
