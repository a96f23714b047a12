import { join } from 'node:path';
import { readSettings } from '../../src/config.ts';
import { openHttpClient } from '../../src/http/client.ts';
import { createHttpJournal } from '../../src/http/journal-client.ts';
import { startServer } from '../../src/http/server.ts';
import { withBatch } from '../../src/journal/batch.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { withLimit } from '../../src/journal/limit.ts';
import { withRetry } from '../../src/journal/retry.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { withDiagnostics } from '../../src/roles/logging/diagnostics.ts';
import { loggingRoutes } from '../../src/roles/logging/routes.ts';
import { createLoggingService } from '../../src/roles/logging/service.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { openSqliteJournal } from '../../src/store/sqlite.ts';
import { temporaryFolder } from '../support/folder.ts';
import {
  describeJournal,
  describeLastingJournal,
  type LastingSubject,
  type Subject,
} from './journal-contract.ts';

const settings = readSettings('logging', {}, {});
const logger = createLogger({ level: 'silent' });
const retry = { attemptsMax: 3, retryDelayMs: 10 };

async function openSqlite(): Promise<LastingSubject> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'new folder', 'mlog.db');
  const journal = await openSqliteJournal(path);
  return {
    journal,
    async reopen() {
      await journal.close();
      return await openSqliteJournal(path);
    },
    end: () => folder.remove(),
  };
}

/** A journal seen over HTTP: a logging service on a port of its own, and its client. */
async function openOverHttp(): Promise<Subject> {
  const kept = withBatch(openMemoryJournal(), settings);
  const service = createLoggingService(kept, settings);
  const routes = loggingRoutes(service, kept, settings);
  const { host } = settings;
  const server = await startServer({ host, port: 0, routes, limits: settings, logger });
  return {
    journal: createHttpJournal(openHttpClient(server.url, { timeoutMs: 5_000 })),
    async end() {
      await server.close();
      await kept.close();
    },
  };
}

function wrapped(wrap: (journal: Journal) => Journal, open: () => Promise<Subject>) {
  return async () => {
    const subject = await open();
    return { ...subject, journal: wrap(subject.journal) };
  };
}

const openMemory = () => Promise.resolve({ journal: openMemoryJournal() });
const batched = (journal: Journal) =>
  withBatch(journal, { batchMaxCount: 16, batchMaxBytes: 4_096 });

describeJournal('memory', openMemory);
describeJournal('SQLite file', openSqlite);
describeLastingJournal('SQLite file', openSqlite);
describeJournal('over HTTP', openOverHttp);
describeJournal('in batches', wrapped(batched, openMemory));
describeJournal('SQLite in batches', wrapped(batched, openSqlite));
describeJournal(
  'with a limit',
  wrapped((journal) => withLimit(journal, settings), openMemory),
);
describeJournal(
  'with retry',
  wrapped((journal) => withRetry(journal, retry), openMemory),
);
describeJournal(
  'with diagnostics',
  wrapped((journal) => withDiagnostics(journal, logger), openMemory),
);
describeJournal(
  'as the facade has it',
  wrapped(
    (journal) => withLimit(withRetry(withBatch(journal, settings), retry), settings),
    openOverHttp,
  ),
);
