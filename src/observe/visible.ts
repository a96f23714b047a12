/**
 * Matches control characters, escape sequences, line separators and bidirectional marks, which are
 * harmless in a journal but not on a terminal. The two joiners are excluded: they combine emoji and
 * shape Persian words.
 */
const invisible = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Makes every character of a text visible, so that none can control a terminal. */
export function toVisible(text: string): string {
  return text.replace(invisible, (character) => {
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    return short ?? `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/**
 * Does the same for lines of JSON, which stay equal as JSON: it leaves characters like U+202E raw.
 */
export function toVisibleJson(lines: string): string {
  return lines.replace(invisible, (character) => {
    if (character === '\n') return character;
    return Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
    }).join('');
  });
}
