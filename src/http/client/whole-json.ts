import { MlogError } from '../../errors.ts';

/** Matches what determines where a JSON value ends: quotes, escapes, and brackets. */
const marks = /\\[^]?|["[\]{}]/g;

/**
 * Passes on streamed JSON, and throws `unavailable` if it ends before the value is complete. If a
 * body ends with its connection, a list that was cut looks complete.
 */
export async function* wholeJson(
  chunks: AsyncIterable<string>,
  url: string,
): AsyncGenerator<string> {
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  let hasBegun = false;
  for await (const chunk of chunks) {
    yield chunk;
    if (chunk === '') continue;
    marks.lastIndex = isEscaped ? 1 : 0;
    isEscaped = false;
    for (let found = marks.exec(chunk); found; found = marks.exec(chunk)) {
      const [mark] = found;
      hasBegun = true;
      if (mark.startsWith('\\')) isEscaped = mark.length === 1;
      else if (mark === '"') isInString = !isInString;
      else if (!isInString) depth += mark === '[' || mark === '{' ? 1 : -1;
    }
  }
  if (hasBegun && depth === 0 && !isInString) return;
  throw new MlogError('unavailable', `The list of ${url} was cut off: its JSON is incomplete.`);
}
