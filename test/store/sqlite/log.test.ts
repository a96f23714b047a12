import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStoreFile } from '../../../src/store/sqlite/create.ts';
import { openDatabase, type Database } from '../../../src/store/sqlite/driver.ts';
import { inspectStore } from '../../../src/store/sqlite/inspect.ts';
import { StoreLog } from '../../../src/store/sqlite/log.ts';
import { sumOf } from '../../../src/store/sqlite/pages.ts';
import { readState } from '../../../src/store/sqlite/schema.ts';
import { verifyStoreFile } from '../../../src/store/sqlite/verify.ts';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

const pageBytes = 4_096;
const sectorBytes = 512;

/** The files of a store, as a killed process would leave them. */
interface Files {
  readonly file: Buffer;
  readonly log?: Buffer | undefined;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'mlog.db');
});

afterEach(() => folder.remove());

function take(): Files {
  const log = existsSync(`${path}-wal`) ? readFileSync(`${path}-wal`) : undefined;
  return { file: readFileSync(path), log };
}

function place({ file, log }: Files): void {
  rmSync(`${path}-wal`, { force: true });
  rmSync(`${path}-shm`, { force: true });
  writeFileSync(path, file);
  if (log) writeFileSync(`${path}-wal`, log);
}

describe('the log of a store', () => {
  it('belongs to the file at every moment at which the process may be killed', async () => {
    const moments: [string, Files][] = [];
    const note = (name: string) => moments.push([name, take()]);
    for (let round = 0; round < 2; round += 1) {
      const { database, log } = await openObserved(note);
      log.restart();
      for (let part = 0; part < 3; part += 1) {
        log.begin();
        add(database, 40);
        note('written');
        log.restart();
      }
      add(database, 3);
      log.close();
      await closed();
    }
    note('closed');
    const all = moments.flatMap(withPartsMerged);
    for (const [index, [name, { file, log }]] of all.entries()) {
      // Each in a place of its own, because a driver may end its connections late.
      const killed = join(folder.path, `killed-${index}.db`);
      writeFileSync(killed, file);
      if (log) writeFileSync(`${killed}-wal`, log);
      await expect(inspectStore(killed), name).resolves.toBeDefined();
      expect((await verifyStoreFile(killed)).problems, name).toEqual([]);
    }
    expect(all.length).toBeGreaterThan(100);
  });

  it('still belongs to the file after merging it has failed, again and again', async () => {
    let failures = 0;
    const { database, log } = await openObserved((name) => {
      if (!name.startsWith('before PRAGMA wal_checkpoint') || failures === 0) return;
      failures -= 1;
      throw new Error('made to fail');
    });
    log.restart();
    add(database, 10);
    failures = 3;
    for (let left = failures; left > 0; left -= 1) {
      expect(() => log.restart()).toThrow('made to fail');
      add(database, 10);
      const files = take();
      const killed = join(folder.path, `killed-${left}.db`);
      writeFileSync(killed, files.file);
      writeFileSync(`${killed}-wal`, files.log!);
      expect((await verifyStoreFile(killed)).problems).toEqual([]);
    }
    log.restart();
    add(database, 10);
    log.close();
    await closed();
    expect(await verifyStoreFile(path)).toMatchObject({ messages: 50, problems: [] });
  });

  /** Opens the store like a service, and reports what is about to be written and what was. */
  async function openObserved(note: (name: string) => void) {
    if (!existsSync(path)) await createStoreFile(path);
    const database = await openDatabase(path);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
    return { database, log: new StoreLog(observed(database, note), readState(database).log) };
  }
});

describe('a log that is empty', () => {
  it('is told of as a missing one, by the check and by the start', async () => {
    const journal = await openSqliteJournal(path);
    await journal.append([message('a')]);
    const { file } = take();
    await journal.close();
    place({ file, log: Buffer.alloc(0) });
    const missing = expect.stringContaining('messages may be');
    expect((await verifySqliteStore(path)).problems).toEqual([missing]);
    const warnings: string[] = [];
    const again = await openSqliteJournal(path, { onWarning: (text) => warnings.push(text) });
    expect(warnings).toEqual([missing]);
    await again.close();
  });
});

