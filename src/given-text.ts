import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { MlogError } from './errors.ts';

/** What Node substitutes for bytes that are not UTF-8 when it decodes them. */
const replacement = '\uFFFD';

/**
 * Refuses arguments that are not UTF-8. Node has replaced the bytes already, so that two ids may
 * have become one. Linux still has the bytes; elsewhere, an argument with U+FFFD is refused in any
 * case. Throws `invalid_argument`.
 */
export function checkArguments(argv: readonly string[]): void {
  const repaired = argv.findIndex((text) => text.includes(replacement));
  if (repaired < 0) return;
  const given = readEntries('/proc/self/cmdline');
  for (const [index, text] of argv.entries()) {
    // The options of Node precede the program and are not in `argv`.
    const bytes = given?.at(index - argv.length);
    if (!text.includes(replacement) || (bytes && isUtf8(bytes))) continue;
    throw new MlogError('invalid_argument', `${nameOf(argv, index)} is not valid UTF-8.`, {
      hint: bytes ? 'Is the terminal set to another encoding?' : unknownBytesHint,
    });
  }
}

/** Refuses an environment variable as `checkArguments` refuses an argument. Throws `usage`. */
export function checkVariable(name: string, text: string): void {
  if (!text.includes(replacement)) return;
  const given = readEntries('/proc/self/environ');
  const start = Buffer.from(`${name}=`);
  const bytes = given?.find((entry) => entry.subarray(0, start.length).equals(start));
  if (given && (!bytes || isUtf8(bytes))) return;
  throw new MlogError('usage', `${name} is not valid UTF-8.`, {
    ...(!given && { hint: unknownBytesHint }),
  });
}

const unknownBytesHint =
  'It has a U+FFFD in it, and here nobody can tell whether that was typed. Give the text by stdin.';

function nameOf(argv: readonly string[], index: number): string {
  const before = argv[index - 1] ?? '';
  return `Argument ${index - 1}${before.startsWith('-') ? `, behind ${before},` : ''}`;
}

/**
 * Reads the arguments or the environment of this process as bytes; undefined if the system has no
 * such file.
 */
function readEntries(path: string): Buffer[] | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return undefined;
  }
  const entries: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0, from);
    entries.push(bytes.subarray(from, end < 0 ? bytes.length : end));
    from = end < 0 ? bytes.length : end + 1;
  }
  return entries;
}
