import { join } from 'node:path';
import { readSettings } from '../../src/config.ts';
import { openGrpcLogging } from '../../src/grpc/client/logging.ts';
import { openHttpLogging } from '../../src/http/client/logging.ts';
import { startServer } from '../../src/http/server/server.ts';
import { withBatch } from '../../src/journal/wrap/batch.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { withGateway } from '../../src/journal/wrap/gateway.ts';
import { withLimit } from '../../src/journal/wrap/limit.ts';
import { withObserver } from '../../src/journal/wrap/observe.ts';
import { withRetry } from '../../src/journal/wrap/retry.ts';
import { withTail } from '../../src/journal/wrap/tail.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createDiagnostics } from '../../src/ops/diagnostics.ts';
import { loggingRoutes } from '../../src/roles/logging/routes.ts';
import { loggingMethods } from '../../src/roles/logging/rpc.ts';
import { createLoggingService } from '../../src/roles/logging/service.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { openSqliteJournal } from '../../src/store/sqlite/sqlite.ts';
import { grpcAddress, httpAddress } from '../support/address.ts';
import { temporaryFolder } from '../support/folder.ts';
import { openJournalByClass, openStoreByClass } from './class-store.ts';
import {
  describeFollow,
  describeLateJournal,
  describeStore,
  type LateSubject,
} from './follow-contract.ts';
import {
  describeIdentity,
  describeJournal,
  describeLastingJournal,
  type LastingSubject,
  type Subject,
} from './journal-contract.ts';
import { startGrpcServer } from '../support/grpc-server.ts';

const settings = readSettings('logging', {}, {});
const logger = createLogger({ level: 'silent' });
const retry = { attemptsMax: 3, retryDelayMs: 10 };

async function openSqlite(): Promise<LastingSubject & LateSubject> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'new folder', 'mlog.db');
  const store = await openSqliteJournal(path);
  return {
    store,
    journal: store,
    async reopen() {
      await store.close();
      return await openSqliteJournal(path);
    },
    end: () => folder.remove(),
  };
}

/** Opens a journal over HTTP: a logging service on a port of its own, and its client. */
async function openOverHttp(): Promise<LateSubject> {
  const store = openMemoryJournal();
  const kept = withBatch(withTail(store), settings);
  const service = createLoggingService(kept, settings);
  const routes = loggingRoutes(service, kept, settings);
  const { host } = settings;
  const server = await startServer({ host, port: 0, routes, limits: settings, logger });
  return {
    store,
    journal: openHttpLogging(httpAddress(server.url), { timeoutMs: 5_000 }).journal,
    async end() {
      await server.close();
      await kept.close();
    },
  };
}

/** Opens a journal over gRPC: the same service on the other wire, and its client. */
async function openOverGrpc(): Promise<LateSubject> {
  const store = openMemoryJournal();
  const kept = withBatch(withTail(store), settings);
  const { appendMaxBytes } = settings;
  const limits = { ...settings, groupMaxBytes: appendMaxBytes, messageMaxBytes: appendMaxBytes };
  const methods = loggingMethods(createLoggingService(kept, settings), kept, limits, logger);
  const server = await startGrpcServer({ methods, limits, logger });
  return {
    store,
    journal: openGrpcLogging(grpcAddress(server.url), { timeoutMs: 5_000 }).journal,
    async end() {
      await server.close();
      await kept.close();
    },
  };
}

function openMemory(): Promise<LateSubject> {
  const store = openMemoryJournal();
  return Promise.resolve({ store, journal: store });
}

function openByClass(): Promise<Subject> {
  return Promise.resolve({ journal: openJournalByClass() });
}

function wrapped<T extends Subject>(wrap: (journal: Journal) => Journal, open: () => Promise<T>) {
  return async () => {
    const subject = await open();
    return { ...subject, journal: wrap(subject.journal) };
  };
}

/** States everything that is promised of any journal. */
function describeWhole(name: string, open: () => Promise<Subject>): void {
  describeJournal(name, open);
  describeFollow(name, open);
}

const batched = (journal: Journal) =>
  withBatch(journal, { batchMaxCount: 16, batchMaxBytes: 4_096 });
const limited = (journal: Journal) => withLimit(journal, settings);
const retried = (journal: Journal) => withRetry(journal, retry);
const told = (journal: Journal) => withObserver(journal, createDiagnostics(logger));
const asInFacade = (journal: Journal) =>
  withLimit(withRetry(withBatch(withTail(withGateway(journal)), settings), retry), settings);

describeWhole('memory', openMemory);
describeWhole('SQLite file', openSqlite);
describeWhole('over HTTP', openOverHttp);
describeWhole('over gRPC', openOverGrpc);
describeWhole('in batches', wrapped(batched, openMemory));
describeWhole('SQLite in batches', wrapped(batched, openSqlite));
describeWhole('with a limit', wrapped(limited, openMemory));
describeWhole('with retry', wrapped(retried, openMemory));
describeWhole('with diagnostics', wrapped(told, openMemory));
describeWhole('with a shared tail', wrapped(withTail, openMemory));
describeWhole('SQLite with a shared tail', wrapped(withTail, openSqlite));
describeWhole('over HTTP with a shared tail', wrapped(withTail, openOverHttp));
describeWhole('over gRPC with a shared tail', wrapped(withTail, openOverGrpc));
describeWhole('as the facade has it', wrapped(asInFacade, openOverHttp));
describeWhole('as the facade has it over gRPC', wrapped(asInFacade, openOverGrpc));

for (const [name, wrap] of Object.entries({
  batched,
  limited,
  retried,
  told,
  withGateway,
  withTail,
})) {
  describeWhole(`a class, ${name}`, wrapped(wrap, openByClass));
}

describeIdentity('memory', openMemory);
describeIdentity('SQLite file', openSqlite);
describeIdentity('in batches', wrapped(batched, openMemory));
describeIdentity('with a limit', wrapped(limited, openMemory));
describeIdentity('with retry', wrapped(retried, openMemory));
describeIdentity('with diagnostics', wrapped(told, openMemory));
describeIdentity('with a shared tail', wrapped(withTail, openMemory));
describeIdentity('over HTTP', openOverHttp);
describeIdentity('over gRPC', openOverGrpc);
describeIdentity('as the facade has it', wrapped(asInFacade, openOverHttp));
describeIdentity('as the facade has it over gRPC', wrapped(asInFacade, openOverGrpc));

describeLastingJournal('SQLite file', openSqlite);

describeLateJournal('memory', openMemory);
describeLateJournal('SQLite file', openSqlite);
describeLateJournal('with a shared tail', wrapped(withTail, openMemory));
describeLateJournal('over HTTP', openOverHttp);
describeLateJournal('over gRPC', openOverGrpc);
describeLateJournal('as the facade has it', wrapped(asInFacade, openOverHttp));
describeLateJournal('as the facade has it over gRPC', wrapped(asInFacade, openOverGrpc));

describeStore('memory', openMemory);
describeStore('SQLite file', openSqlite);
describeStore('a class', () => {
  const store = openStoreByClass();
  return Promise.resolve({ store, journal: store });
});
