/**
 * Control characters, escape sequences, line separators and the marks that turn the direction of
 * text: harmless in a journal, not on a terminal.
 */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Writes text so that every character of it can be seen, and none can command a terminal. */
export function toVisible(text: string): string {
  return text.replace(invisible, (character) => {
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    return short ?? `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}
