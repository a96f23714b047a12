import type { Random } from './random.ts';

/** Texts that often break: the marks of formats, shells, terminals, encodings and Unicode. */
const traps = [
  ['\0', '\r\n', '\n', '\r', '\t', '\u001b[31m', '\u0007', '\u007f', '\u0085', '\u009f'],
  ['"', '\\', '\\n', '\\u0000', "'", '`', '$(x)', '&', '=', '+', '%', '%00', '%20', ';', ','],
  [' ', '  ', '\u00a0', '\u3000', '\u2028', '\u2029', '\ufeff', '\u200b', '\u200d', '\u00ad'],
  ['\u202e', '\u2066', '\u0301', 'é', 'e\u0301', 'ß', 'İ', 'ı', 'ﬁ', 'Å', '\ufffd', '\uffff'],
  ['\ud83d\ude42', '👩‍👩‍👧‍👦', '🇺🇦', '\u{10ffff}', '\u{e0001}', '\ue000', 'ا', 'א', '漢', 'ไ'],
  ['</script>', 'data: x', 'null', '[]', '{}', '__proto__', '0', '-1', '--json', '-'],
].flat();

/**
 * Returns a text of about `length` characters, and at least one: traps, letters, and any code
 * points.
 */
export const randomText = (random: Random, length: number): string => {
  let text = '';
  do {
    const kind = random.next();
    if (kind < 0.4) text += random.pick(traps);
    else if (kind < 0.7) text += String.fromCodePoint(random.whole(0x20, 0x7e));
    else text += anyCharacter(random);
  } while (text.length < length);
  return text;
};

const anyCharacter = (random: Random): string => {
  const codePoint = random.whole(0, random.pick([0x7f, 0x7ff, 0xffff, 0x10ffff]));
  // Lone surrogates are no characters, and are refused.
  return codePoint >= 0xd800 && codePoint <= 0xdfff ? '?' : String.fromCodePoint(codePoint);
};
