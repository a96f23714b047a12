import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCursor } from '../../../src/commands/list/cursor.ts';
import { temporaryFolder } from '../../support/folder.ts';

const id = '0197f3a0-7c1e-4f6a-9d2b-3c4d5e6f7a8b';

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
    expect(cursor.kept).toBeUndefined();
    expect(kept()).toBe('');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    cursor.close();
    const again = openCursor(path);
    expect(again.kept).toBeUndefined();
    again.close();
  });

  it('has each position in its file as soon as it is saved', () => {
    const cursor = openCursor(path);
    for (const seq of [1, 9, 10, 99, 1_000, Number.MAX_SAFE_INTEGER]) {
      for (const journal of [undefined, id]) {
        cursor.save({ seq, journal });
        expect(kept()).toBe(journal ? `${seq} ${id}\n` : `${seq}\n`);
        const other = openCursor(path);
        expect(other.kept).toEqual({ seq, journal });
        other.close();
      }
    }
    cursor.close();
  });

  it.each<[string, number, string?]>([
    ['0\n', 0],
    ['41\n', 41],
    ['41', 41],
    ['41\r\n\n  ', 41],
    ['000041\n', 41],
    [`${Number.MAX_SAFE_INTEGER}\n`, Number.MAX_SAFE_INTEGER],
    [`0041 ${id}\r\n`, 41, id],
    [`41 ${id}`, 41, id],
  ])('goes on from %j, with nothing of it left behind a later position', (text, seq, journal) => {
    writeFileSync(path, text);
    const cursor = openCursor(path);
    expect(cursor.kept).toEqual({ seq, journal });
    expect(kept()).toBe(journal ? `${seq} ${id}\n` : `${seq}\n`);
    if (seq < Number.MAX_SAFE_INTEGER) {
      cursor.save({ seq: seq + 1, journal: id });
      expect(kept()).toBe(`${seq + 1} ${id}\n`);
    }
    cursor.close();
  });

  it.each([
    '\n',
    ' ',
    '-1\n',
    '1.5\n',
    '1e3\n',
    '0x10\n',
    ' 41\n',
    '41 42\n',
    '41\n42\n',
    'x\n',
    `41  ${id}\n`,
    `41 ${id} x`,
    `${id}\n`,
  ])('refuses a file that holds %j, and leaves it as it is', (text) => {
    writeFileSync(path, text);
    expect(() => openCursor(path)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(path) }),
    );
    expect(kept()).toBe(text);
  });

  it('refuses a position that no journal has, and a file that is large', () => {
    for (const text of ['9007199254740992\n', '1'.repeat(1_000_000)]) {
      writeFileSync(path, text);
      expect(() => openCursor(path)).toThrow('does not hold a position');
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
    expect(() => openCursor(path)).toThrow('does not hold a position');
    expect(openFiles()).not.toContain(path);
    writeFileSync(path, '');
    const cursor = openCursor(path);
    expect(openFiles()).toContain(path);
    cursor.close();
    expect(openFiles()).not.toContain(path);
  });

  it('says what it holds when it cannot keep a later position', () => {
    const cursor = openCursor(path);
    cursor.close();
    expect(() => cursor.save({ seq: 17, journal: undefined })).toThrow(
      expect.objectContaining({
        code: 'failed_precondition',
        message: expect.stringContaining(`--cursor ${path} cannot be written: E`),
        hint: expect.stringContaining('It holds no position yet'),
      }) as Error,
    );
  });
});

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) process.stderr.write('Skipped, for only root can mount: a cursor on a full disk.\n');

describe.skipIf(!canMount && !process.env['CI'])('a cursor on a full disk', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder.path]);
    if (mounted.status !== 0) throw new Error(String(mounted.stderr));
    path = join(folder.path, 'mlog.cursor');
  });

  afterEach(async () => {
    spawnSync('umount', [folder.path]);
    await folder.remove();
  });

  const fill = () => {
    expect(() => writeFileSync(join(folder.path, 'fill'), Buffer.alloc(100_000))).toThrow('ENOSPC');
  };

  it('says which file has no room, and keeps the first position once there is some', () => {
    const cursor = openCursor(path);
    fill();
    expect(() => cursor.save({ seq: 7, journal: id })).toThrow(
      expect.objectContaining({
        code: 'failed_precondition',
        message: expect.stringMatching(/^--cursor .* cannot be written: ENOSPC/),
        hint: expect.stringContaining('no position yet'),
      }),
    );
    expect(readFileSync(path, 'utf8')).toBe('');
    rmSync(join(folder.path, 'fill'));
    cursor.save({ seq: 7, journal: id });
    cursor.close();
    expect(readFileSync(path, 'utf8')).toBe(`7 ${id}\n`);
  });

  it('goes on where the file has a place on the disk already', () => {
    writeFileSync(path, `7 ${id}\n`);
    fill();
    const cursor = openCursor(path);
    cursor.save({ seq: 8, journal: id });
    cursor.close();
    expect(readFileSync(path, 'utf8')).toBe(`8 ${id}\n`);
  });
});

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`);
    } catch {
      // The folder itself, which is no longer being read.
      return '';
    }
  });
}
