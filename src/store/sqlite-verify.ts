import { isUtf8 } from 'node:buffer';
import { openStoreToVerify } from './sqlite-file.ts';
import type { Database } from './sqlite-driver.ts';
import { sumOf, type Row } from './sqlite-pages.ts';

/** What the check of a store found. */
export interface VerifyReport {
  readonly messages: number;
  /** 0 in an empty store, as `lastSeq`. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** What is wrong, a sentence each; none in a whole store. */
  readonly problems: readonly string[];
}

/** More problems than these are not told one by one. */
const problemsMaxCount = 20;

/**
 * Checks every page and every entry of a store that no service has open: that the file fits
 * together, that `seq` has no gap, that each id is there once, and that each entry has the checksum
 * it was stored with. Throws `failed_precondition` where the store cannot be opened at all.
 */
export async function verifyStoreFile(path: string): Promise<VerifyReport> {
  const { database, warning } = await openStoreToVerify(path);
  const problems = warning === undefined ? [] : [warning];
  const counted = { messages: 0, firstSeq: 0, lastSeq: 0 };
  try {
    for (const problem of checkPages(database)) problems.push(problem);
    for (const problem of checkEntries(database, counted)) problems.push(problem);
  } catch (error) {
    problems.push(`It cannot be read behind entry ${counted.lastSeq}: ${String(error)}.`);
  }
  return { ...counted, problems: problems.slice(0, problemsMaxCount) };
}

function* checkPages(database: Database): Generator<string> {
  const rows = database.prepare(`PRAGMA integrity_check(${problemsMaxCount})`).all();
  for (const { integrity_check: said } of rows as { integrity_check: string }[]) {
    if (said !== 'ok') yield `SQLite: ${said}.`;
  }
  const repeated = database.prepare('SELECT 1 FROM entry GROUP BY id HAVING count(*) > 1 LIMIT 1');
  if (repeated.get()) yield 'An id is there more than once.';
}

function* checkEntries(
  database: Database,
  counted: { messages: number; firstSeq: number; lastSeq: number },
): Generator<string> {
  const rows = database.prepare('SELECT * FROM entry ORDER BY seq').iterate();
  for (const { seq, id, txt, sum } of rows as IterableIterator<Row>) {
    counted.messages += 1;
    if (counted.messages === 1) counted.firstSeq = seq;
    else if (seq !== counted.lastSeq + 1) {
      yield `Entry ${seq} follows entry ${counted.lastSeq}: there is a gap.`;
    }
    counted.lastSeq = seq;
    if (sumOf(seq, id, txt) !== sum || !isUtf8(id) || !isUtf8(txt)) {
      yield `Entry ${seq} is not what was stored: its checksum differs.`;
    }
  }
}
