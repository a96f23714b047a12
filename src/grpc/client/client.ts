import { isIP } from 'node:net';
import { checkServerIdentity as checkIdentity, type PeerCertificate } from 'node:tls';
import {
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientDuplexStream,
  type StatusObject,
} from '@grpc/grpc-js';
import type { GrpcAddress } from '../../address.ts';
import { noReplyError, unexpectedReplyError } from '../../journal/remote/remote-errors.ts';
import type { Certificates } from '../../security/certificates.ts';
import { authorizationOf, type Reach } from '../../net/reach.ts';
import { statusError } from '../status.ts';

/** The connections to one service. Every failure is an `MlogError`. */
export interface GrpcClient {
  readonly url: string;
  readonly timeoutMs: number;
  /** Sends one message and returns the reply, within `timeoutMs`. */
  call(path: string, request: Buffer): Promise<Buffer>;
  /** Sends one message and yields those of the reply, until the signal is aborted. */
  read(path: string, request: Buffer, signal?: AbortSignal): AsyncGenerator<Buffer>;
  /** Opens a stream in both directions. */
  open(path: string): ClientDuplexStream<Buffer, Buffer>;
  /** Calls back once, when the present connection is lost. */
  onDisconnect(callback: () => void): void;
  close(): void;
}

const options = {
  // Only `journal/wrap/retry.ts` retries.
  'grpc.enable_retries': 0,
  // Finds a restarted service within a second.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  // Notices, during a call, that the service has vanished without closing the connection.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // An entry has no size limit here; the service has one.
  'grpc.max_receive_message_length': -1,
  // Only the address says where the service is: no proxy, and no service config in DNS.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

/** The connections to a service, and the certificates that they were opened with. */
interface Channels {
  readonly client: Client;
  /**
   * Reads have a connection of their own: a service limits the calls in flight on each connection
   * (mlog to 200), and that many slow readers would block everything else.
   */
  readonly reader: Client;
  readonly certificates: Certificates | undefined;
}

/** Opens a client of the service at `grpc://HOST:PORT`, which connects on first use. */
export function openGrpcClient(address: GrpcAddress, reach: Reach): GrpcClient {
  const { text: url } = address;
  const { timeoutMs } = reach;
  let channels = openChannels(address, reach.certificates?.());

  function close(): void {
    channels.client.close();
    channels.reader.close();
  }

  /** Returns the connections for the next call. Calls in flight go on where they are. */
  function current(): Channels {
    const certificates = reach.certificates?.();
    if (certificates !== channels.certificates) {
      close();
      channels = openChannels(address, certificates);
    }
    return channels;
  }

  return {
    url,
    timeoutMs,
    call: (path, request) =>
      new Promise((resolve, reject) => {
        const call = current().client.makeUnaryRequest<Buffer, Buffer>(
          path,
          asBytes,
          asBytes,
          request,
          metadataOf(reach),
          (error, reply) => {
            clearTimeout(timer);
            if (error) reject(statusError(error, url));
            else resolve(reply!);
          },
        );
        // A deadline of grpc-js is a time of day, which changes with the clock. The timer starts
        // only now, because a closed client throws above.
        const timer = setTimeout(() => {
          reject(noReplyError(url));
          call.cancel();
        }, timeoutMs);
      }),
    async *read(path, request, signal) {
      if (signal?.aborted) return;
      const call = current().reader.makeServerStreamRequest<Buffer, Buffer>(
        path,
        asBytes,
        asBytes,
        request,
        metadataOf(reach),
      );
      // The loop below throws what ends the stream. The end that we cause is no error.
      call.on('error', () => {});
      const cancel = () => call.cancel();
      signal?.addEventListener('abort', cancel);
      try {
        for await (const bytes of call as AsyncIterable<Buffer>) yield bytes;
      } catch (error) {
        if (!signal?.aborted) throw toClientError(error, url);
      } finally {
        signal?.removeEventListener('abort', cancel);
        cancel();
      }
    },
    open: (path) =>
      current().client.makeBidiStreamRequest<Buffer, Buffer>(
        path,
        asBytes,
        asBytes,
        metadataOf(reach),
      ),
    onDisconnect(callback) {
      const { client } = current();
      client.getChannel().watchConnectivityState(connectivityState.READY, Infinity, callback);
    },
    close,
  };
}

function openChannels(address: GrpcAddress, certificates: Certificates | undefined): Channels {
  const { scheme, host, port } = address;
  const [channelCredentials, own] =
    scheme === 'grpcs' ? createTls(host, certificates) : [credentials.createInsecure(), {}];
  const open = () => new Client(`${host}:${port}`, channelCredentials, { ...options, ...own });
  return { client: open(), reader: open(), certificates };
}

/** What a server is asked for in TLS in place of an IP address, which is no name there (RFC 6066). */
const namelessHost = 'ip-address.invalid';

function createTls(
  host: string,
  { ca, cert, key }: Certificates = {},
): [ChannelCredentials, ChannelOptions] {
  const bytes = (pem?: string) => (pem === undefined ? null : Buffer.from(pem));
  const own = [bytes(ca), bytes(key), bytes(cert)] as const;
  const address = host.replace(/^\[(.*)\]$/, '$1');
  if (!isIP(address)) return [credentials.createSsl(...own), {}];
  // By itself, grpc-js asks for the address, which Node 26 refuses. The certificate must still be
  // for the address.
  const checkServerIdentity = (_: string, shown: PeerCertificate) => checkIdentity(address, shown);
  const named = { 'grpc.ssl_target_name_override': namelessHost };
  return [credentials.createSsl(...own, { checkServerIdentity }), named];
}

function metadataOf(reach: Reach): Metadata {
  const metadata = new Metadata();
  const authorization = authorizationOf(reach);
  if (authorization !== undefined) metadata.set('authorization', authorization);
  return metadata;
}

function asBytes(bytes: Buffer): Buffer {
  return bytes;
}

function toClientError(error: unknown, url: string): unknown {
  return isStatus(error) ? statusError(error, url) : error;
}

function isStatus(error: unknown): error is Error & StatusObject {
  return error instanceof Error && 'code' in error && 'metadata' in error;
}

/** Decodes a reply, and accepts it only if it is well-formed. */
export function readReply<T>(decode: (bytes: Buffer) => T, bytes: Buffer, url: string): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw unexpectedReplyError(url, error);
  }
}
