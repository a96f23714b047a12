import { setMaxListeners } from 'node:events';
import {
  Server as GrpcServer,
  ServerCredentials,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
} from '@grpc/grpc-js';
import type { Logger } from '../../observe/logger.ts';
import type { Access } from '../../security/access.ts';
import { tellRefusal, writeMessage, type Answer, type CallSignals } from './call.ts';
import { answerEach } from './exchange.ts';
import type { ConnectionServer } from './listener.ts';
import { createOpenCalls, type OpenCallsLimits } from './open-calls.ts';

/** What one method does. It takes bytes, so that a malformed message is reported like any error. */
export type Method = (
  | { readonly unary: Answer }
  /** Each message of a stream is answered by one of its own, as soon as it is ready. */
  | { readonly exchange: Answer }
  /** One message is answered by a stream of them. */
  | { readonly stream: (request: Buffer, signals: CallSignals) => AsyncIterable<Buffer> }
) & {
  /** The messages may be as large as the server allows. Those of other methods are small. */
  readonly takesTexts?: true;
};

/** The gRPC surface of a role: a method for each path. */
export type Methods = Readonly<Record<string, Method>>;

/** The bounds on clients. */
export interface GrpcLimits extends OpenCallsLimits {
  readonly keepAliveTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** What to serve. */
export interface GrpcServerOptions {
  readonly methods: Methods;
  readonly limits: GrpcLimits;
  readonly access: Access;
  readonly logger: Logger;
}

/** The calls that one connection may have in flight. The client holds back further ones. */
const callsMax = 200;

/**
 * What one connection may hold in memory. Beyond it, Node resets new calls while those in flight
 * continue. The client reports RESOURCE_EXHAUSTED by itself, without a text from us.
 */
const sessionMaxMiB = 64;

/** How long a ping may take: idle clients check their connection every 5 s. */
const pingTimeoutMs = 20_000;

/** Returns the server that serves the connections of a listener over gRPC. */
export function createGrpcServer({
  methods,
  limits,
  access,
  logger,
}: GrpcServerOptions): ConnectionServer {
  const stopping = new AbortController();
  // Each stream adds a listener.
  setMaxListeners(0, stopping.signal);
  const paths = Object.keys(methods).filter((path) => methods[path]!.takesTexts);
  const calls = createOpenCalls(limits, new Set(paths), access, logger);
  const server = new GrpcServer({
    'grpc.max_receive_message_length': limits.messageMaxBytes,
    'grpc.max_concurrent_streams': callsMax,
    'grpc.max_connection_idle_ms': limits.keepAliveTimeoutMs,
    'grpc.keepalive_time_ms': limits.heartbeatMs,
    'grpc.keepalive_timeout_ms': pingTimeoutMs,
    'grpc-node.max_session_memory': sessionMaxMiB,
    'grpc.enable_channelz': 0,
    interceptors: [calls.intercept],
  });
  const surface = { stopping: stopping.signal, limits, logger };
  for (const [path, method] of Object.entries(methods)) {
    const { type, handler } = toHandler(path, method, surface);
    server.register(path, handler, asBytes, asBytes, type);
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  calls.closeUnknown(server);
  return {
    serve: (socket) => injector.injectConnection(socket),
    stop() {
      stopping.abort();
      server.tryShutdown(() => {});
      return calls.stop();
    },
  };
}

function asBytes(bytes: Buffer): Buffer {
  return bytes;
}

interface Surface {
  readonly stopping: AbortSignal;
  readonly limits: GrpcLimits;
  readonly logger: Logger;
}

function toHandler(path: string, method: Method, surface: Surface) {
  if ('unary' in method) return { type: 'unary', handler: unary(path, method.unary, surface) };
  if ('exchange' in method) {
    return { type: 'bidi', handler: exchange(path, method.exchange, surface) };
  }
  return { type: 'serverStream', handler: stream(path, method.stream, surface) };
}

function unary(path: string, answer: Answer, { logger }: Surface): handleUnaryCall<Buffer, Buffer> {
  const tellsCalls = logger.isLevelEnabled('debug');
  return (call, callback) => {
    const send = (bytes: Buffer) => callback(null, bytes);
    const refuse = (error: unknown) => callback(tellRefusal(error, path, logger));
    try {
      const reply = answer(call.request);
      // Not an async function, which would add promises for each message.
      if (Buffer.isBuffer(reply)) send(reply);
      else reply.then(send, refuse);
      if (tellsCalls) logger.debug({ path }, 'Call');
    } catch (error) {
      refuse(error);
    }
  };
}

function exchange(
  path: string,
  answer: Answer,
  { stopping, limits, logger }: Surface,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    answerEach(call, answer, stopping, limits).catch((error: unknown) => {
      call.emit('error', tellRefusal(error, path, logger));
    });
  };
}

function stream(
  path: string,
  read: (request: Buffer, signals: CallSignals) => AsyncIterable<Buffer>,
  { stopping, limits, logger }: Surface,
): handleServerStreamingCall<Buffer, Buffer> {
  return async (call) => {
    const gone = new AbortController();
    call.once('cancelled', () => gone.abort());
    try {
      for await (const bytes of read(call.request, { gone: gone.signal, stopping })) {
        if (gone.signal.aborted) break;
        await writeMessage(call, bytes, gone.signal, limits);
      }
      call.end();
    } catch (error) {
      call.emit('error', tellRefusal(error, path, logger));
    }
  };
}
