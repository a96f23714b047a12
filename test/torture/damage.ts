import type { Files, Originals } from './originals.ts';
import type { Random } from './random.ts';

/** What must follow from a damage. */
export type Expected =
  /** The service refuses to start, or it serves the intact part and `verify` reports the rest. */
  | 'told'
  /** The service refuses to start. */
  | 'refused'
  /** The service serves all entries but one. */
  | 'one entry'
  /** The service serves what was in the database, and reports the lost log. */
  | 'database'
  /** The service serves a prefix of the entries, because the end of a log may be torn. */
  | 'prefix';

/** One way to damage a store. */
export type Damage = {
  name: string;
  /** Which of the originals is damaged. */
  of: 'closed' | 'killed' | 'foreign' | 'newer';
  expected: Expected;
  make: (files: Required<Files>, random: Random, originals: Originals) => Files;
};

const pageBytes = 4096;
const headerBytes = 100;
const applicationOffset = 68;
const versionOffset = 60;

const flip = (bytes: Buffer, at: number, random: Random): void => {
  bytes[at]! ^= 1 << random.whole(0, 7);
};

const flipSome = (bytes: Buffer, random: Random): void => {
  for (let left = random.whole(1, 8); left > 0; left -= 1) {
    flip(bytes, random.whole(0, bytes.length - 1), random);
  }
};

/**
 * Flips a bit in a text that occurs once in the file: SQLite leaves stale copies when it splits
 * pages.
 */
const flipText = (bytes: Buffer, random: Random): void => {
  const places = new Map<string, number[]>();
  for (const { 0: text, index } of bytes.toString('latin1').matchAll(/the text of \d+/g)) {
    places.set(text, [...(places.get(text) ?? []), index]);
  }
  const [place] = random.pick([...places.values()].filter(({ length }) => length === 1));
  flip(bytes, place! + random.whole(0, 10), random);
};

/** Flips a bit in a leaf of the index (https://sqlite.org/fileformat.html: it begins with 10). */
const flipIndex = (bytes: Buffer, random: Random): void => {
  const leaves = upToLength(bytes.length / pageBytes).filter((n) => bytes[n * pageBytes] === 10);
  flip(bytes, random.pick(leaves) * pageBytes + random.whole(0, pageBytes - 1), random);
};

const upToLength = (length: number): number[] => Array.from({ length }, (_, n) => n);

const pageOf = (bytes: Buffer, random: Random): Buffer => {
  const from = random.whole(1, bytes.length / pageBytes - 1) * pageBytes;
  return bytes.subarray(from, from + pageBytes);
};

const cutShort = (bytes: Buffer, random: Random): Buffer => {
  const pages = random.whole(1, bytes.length / pageBytes - 1);
  return bytes.subarray(0, pages * pageBytes - random.pick([0, 1, 1000]));
};

const noise = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random.whole(0, 255)));

/** Changes the database file and leaves the rest of the store alone. */
const onDatabase =
  (change: (bytes: Buffer, random: Random) => Buffer | undefined | void): Damage['make'] =>
  (files, random) => {
    const bytes = Buffer.from(files.database);
    return { log: files.log, database: change(bytes, random) ?? bytes };
  };

const onLog =
  (change: (bytes: Buffer, random: Random) => Buffer | undefined | void): Damage['make'] =>
  (files, random) => {
    const bytes = Buffer.from(files.log);
    return { database: files.database, log: change(bytes, random) ?? bytes };
  };

const damage = (
  of: Damage['of'],
  name: string,
  expected: Expected,
  make: Damage['make'],
): Damage => ({ of, name, expected, make });

/** Every kind of damage. Each use hits another place. */
export const damages: readonly Damage[] = [
  damage('closed', 'a flipped bit in a text', 'one entry', onDatabase(flipText)),
  damage('closed', 'a flipped bit in the index', 'told', onDatabase(flipIndex)),
  damage(
    'closed',
    'a flipped bit in the header',
    'told',
    onDatabase((bytes, random) => flip(bytes, random.whole(0, headerBytes - 1), random)),
  ),
  damage('closed', 'flipped bits', 'told', onDatabase(flipSome)),
  damage('killed', 'flipped bits beside a log', 'told', onDatabase(flipSome)),
  damage('closed', 'a file cut short', 'told', onDatabase(cutShort)),
  damage('killed', 'a file cut short beside a log', 'told', onDatabase(cutShort)),
  damage(
    'closed',
    'a file cut to a few bytes',
    'refused',
    onDatabase((bytes, random) => bytes.subarray(0, random.whole(1, headerBytes - 1))),
  ),
  damage('closed', 'an empty file', 'refused', () => ({ database: Buffer.alloc(0) })),
  damage(
    'closed',
    'a page of zeros',
    'told',
    onDatabase((bytes, random) => void pageOf(bytes, random).fill(0)),
  ),
  damage(
    'closed',
    'a page in the wrong place',
    'told',
    onDatabase((bytes, random) => void pageOf(bytes, random).copy(pageOf(bytes, random))),
  ),
  damage(
    'closed',
    'noise behind the end',
    'told',
    onDatabase((bytes, random) => Buffer.concat([bytes, noise(random, 5000)])),
  ),
  damage('killed', 'no log after a kill', 'database', ({ database }) => ({ database })),
  damage('killed', 'an empty log after a kill', 'database', ({ database }) => ({
    database,
    log: Buffer.alloc(0),
  })),
  damage('killed', 'a log alone', 'refused', ({ log }) => ({ log })),
  damage('killed', 'an older copy beside a newer log', 'refused', ({ log }, _, { older }) => ({
    ...older,
    log,
  })),
  damage('killed', 'the last copy beside a newer log', 'refused', ({ log }, _, { closed }) => ({
    ...closed,
    log,
  })),
  damage('killed', 'an older log beside a newer file', 'refused', ({ log }, _, { later }) => ({
    ...later,
    log,
  })),
  damage('killed', 'the log of another store', 'refused', ({ database }, _, { other }) => ({
    database,
    log: other.log!,
  })),
  damage(
    'closed',
    'the log of another store beside a closed one',
    'refused',
    (files, _, { other }) => ({
      ...files,
      log: other.log!,
    }),
  ),
  damage(
    'killed',
    'a flipped bit in the log',
    'prefix',
    onLog((bytes, random) => flip(bytes, random.whole(0, bytes.length - 1), random)),
  ),
  damage(
    'killed',
    'a log cut short',
    'prefix',
    onLog((bytes, random) => bytes.subarray(0, random.whole(0, bytes.length - 1))),
  ),
  damage('closed', 'a text file', 'refused', () => ({
    database: Buffer.from('Hello\n'.repeat(2000)),
  })),
  damage('closed', 'noise', 'refused', (_, random) => ({ database: noise(random, 20_000) })),
  damage(
    'closed',
    'no mark of mlog',
    'refused',
    onDatabase((bytes) => void bytes.writeUInt32BE(0, applicationOffset)),
  ),
  damage('foreign', 'a database of another program', 'refused', (files) => files),
  damage(
    'closed',
    'a later format',
    'refused',
    onDatabase((bytes) => void bytes.writeUInt32BE(99, versionOffset)),
  ),
  damage('newer', 'a later format with a log', 'refused', (files) => files),
];
