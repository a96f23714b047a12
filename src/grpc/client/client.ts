import {
  Client,
  connectivityState,
  credentials,
  type ClientDuplexStream,
  type StatusObject,
} from '@grpc/grpc-js';
import type { Address } from '../../address.ts';
import { silentError, strangeError } from '../../journal/remote/no-answer.ts';
import type { Reach } from '../../net/reach.ts';
import { statusError } from '../status.ts';

/** The kept connections to a service. Every failure is an `MlogError`. */
export interface GrpcClient {
  readonly url: string;
  readonly timeoutMs: number;
  /** Sends one message and gives the reply, within `timeoutMs`. */
  call(path: string, request: Buffer): Promise<Buffer>;
  /** Sends one message and gives those of the reply, until the signal is aborted. */
  read(path: string, request: Buffer, signal?: AbortSignal): AsyncGenerator<Buffer>;
  /** Opens a stream both ways. */
  open(path: string): ClientDuplexStream<Buffer, Buffer>;
  /** Calls back once, when the connection there is has been lost. */
  onDisconnect(callback: () => void): void;
  close(): void;
}

const options = {
  // `journal/wrap/retry.ts` tries again, and nobody else.
  'grpc.enable_retries': 0,
  // A service that was started again is found within a second.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  // A service that is gone without a word is noticed, while something is asked of it.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // An entry has no limit of its own here; the service has one.
  'grpc.max_receive_message_length': -1,
  // Nothing but the address says where the service is: no proxy, no settings in the DNS.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

/**
 * Opens a client of the service at `grpc://HOST:PORT`; connects when first used. Reading has a
 * connection of its own: a service has so many calls under way on each, 200 where it is mlog, and
 * behind as many slow readers all else would wait.
 */
export function openGrpcClient(
  { host, port, text: url }: Address<'grpc'>,
  { timeoutMs }: Reach,
): GrpcClient {
  const open = () => new Client(`${host}:${port}`, credentials.createInsecure(), options);
  const client = open();
  const reader = open();

  return {
    url,
    timeoutMs,
    call: (path, request) =>
      new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest<Buffer, Buffer>(
          path,
          asBytes,
          asBytes,
          request,
          (error, reply) => {
            clearTimeout(timer);
            if (error) reject(statusError(error, url));
            else resolve(reply!);
          },
        );
        // A deadline of grpc-js is a time of day, which a change of the clock moves. Set only now: a
        // client that is closed throws above.
        const timer = setTimeout(() => {
          reject(silentError(url));
          call.cancel();
        }, timeoutMs);
      }),
    async *read(path, request, signal) {
      if (signal?.aborted) return;
      const call = reader.makeServerStreamRequest<Buffer, Buffer>(path, asBytes, asBytes, request);
      // What ends the reading is thrown by the loop; the end that we make ourselves says nothing.
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
    open: (path) => client.makeBidiStreamRequest<Buffer, Buffer>(path, asBytes, asBytes),
    onDisconnect(callback) {
      client.getChannel().watchConnectivityState(connectivityState.READY, Infinity, callback);
    },
    close() {
      client.close();
      reader.close();
    },
  };
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

/** Reads a reply, and believes it only when it is one. */
export function readReply<T>(decode: (bytes: Buffer) => T, bytes: Buffer, url: string): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw strangeError(url, error);
  }
}
