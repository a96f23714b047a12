import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { DatabaseSync } from '@photostructure/sqlite';
import { readEntries, type StoredEntry } from '../support/writers.ts';
import { openClients, types } from './clients.ts';
import type { Scene } from './scene.ts';

/** The files of a store: the database, and the write-ahead log if it was not closed. */
export type Files = { database?: Buffer; log?: Buffer };

/** Intact stores, and files that are none, before they are damaged. */
export type Originals = {
  /** Closed normally, with the first two parts of the messages. */
  closed: Files;
  /** Killed, with the third part only in its log. */
  killed: Files;
  /** An earlier copy, closed, with only the first part. */
  older: Files;
  /** Closed after the kill, with all messages and some more. */
  later: Files;
  /** Another mlog store, killed. */
  other: Files;
  /** A database of another program, with a log. */
  foreign: Files;
  /** A store of a later format, with a log. */
  newer: Files;
  /** All messages, in order, as a killed store has them. */
  entries: readonly StoredEntry[];
  /** How many of them are in a closed store, and in the database of a killed one. */
  closedCount: number;
};

const partCount = 400;

/** Creates the stores with the program of the scene. The entries are what it has acknowledged. */
export const makeOriginals = async (scene: Scene): Promise<Originals> => {
  const clients = openClients(1);
  const logPath = `${scene.store}-wal`;
  let sent = 0;

  const readFiles = async (): Promise<Files> => ({
    database: await readFile(scene.store),
    ...(existsSync(logPath) && { log: await readFile(logPath) }),
  });

  const serveAndSend = async (signal: 'SIGTERM' | 'SIGKILL') => {
    const server = await scene.serve('logging');
    for (let batches = 0; batches < 4; batches += 1) {
      const lines = Array.from({ length: partCount / 4 }, () => {
        sent += 1;
        return `${JSON.stringify({ id: `id ${sent}`, txt: `the text of ${sent}${'.'.repeat(sent % 90)}` })}\n`;
      });
      const body = lines.join('');
      const { status } = await clients.post(`${server.logging}/logging`, {
        type: types.ndjson,
        body,
      });
      if (status !== 200) throw new Error(`The store that is to be damaged was refused: ${status}`);
    }
    const entries = await readEntries(server.logging);
    await server.kill(signal);
    return { entries, files: await readFiles() };
  };

  const { files: older } = await serveAndSend('SIGTERM');
  const { files: closed } = await serveAndSend('SIGTERM');
  const { files: killed, entries } = await serveAndSend('SIGKILL');
  const { files: later } = await serveAndSend('SIGTERM');
  await rm(scene.store);
  const { files: other } = await serveAndSend('SIGKILL');
  clients.close();
  const foreign = await withLog(
    `${scene.store}-foreign`,
    'CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)',
  );
  await writeFile(`${scene.store}-newer`, closed.database!);
  const newer = await withLog(`${scene.store}-newer`, 'PRAGMA user_version = 99');
  return {
    closed,
    killed,
    older,
    later,
    other,
    foreign,
    newer,
    entries,
    closedCount: 2 * partCount,
  };
};

/** Changes a database and takes its files before it is closed, so that the change is in the log. */
const withLog = async (path: string, change: string): Promise<Files> => {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(change);
  const files = { database: await readFile(path), log: await readFile(`${path}-wal`) };
  database.close();
  return files;
};
