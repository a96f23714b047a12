import type { Address, GrpcAddress, ServiceScheme, StoreScheme } from './address.ts';
import { MlogError } from './errors.ts';
import { openHttpLogging } from './http/client/logging.ts';
import type { Store, StoreOptions } from './journal/store.ts';
import type { RemoteLogging } from './journal/remote/logging.ts';
import type { Reach } from './net/reach.ts';

// One line per scheme. Modules that few commands need are loaded when they are opened.

const stores: {
  [S in StoreScheme]: (address: Address<S>, options: StoreOptions) => Promise<Store>;
} = {
  async memory(_, { retainMessages, retainAge }) {
    if (retainMessages || retainAge) throw retentionError();
    return (await import('./store/memory.ts')).openMemoryJournal();
  },
  file: async ({ path }, options) =>
    await (await import('./store/sqlite/sqlite.ts')).openSqliteJournal(path, options),
};

const services: {
  [S in ServiceScheme]: (address: Address<S>, reach: Reach) => Promise<RemoteLogging>;
} = {
  http: async (address, reach) => openHttpLogging(address, reach),
  https: async (address, reach) => openHttpLogging(address, reach),
  grpc: openGrpc,
  grpcs: openGrpc,
};

async function openGrpc(address: GrpcAddress, reach: Reach): Promise<RemoteLogging> {
  return (await import('./grpc/client/logging.ts')).openGrpcLogging(address, reach);
}

/** Opens the store at an address. Throws `failed_precondition` if it cannot be used. */
export function openStore<S extends StoreScheme>(
  address: Address<S>,
  options: StoreOptions = {},
): Promise<Store> {
  return stores[address.scheme](address, options);
}

/** Opens the logging service at an address, which is connected to on first use. */
export function openLogging<S extends ServiceScheme>(
  address: Address<S>,
  reach: Reach,
): Promise<RemoteLogging> {
  return services[address.scheme](address, reach);
}

function retentionError(): MlogError {
  return new MlogError('usage', 'A store at memory: keeps all its messages.', {
    hint: '--retain-messages and --retain-age need a --store file:PATH.',
  });
}
