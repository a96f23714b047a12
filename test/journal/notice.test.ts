import { describe, expect, it } from 'vitest';
import { createNotice } from '../../src/journal/notice.ts';

const { signal } = new AbortController();

describe('a notice', () => {
  it('wakes all that wait, once there is something new', async () => {
    const notice = createNotice();
    const seen = notice.count;
    const woken: string[] = [];
    const waits = ['a', 'b', 'c'].map(async (name) => {
      await notice.wait(seen, signal);
      woken.push(name);
    });
    await turn();
    expect(woken).toEqual([]);
    notice.give();
    await Promise.all(waits);
    expect(woken).toEqual(['a', 'b', 'c']);
  });

  it('lets nobody wait for what came while it looked', async () => {
    const notice = createNotice();
    const seen = notice.count;
    notice.give();
    await notice.wait(seen, signal);
    expect(await isWaiting(notice.wait(notice.count, signal))).toBe(true);
  });

  it('lets go whose signal is aborted, before and while it waits', async () => {
    const notice = createNotice();
    await notice.wait(notice.count, AbortSignal.abort());
    const stopping = new AbortController();
    const waiting = notice.wait(notice.count, stopping.signal);
    const other = notice.wait(notice.count, signal);
    stopping.abort();
    await waiting;
    expect(await isWaiting(other)).toBe(true);
  });

  it('keeps nothing of who waited on the signal', async () => {
    const listeners = new Set<unknown>();
    const watched = new AbortController().signal;
    watched.addEventListener = (_: string, listener: unknown) => void listeners.add(listener);
    watched.removeEventListener = (_: string, listener: unknown) => void listeners.delete(listener);
    const notice = createNotice();
    for (let count = 0; count < 20; count += 1) {
      const waiting = notice.wait(notice.count, watched);
      expect(listeners.size).toBe(1);
      notice.give();
      await waiting;
    }
    expect(listeners.size).toBe(0);
  });
});

async function isWaiting(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => false), turn().then(() => true)]);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
