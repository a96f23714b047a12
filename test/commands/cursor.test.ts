import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCursor } from '../../src/commands/cursor.ts';
import { temporaryFolder } from '../support/folder.ts';

describe('a cursor', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'mlog.cursor');
  });

  afterEach(() => folder.remove());

  const kept = () => readFileSync(path, 'utf8');

  it('is made where there is none, its owner’s alone, and keeps no position yet', () => {
    const cursor = openCursor(path);
    expect(cursor.seq).toBeUndefined();
    expect(kept()).toBe('');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    cursor.close();
    const again = openCursor(path);
    expect(again.seq).toBeUndefined();
    again.close();
  });

  it('has each position in its file as soon as it is saved', () => {
    const cursor = openCursor(path);
    for (const seq of [1, 9, 10, 99, 1_000, Number.MAX_SAFE_INTEGER]) {
      cursor.save(seq);
      expect(kept()).toBe(`${seq}\n`);
      const other = openCursor(path);
      expect(other.seq).toBe(seq);
      other.close();
    }
    cursor.close();
  });

  it.each([
    ['0\n', 0],
    ['41\n', 41],
    ['41', 41],
    ['41\r\n\n  ', 41],
    ['000041\n', 41],
    [`${Number.MAX_SAFE_INTEGER}\n`, Number.MAX_SAFE_INTEGER],
  ])('goes on from %j, with nothing of it left behind a later position', (text, seq) => {
    writeFileSync(path, text);
    const cursor = openCursor(path);
    expect(cursor.seq).toBe(seq);
    expect(kept()).toBe(`${seq}\n`);
    if (seq < Number.MAX_SAFE_INTEGER) {
      cursor.save(seq + 1);
      expect(kept()).toBe(`${seq + 1}\n`);
    }
    cursor.close();
  });

  it.each(['\n', ' ', '-1\n', '1.5\n', '1e3\n', '0x10\n', ' 41\n', '41 42\n', '41\n42\n', 'x\n'])(
    'refuses a file that holds %j, and leaves it as it is',
    (text) => {
      writeFileSync(path, text);
      expect(() => openCursor(path)).toThrow(
        expect.objectContaining({ code: 'usage', message: expect.stringContaining(path) }),
      );
      expect(kept()).toBe(text);
    },
  );

  it('refuses a position that no journal has, and a file that is large', () => {
    for (const text of ['9007199254740992\n', '1'.repeat(1_000_000)]) {
      writeFileSync(path, text);
      expect(() => openCursor(path)).toThrow('holds something else than a position');
      expect(kept()).toBe(text);
    }
  });

  it('says of a path that cannot be one which it is and what to do', () => {
    mkdirSync(path);
    for (const wrong of [path, join(folder.path, 'no folder', 'mlog.cursor')]) {
      expect(() => openCursor(wrong)).toThrow(
        expect.objectContaining({
          code: 'usage',
          message: expect.stringMatching(/^--cursor .* cannot be used: (EISDIR|ENOENT)/),
          hint: expect.stringContaining('Name a file'),
        }),
      );
    }
  });

  it.skipIf(process.platform !== 'linux')('holds no file open that it refused or closed', () => {
    writeFileSync(path, 'x\n');
    expect(() => openCursor(path)).toThrow('something else');
    expect(openFiles()).not.toContain(path);
    writeFileSync(path, '');
    const cursor = openCursor(path);
    expect(openFiles()).toContain(path);
    cursor.close();
    expect(openFiles()).not.toContain(path);
  });

  it('says which position it could not keep', () => {
    const cursor = openCursor(path);
    cursor.close();
    expect(() => cursor.save(17)).toThrow(
      expect.objectContaining({
        code: 'failed_precondition',
        message: expect.stringContaining(`--cursor ${path} cannot be written: E`),
        hint: expect.stringContaining('Message 17 was printed'),
      }) as Error,
    );
  });
});

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`);
    } catch {
      // The folder itself, whose reading is over.
      return '';
    }
  });
}
