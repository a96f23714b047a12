import { isGrpcAddress } from './address.ts';
import { MlogError } from './errors.ts';
import type { GrpcJournal } from './grpc/client/reference.ts';
import { openHttpClient } from './http/client/client.ts';
import { createHttpJournal } from './http/client/journal.ts';
import type { Journal, Store } from './journal/journal.ts';
import { parseStorePath, toDuration } from './setting-kinds.ts';

/** What opening a journal may be told. */
export interface OpenOptions {
  /** How long one request to a remote journal may take. */
  readonly attemptTimeoutMs: number;
  /** Hears of an error after which a store keeps nothing any more. */
  readonly onFatal?: (error: MlogError) => void;
  /** Hears what is strange about a store that can be used all the same. */
  readonly onWarning?: (warning: string) => void;
  /** Hears what a store does by itself, such as removing messages. */
  readonly onNotice?: (notice: string) => void;
  /** How much a store keeps; 0 is all. */
  readonly retainMessages?: number;
  readonly retainAge?: number;
}

/** Opens the store at an address, `memory:` or `file:PATH`. Throws as `openJournal` does. */
export async function openStore(address: string, options: OpenOptions): Promise<Store> {
  if (address === 'memory:') {
    if (options.retainMessages || options.retainAge) throw retentionError();
    const { openMemoryJournal } = await import('./store/memory.ts');
    return openMemoryJournal();
  }
  const { openSqliteJournal } = await import('./store/sqlite/sqlite.ts');
  return await openSqliteJournal(pathOf(address), options);
}

/**
 * Opens the journal at an address: `memory:`, `file:PATH`, or `http://…` or `grpc://…` for a remote
 * logging service. Throws `usage` for another address, `failed_precondition` where a store cannot be
 * used.
 */
export async function openJournal(address: string, options: OpenOptions): Promise<Journal> {
  if (isGrpcAddress(address)) return await openGrpcJournal(address, options);
  if (/^https?:/.test(address)) {
    return createHttpJournal(openHttpClient(address, { timeoutMs: options.attemptTimeoutMs }));
  }
  return await openStore(address, options);
}

/** Opens the journal of a remote logging service over gRPC, which can also list the texts alone. */
export async function openGrpcJournal(
  address: string,
  { attemptTimeoutMs }: OpenOptions,
): Promise<GrpcJournal> {
  const { createGrpcJournal } = await import('./grpc/client/journal.ts');
  return createGrpcJournal(address, attemptTimeoutMs);
}

function retentionError(): MlogError {
  return new MlogError('usage', 'A store at memory: keeps all its messages.', {
    hint: '--retain-messages and --retain-age need a --store file:PATH.',
  });
}

/** Says in words what a stored message survives at an address. */
export function durabilityOf(address: string): string {
  if (address === 'memory:') return 'kept in memory, gone when the service stops';
  return 'synced to disk before every reply';
}

/** Says in words how much a store keeps; undefined where it keeps all. */
export function retentionOf(
  settings: Pick<OpenOptions, 'retainMessages' | 'retainAge'>,
): string | undefined {
  const { retainMessages, retainAge } = settings;
  if (!retainMessages && !retainAge) return undefined;
  const messages = retainMessages ? `the newest ${retainMessages} messages` : 'messages';
  return retainAge ? `${messages} of the last ${toDuration(retainAge)}` : messages;
}

/** The path of a store at an address such as `file:./mlog.db`. Throws `usage` for another one. */
export function pathOf(address: string): string {
  const path = parseStorePath(address);
  if (path === undefined) throw addressError(address);
  return path;
}

function addressError(address: string): MlogError {
  return new MlogError('usage', `--store is ${JSON.stringify(address)}, which is no address.`, {
    hint: 'It has to be memory: or file:PATH, such as file:./mlog.db.',
  });
}
