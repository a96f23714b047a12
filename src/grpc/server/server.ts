import { setMaxListeners } from 'node:events';
import {
  Server as GrpcServer,
  ServerCredentials,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
} from '@grpc/grpc-js';
import type { Logger } from '../../observe/logger.ts';
import { tellRefusal, writeMessage, type Answer, type CallSignals } from './call.ts';
import { answerEach } from './exchange.ts';
import type { ConnectionServer } from './listener.ts';
import { createOpenCalls, type OpenCallsLimits } from './open-calls.ts';

/** What one method does: with bytes, so that what is wrong with them is told as all else is. */
export type Method = (
  | { readonly unary: Answer }
  /** A stream of messages, each of which is answered by one, as it is ready. */
  | { readonly exchange: Answer }
  /** One message that is answered by a stream of them. */
  | { readonly stream: (request: Buffer, signals: CallSignals) => AsyncIterable<Buffer> }
) & {
  /** Its messages may be as large as the server takes them; those of others are small. */
  readonly takesTexts?: true;
};

/** The gRPC surface of a role: a method by its path. */
export type Methods = Readonly<Record<string, Method>>;

/** How clients are held in bounds. */
export interface GrpcLimits extends OpenCallsLimits {
  readonly keepAliveTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** What to serve. */
export interface GrpcServerOptions {
  readonly methods: Methods;
  readonly limits: GrpcLimits;
  readonly logger: Logger;
}

/** Calls that one connection may have under way; the client keeps back what is beyond. */
const callsMax = 200;

/**
 * What one connection may hold in memory. Beyond it Node resets new calls, and those under way go on;
 * a client is told RESOURCE_EXHAUSTED by its own end, without a word of ours.
 */
const sessionMaxMiB = 64;

/** How long a ping may take: clients that have nothing to do look at their connection every 5 s. */
const pingTimeoutMs = 20_000;

/** Makes what serves the connections of a listener by gRPC. */
export function createGrpcServer({ methods, limits, logger }: GrpcServerOptions): ConnectionServer {
  const stopping = new AbortController();
  // Each stream listens to it.
  setMaxListeners(0, stopping.signal);
  const paths = Object.keys(methods).filter((path) => methods[path]!.takesTexts);
  const calls = createOpenCalls(limits, new Set(paths), logger);
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
      // Not an async function: its promises would be some more for each message.
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
