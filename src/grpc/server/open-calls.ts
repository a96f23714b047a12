import type { Http2Server, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import {
  ServerInterceptingCall,
  type Server as GrpcServer,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { MlogError, toMlogError } from '../../errors.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Access } from '../../security/access.ts';
import { checkCertificate } from '../../security/certificate-check.ts';
import { checkOrigin } from '../../security/origins.ts';
import { checkToken, type TokenRole } from '../../security/tokens.ts';
import { lingerMs, OpenCall, type BaseCall, type CallLimits } from './open-call.ts';
import { ReceiveLimit, type ReceiveLimits } from './receive-limit.ts';

/** The bounds of all calls of a server. */
export interface OpenCallsLimits extends CallLimits {
  /** What all calls together may hold of messages that were not taken. */
  readonly queueMaxBytes: number;
  /** The most open calls, however few connections they share. */
  readonly connectionsMax: number;
}

/** The open calls of a server. */
export interface OpenCalls {
  /** Bounds each call. This is the first interceptor of the server. */
  readonly intercept: ServerInterceptor;
  /** Closes the streams of calls that grpc-js answers by itself, such as unknown methods. */
  closeUnknown(server: GrpcServer): void;
  /** Lets calls that are being answered finish. Resolves when all are closed. */
  stop(): Promise<void>;
}

/** How often the clock checks what is due. */
const clockMs = 100;

/** Notes that a message of a stream is in use; see `OpenCall.taken`. */
export function noteTaken({ call }: { readonly call?: unknown }): void {
  if (call instanceof BoundedCall) call.openCall.taken();
}

/**
 * Returns the set of open calls of a server. Methods other than `textPaths` take small messages.
 */
export function createOpenCalls(
  limits: OpenCallsLimits,
  textPaths: ReadonlySet<string>,
  access: Access,
  logger: Logger,
): OpenCalls {
  const open = new Set<OpenCall>();
  const received = new ReceiveLimit(receiveLimits(limits));
  let latest: ServerHttp2Stream | undefined;
  let onEmpty = () => {};
  const clock = { nowMs: performance.now() };
  const ticking = setInterval(() => {
    clock.nowMs = performance.now();
    for (const call of open) call.check();
  }, clockMs).unref();

  function onClose(call: OpenCall): void {
    open.delete(call);
    if (open.size === 0) onEmpty();
  }

  return {
    intercept({ path, requestStream: isStream, responseStream }, call) {
      const base = call as unknown as BaseCall;
      const openCall = new OpenCall(base, {
        path,
        isStream,
        hasOneReply: !responseStream,
        takesTexts: textPaths.has(path),
        limits,
        received,
        clock,
        onClose,
        logger,
      });
      // Not a WeakMap, which costs the garbage collector time with each call.
      latest = base.stream;
      const send = base.sendStatus.bind(base);
      // Every status passes here, including those that grpc-js makes.
      base.sendStatus = (status) => {
        openCall.onStatus(status);
        send(status);
      };
      open.add(openCall);
      const needs = textPaths.has(path) ? 'write' : isProbe(path) ? undefined : 'read';
      const refusal = refusalOf(base, access, needs);
      if (refusal) openCall.refuse(refusal);
      else if (open.size > limits.connectionsMax)
        openCall.refuseExcess(callsError(limits.connectionsMax));
      return new BoundedCall(call, openCall, isStream);
    },
    closeUnknown(server) {
      const { http2Servers } = server as unknown as { http2Servers: Map<Http2Server, unknown> };
      for (const http2Server of http2Servers.keys()) {
        http2Server.on('stream', (stream, headers) => {
          // Calls with a method have just been handed on by grpc-js.
          if (stream === latest) return;
          const path = headers[':path']?.slice(0, pathMaxLength);
          logger.warn({ path, code: 'unimplemented' }, 'Call failed');
          setTimeout(() => stream.close(), lingerMs);
        });
      }
    },
    async stop() {
      for (const call of open) call.stop();
      if (open.size > 0) await new Promise<void>((resolve) => (onEmpty = resolve));
      clearInterval(ticking);
    },
  };
}

/** An unknown path is the client's text, so it is quoted only up to this length. */
const pathMaxLength = 200;

/**
 * Returns why a call may not be made; undefined if it may. A call may change something, whatever its
 * method, as a POST may over HTTP.
 */
function refusalOf(
  { host, metadata, connectionInfo, stream }: BaseCall,
  { hosts, origins, tokens, asksCertificate }: Access,
  needs: TokenRole | undefined,
): MlogError | undefined {
  const told = (name: string) => metadata.get(name)[0]?.toString();
  try {
    hosts.check(host ?? '', connectionInfo.localAddress);
    checkOrigin({ host, origin: told('origin'), site: told('sec-fetch-site') }, origins);
    if (!needs) return undefined;
    const { session } = stream;
    const connection = session ?? stream;
    if (asksCertificate) checkCertificate(session?.socket as TLSSocket | undefined, connection);
    if (tokens) checkToken(told('authorization'), tokens.tokens(), needs, connection);
    return undefined;
  } catch (error) {
    return toMlogError(error);
  }
}

/** Says whether a method only tells whether the service is well, which needs no token. */
function isProbe(path: string): boolean {
  return path.startsWith('/grpc.health.v1.Health/');
}

/** A call as a handler sees it. The messages of a stream arrive one by one, as they are taken. */
class BoundedCall extends ServerInterceptingCall {
  readonly openCall: OpenCall;
  readonly #isStream: boolean;

  constructor(
    call: ConstructorParameters<typeof ServerInterceptingCall>[0],
    openCall: OpenCall,
    isStream: boolean,
  ) {
    super(call);
    this.openCall = openCall;
    this.#isStream = isStream;
  }

  override startRead(): void {
    // By itself, grpc-js reads 16 messages ahead, each up to the largest size.
    if (this.#isStream) this.openCall.readWhenTaken(() => super.startRead());
    else super.startRead();
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.openCall.writing();
    super.sendMessage(message, () => {
      this.openCall.written();
      callback();
    });
  }
}

/**
 * Returns the limits for one connection: a part of the whole, and enough for the largest message.
 */
function receiveLimits({ queueMaxBytes, messageMaxBytes }: OpenCallsLimits): ReceiveLimits {
  const connectionReceiveMaxBytes = Math.max(queueMaxBytes / connectionShare, messageMaxBytes);
  const receiveMaxBytes = Math.max(queueMaxBytes, messageMaxBytes);
  return { receiveMaxBytes, connectionReceiveMaxBytes };
}

const connectionShare = 2;

function callsError(callsMax: number): MlogError {
  return new MlogError('overloaded', `${callsMax} calls are open; this one was not read.`, {
    hint: 'Call again in a moment, or raise --connections-max of the service.',
  });
}