describe('a log that does not belong to the file', () => {
  let open: { readonly journal: Awaited<ReturnType<typeof openSqliteJournal>> };
  let count = 0;

  async function start(): Promise<void> {
    open = { journal: await openSqliteJournal(path) };
  }

  async function append(some: number): Promise<void> {
    await open.journal.append(Array.from({ length: some }, () => message(`m-${(count += 1)}`)));
  }

  /** Takes the files of a running service, then closes it. */
  async function takeAndClose(): Promise<Files> {
    const files = take();
    await open.journal.close();
    return files;
  }

  /** Returns the outcome of a check and of a start, which must leave the files unchanged. */
  async function outcomesOf(files: Files): Promise<unknown[]> {
    place(files);
    const check = await verifySqliteStore(path).catch((error: unknown) => error);
    const opened = await openSqliteJournal(path).catch((error: unknown) => error);
    expect(take()).toEqual(files);
    return [check, opened];
  }

  const refused = () =>
    Array.from({ length: 2 }, () =>
      expect.objectContaining({
        code: 'failed_precondition',
        message: expect.stringContaining(`The log ${path}-wal does not belong`),
        hint: expect.stringContaining('move the -wal file away'),
      }),
    );

  it('is refused: a copy of the file put back beside the log of a later run', async () => {
    await start();
    await append(20);
    await open.journal.close();
    const { file } = take();
    await start();
    await append(30);
    const { log } = await takeAndClose();
    expect(await outcomesOf({ file, log })).toEqual(refused());
  });

  it('is refused: the log of an earlier run put beside the file', async () => {
    await start();
    await append(20);
    const { log } = await takeAndClose();
    expect(await outcomesOf({ file: readFileSync(path), log })).toEqual(refused());
    rmSync(`${path}-wal`);
    await start();
    await append(5);
    const { file } = await takeAndClose();
    expect(await outcomesOf({ file, log })).toEqual(refused());
  });

  it.each([true, false])('is refused: the log of another store, closed: %s', async (isClosed) => {
    await start();
    await append(500);
    const { log } = await takeAndClose();
    rmSync(path);
    await start();
    await append(20);
    const running = await takeAndClose();
    expect(await outcomesOf({ file: isClosed ? readFileSync(path) : running.file, log })).toEqual(
      refused(),
    );
  });

  it('is refused: the log of a converted store beside the same store of schema 1', async () => {
    const old = join(import.meta.dirname, 'schema-1', 'closed.db');
    copyFileSync(old, path);
    await start();
    await append(20);
    const { log } = await takeAndClose();
    expect(await outcomesOf({ file: readFileSync(old), log })).toEqual(refused());
  });

  it('does not stand in the way of what belongs: file and log of one moment', async () => {
    await start();
    await append(20);
    const files = await takeAndClose();
    place(files);
    await start();
    expect(await readAll(open.journal)).toHaveLength(20);
    await open.journal.close();
    expect(readdirSync(folder.path)).toEqual(['mlog.db']);
  });
});

/** One of the drivers ends a connection only when its last statement is collected. */
async function closed(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await expect.poll(() => (collect(), existsSync(`${path}-wal`))).toBe(false);
}

let seq = 0;

function add(database: Database, count: number): void {
  const { last } = database.prepare('SELECT max(seq) AS last FROM entry').get() as {
    last: number | null;
  };
  const insert = database.prepare(
    'INSERT INTO entry VALUES (?, CAST(? AS BLOB), CAST(? AS BLOB), 0, ?)',
  );
  for (let next = (last ?? 0) + 1; next <= (last ?? 0) + count; next += 1) {
    const [id, txt] = [`id-${(seq += 1)}`, 'text '.repeat(100)];
    insert.run(next, id, txt, sumOf(next, id, txt));
  }
}

/** A connection that reports before and after each statement of the log. */
function observed(database: Database, note: (name: string) => void): Database {
  const telling = (sql: string, statement: ReturnType<Database['prepare']>) => {
    const told =
      (verb: 'run' | 'get') =>
      (...values: never[]) => {
        note(`before ${sql}`);
        const result = statement[verb](...values);
        note(`after ${sql}`);
        return result;
      };
    return { run: told('run'), get: told('get') };
  };
  return {
    exec: (sql: string) => {
      note(`before ${sql}`);
      database.exec(sql);
      note(`after ${sql}`);
    },
    prepare: (sql: string) => telling(sql, database.prepare(sql)),
    close: () => database.close(),
  } as unknown as Database;
}

/** A merge writes the pages of the file one by one, so a kill in between leaves some of each. */
function withPartsMerged(
  [name, files]: [string, Files],
  index: number,
  moments: [string, Files][],
): [string, Files][] {
  const next = moments[index + 1]?.[1];
  const isMerge =
    name.startsWith('before PRAGMA wal_checkpoint') || name.includes('log_before = ?');
  if (!next || !isMerge || next.file.equals(files.file)) return [[name, files]];
  const pages = next.file.length / pageBytes;
  const parts = Array.from({ length: pages }, (_, merged): [string, Files] => {
    const first = next.file.subarray(0, merged * pageBytes);
    const file = Buffer.concat([first, files.file.subarray(merged * pageBytes)]);
    return [`${name}, ${merged} of ${pages} pages merged`, { ...files, file }];
  });
  // A power cut may leave some sectors of each page.
  const torn = [0, 1].map((parity): [string, Files] => {
    const file = Buffer.from(next.file);
    for (let at = parity * sectorBytes; at < files.file.length; at += 2 * sectorBytes) {
      files.file.copy(file, at, at, at + sectorBytes);
    }
    return [`${name}, every other sector merged, from ${1 - parity} on`, { ...files, file }];
  });
  return [[name, files], ...parts, ...torn];
}
