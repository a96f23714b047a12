/**
 * Control characters, escape sequences, line separators and the marks that turn the direction of
 * text: harmless in a journal, not on a terminal. The two joiners are not among them: they make
 * one emoji of several and shape Persian words.
 */
const invisible = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Writes text so that every character of it can be seen, and none can command a terminal. */
export function toVisible(text: string): string {
  return text.replace(invisible, (character) => {
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    return short ?? `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** Does the same to lines of JSON, which stay the same JSON: it leaves marks like U+202E raw. */
export function toVisibleJson(lines: string): string {
  return lines.replace(invisible, (character) => {
    if (character === '\n') return character;
    return Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
    }).join('');
  });
}
