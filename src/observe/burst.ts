/** After a line of a kind, others of that kind are counted for so long. */
const windowMs = 1_000;

/** Writes a line, with facts beside its own. */
type Write = (more: { readonly more?: number }) => void;

/**
 * Bounds what comes in bursts to one line a second and kind: the first one at once, then the last
 * one of each second, with `more`, the count of those that it stands for beside itself.
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
