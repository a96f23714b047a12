import { MlogError } from '../../errors.ts';

/** What matters to see where a JSON value ends: quotes, what a backslash escapes, and brackets. */
const marks = /\\[^]?|["[\]{}]/g;

/**
 * Passes on flowing JSON, and throws `unavailable` where it ends before the value is complete: where
 * a body ends with its connection, a list that was cut off looks like one that is over.
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
