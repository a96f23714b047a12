import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { admit, limitToDescriptors } from '../../src/net/connection-limit.ts';

describe('the limit of connections', () => {
  it('is lowered to what the process may open, where that is less', async () => {
    const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
    const open = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
    expect(limitToDescriptors(10, 1)).toBe(10);
    expect(limitToDescriptors(Infinity, 1)).toBe(open - 64);
    expect(limitToDescriptors(Infinity, 2)).toBe(Math.floor((open - 64) / 2));
  });

  it('is told once when it is reached, and again when it was left meanwhile', async () => {
    let told = 0;
    const connect = (): { socket: Socket; isAdmitted: boolean } => {
      const socket = new Socket();
      return { socket, isAdmitted: admit(socket, 10, () => (told += 1)) };
    };
    const all = Array.from({ length: 12 }, connect);
    expect(all.map(({ isAdmitted }) => isAdmitted)).toEqual(
      Array.from({ length: 12 }, (_, n) => n < 10),
    );
    expect(told).toBe(1);
    const close = async (count: number) => {
      for (const { socket } of all.splice(0, count)) socket.destroy();
      await new Promise((resolve) => setImmediate(resolve));
    };
    await close(1);
    expect([connect(), connect()].map(({ isAdmitted }) => isAdmitted)).toEqual([true, false]);
    expect(told).toBe(1);
    await close(5);
    expect(Array.from({ length: 6 }, connect).at(-1)!.isAdmitted).toBe(false);
    expect(told).toBe(2);
  });
});
