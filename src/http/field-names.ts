import { MlogError } from '../errors.ts';

/**
 * Checks the names of the members of a JSON object, given as text and as parsed. Throws
 * `invalid_argument` where one of a message is there twice, or its text under another name.
 */
export function checkNames(text: string, value: object): void {
  checkRepeated(text);
  checkOtherNames(value);
}

/** The error for a field of a message that is there more than once. */
export function repeatedError(name: string): MlogError {
  return new MlogError('invalid_argument', `The field ${name} is there twice.`);
}

/** What a text is called elsewhere. */
const otherNames = ['text', 'message', 'msg'];

/** A text under another name would only be missing; its sender has a word to change. */
function checkOtherNames(value: object): void {
  if (Object.hasOwn(value, 'txt')) return;
  const name = otherNames.find((one) => Object.hasOwn(value, one));
  if (name === undefined) return;
  throw new MlogError('invalid_argument', `The object has "${name}" and no member "txt".`, {
    hint: 'The member of the text is "txt".',
  });
}

/** The members of a message by name, as JSON lets them be written: a letter, or its escape. */
const fieldNames =
  /[{,]\s*("(?:(?:i|\\u0069)(?:d|\\u0064)|(?:t|\\u0074)(?:x|\\u0078)(?:t|\\u0074))")\s*:/g;

/** JSON.parse takes the last of two equal members without a word; which one was meant? */
function checkRepeated(text: string): void {
  // Within a string a quote stands behind a backslash, so this finds names and nothing else.
  const names = Array.from(text.matchAll(fieldNames), ([, name]) => JSON.parse(name!) as string);
  if (new Set(names).size === names.length) return;
  // Two that are the same may stand in objects within, where they mean nothing here.
  const seen = new Set<string>();
  for (const name of memberNames(text)) {
    if ((name === 'id' || name === 'txt') && seen.has(name)) throw repeatedError(name);
    seen.add(name);
  }
}

/** Reads the names of the members of a JSON object, without those of the objects within. */
function* memberNames(text: string): Generator<string> {
  let depth = 0;
  let before = '';
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    // Behind a name stands its value.
    else if (before === '{' || before === ',') {
      if (depth === 1 && token !== ',') yield JSON.parse(token) as string;
    }
    before = token;
  }
}
