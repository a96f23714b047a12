import { MlogError } from '../errors.ts';

/**
 * Checks the member names of a JSON object, given as text and as a value. Throws `invalid_argument`
 * if a field of a message occurs twice, or if the text has another name.
 */
export function checkNames(text: string, value: object): void {
  checkRepeated(text);
  checkOtherNames(value);
}

/** Returns the error for a repeated field of a message. */
export function repeatedError(name: string): MlogError {
  return new MlogError('invalid_argument', `The field ${name} is repeated.`);
}

/** What other systems call a text. */
const otherNames = ['text', 'message', 'msg'];

/** Without this check, a text under another name would be reported as missing. */
function checkOtherNames(value: object): void {
  if (Object.hasOwn(value, 'txt')) return;
  const name = otherNames.find((one) => Object.hasOwn(value, one));
  if (name === undefined) return;
  throw new MlogError('invalid_argument', `The object has "${name}" and no member "txt".`, {
    hint: 'The member of the text is "txt".',
  });
}

/** Matches the fields of a message as JSON may write them: each letter plain or as an escape. */
const fieldNames =
  /[{,]\s*("(?:(?:i|\\u0069)(?:d|\\u0064)|(?:t|\\u0074)(?:x|\\u0078)(?:t|\\u0074))")\s*:/g;

/** JSON.parse silently takes the last of two equal members. Which one was meant is unknown. */
function checkRepeated(text: string): void {
  // Within a string, a quote follows a backslash, so this finds only names.
  const names = Array.from(text.matchAll(fieldNames), ([, name]) => JSON.parse(name!) as string);
  if (new Set(names).size === names.length) return;
  // Equal names in nested objects mean nothing here.
  const seen = new Set<string>();
  for (const name of memberNames(text)) {
    if ((name === 'id' || name === 'txt') && seen.has(name)) throw repeatedError(name);
    seen.add(name);
  }
}

/** Yields the member names of a JSON object, without those of nested objects. */
function* memberNames(text: string): Generator<string> {
  let depth = 0;
  let before = '';
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    // A name is followed by its value.
    else if (before === '{' || before === ',') {
      if (depth === 1 && token !== ',') yield JSON.parse(token) as string;
    }
    before = token;
  }
}
