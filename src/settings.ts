import { isAbsolute, join } from 'node:path';
import { filePath, hostNames, pageOrigins, secret, toggle } from './access-setting.ts';
import { parseAddress, storeSchemes, type StoreAddress } from './address.ts';
import { checkVariable } from './given-text.ts';
import { homeFolder } from './home-folder.ts';
import {
  address,
  count,
  duration,
  facadeAddress,
  heartbeat,
  oneOf,
  port,
  roles,
  serviceAddress,
  storeAddress,
  text,
  type Reader,
  type Setting,
} from './setting.ts';

const servers = [...roles, 'all'] as const;
const keepers = ['logging', 'all'] as const;
const clients = ['send', 'client'] as const;
/** The roles that are clients of other services. */
const relaying = ['facade', 'messages'] as const;

/**
 * Every setting of mlog, once. By rule, `batchMaxCount` here is the flag `--batch-max-count`, the
 * variable `MLOG_BATCH_MAX_COUNT` and the option `batchMaxCount`. The unit is part of the name.
 */
export const settings = {
  url: facadeAddress('http://localhost:8880', 'Address of the facade', clients),
  host: text('127.0.0.1', '<host>', 'Address to listen on', servers),
  port: {
    ...port(0, 'Port to listen on', servers),
    default: defaultPortOf,
    defaultText: '8880 facade, 8881 logging, 8882 messages',
  },
  loggingPort: port(8881, 'Port of the logging service', ['all']),
  grpcPort: {
    ...port(undefined, 'Port to listen on for gRPC; 0 turns gRPC off', keepers),
    defaultText: '50051, a free one where the port of the logging service is 0',
  },
  messagesPort: port(8882, 'Port of the messages service', ['all']),
  allowHost: hostNames(
    'Further names of this service, besides localhost and the address to listen on',
    servers,
  ),
  allowOrigin: pageOrigins('Origins whose pages may send and read', servers),
  tokenFile: filePath('File with the tokens that open this service, or that a client sends', [
    ...servers,
    ...clients,
  ]),
  token: secret('The token itself, if there is no file', [...servers, ...clients]),
  upstreamTokenFile: {
    ...filePath('File with the token for the services behind this one', relaying),
    defaultText: 'the token of this service',
  },
  tlsCert: filePath('File with the certificate of this service, or of a client, in PEM', [
    ...servers,
    ...clients,
  ]),
  tlsKey: filePath('File with the private key of that certificate', [...servers, ...clients]),
  tlsClientCa: filePath('File with the issuers of the certificates that clients need', servers),
  upstreamTlsCert: {
    ...filePath('File with the certificate for the services behind this one', relaying),
    defaultText: 'that of this service',
  },
  upstreamTlsKey: {
    ...filePath('File with the private key of that certificate', relaying),
    defaultText: 'that of this service',
  },
  ca: {
    ...filePath('File with the issuers of certificates to trust', [...relaying, ...clients]),
    defaultText: 'the public ones',
  },
  insecureNoAuth: toggle('Let other machines in without a token', servers),
  logging: serviceAddress(
    'http://localhost:8881',
    'Address of the logging service, http:// or grpc://, with an s for TLS',
    ['facade'],
  ),
  messages: address(
    'http://localhost:8882',
    'Address of the messages service',
    ['facade'],
    '/messages',
  ),
  store: storeAddress(defaultStoreOf, 'Where to keep messages: memory: or file:PATH', [
    ...keepers,
    'messages',
    'verify',
  ]),
  follow: {
    ...serviceAddress('http://localhost:8881', 'Address of a logging service to replicate', [
      'messages',
    ]),
    default: undefined,
    defaultText: 'none',
  },
  retainMessages: count(0, 0, 'Keep only this many of the newest messages; 0 keeps all', keepers),
  retainAge: duration('Keep only messages younger than this, such as 7d; 0 keeps all', keepers),
  workers: count(1, 1, 'Processes that share the port of the facade', ['facade']),
  attemptsMax: count(3, 1, 'Attempts to deliver a message, the first one included', [
    'facade',
    'send',
  ]),
  retryDelayMs: count(2_000, 0, 'Pause between two attempts', ['facade', 'send']),
  attemptTimeoutMs: count(8_000, 1, 'Time limit of one attempt', ['facade', 'messages']),
  timeoutMs: count(60_000, 1, 'Time limit for a reply of the facade', clients),
  txtMaxBytes: count(1_048_576, 1, 'Largest text of a message, in bytes', ['facade', ...keepers]),
  appendMaxCount: count(10_000, 1, 'Most messages in one NDJSON request', keepers),
  appendMaxBytes: count(8_388_608, 1, 'Largest NDJSON request, in bytes', keepers),
  batchMaxCount: count(2_000, 1, 'Most messages in one batch', ['facade', ...keepers]),
  batchMaxBytes: count(1_048_576, 1, 'Most bytes of text in one batch', ['facade', ...keepers]),
  queueMaxCount: count(100_000, 1, 'Most messages in flight; more get 503', ['facade', ...keepers]),
  queueMaxBytes: count(67_108_864, 1, 'Most bytes of text in flight; more get 503', [
    'facade',
    ...keepers,
  ]),
  bodiesMaxBytes: count(50_331_648, 1, 'Most bytes of unfinished request bodies; more get 503', [
    'facade',
    ...keepers,
  ]),
  connectionsMax: count(8_000, 1, 'Most open connections', servers),
  headersTimeoutMs: count(10_000, 1, 'Time limit for the headers of a request', servers),
  requestTimeoutMs: count(30_000, 1, 'Time limit for the body of a request', servers),
  keepAliveTimeoutMs: count(65_000, 1, 'How long to keep an idle connection', servers),
  heartbeatMs: heartbeat(
    10_000,
    'How often an event stream without news sends a sign of life',
    servers,
  ),
  readerStallMs: count(
    5_000,
    1,
    'How long a reader may take nothing before it is disconnected',
    servers,
  ),
  shutdownTimeoutMs: count(10_000, 1, 'How long a stop waits for requests in flight', servers),
  stopOn: oneOf(
    ['signal', 'parent'],
    'signal',
    'Stop on a signal, or also when the parent process ends',
    servers,
  ),
  logLevel: oneOf(
    ['debug', 'info', 'warn', 'error', 'silent'],
    'info',
    'Least severe diagnostics to write',
    servers,
  ),
} satisfies Record<string, Setting<unknown>>;

const defaultPorts: Partial<Record<Reader, number>> = {
  all: 8880,
  facade: 8880,
  logging: 8881,
  messages: 8882,
};

function defaultPortOf(reader: Reader): number {
  return defaultPorts[reader] ?? 0;
}

/** A replica may run beside the service that it follows, so by default it keeps no file. */
function defaultStoreOf(reader: Reader, env: NodeJS.ProcessEnv): StoreAddress {
  const usual = reader === 'messages' ? 'memory:' : `file:${join(dataFolder(env), 'mlog.db')}`;
  return parseAddress(usual, storeSchemes)!;
}

/**
 * Returns `$XDG_DATA_HOME/mlog`, as in the XDG Base Directory Specification. Relative values are
 * ignored.
 */
function dataFolder(env: NodeJS.ProcessEnv): string {
  for (const name of ['XDG_DATA_HOME', 'HOME']) checkVariable(name, env[name] ?? '');
  const base = env['XDG_DATA_HOME'];
  return join(base && isAbsolute(base) ? base : join(homeFolder(), '.local', 'share'), 'mlog');
}
