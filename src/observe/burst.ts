/** After a line of a kind, further lines of that kind are counted for this long. */
const windowMs = 1_000;

/** Writes a line, with facts in addition to its own. */
type Write = (more: { readonly more?: number }) => void;

/**
 * Limits bursts to one line per second and kind: the first line at once, then the last one of each
 * second. `more` counts the lines that it stands for.
 */
export function createBurst(): (kind: string, write: Write) => void {
  const windows = new Map<string, { count: number; last: Write }>();

  function open(kind: string): void {
    windows.set(kind, { count: 0, last: () => {} });
    setTimeout(close, windowMs, kind).unref();
  }

  function close(kind: string): void {
    const { count, last } = windows.get(kind)!;
    windows.delete(kind);
    if (count === 0) return;
    open(kind);
    last(count > 1 ? { more: count - 1 } : {});
  }

  return (kind, write) => {
    const window = windows.get(kind);
    if (window) {
      window.count += 1;
      window.last = write;
      return;
    }
    open(kind);
    write({});
  };
}
