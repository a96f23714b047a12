import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { MlogError } from '../errors.ts';
import { toStatus } from './status.ts';

/**
 * Ends a call whose one message does not come in time. grpc-js calls the method when the message is
 * whole, so without this a client could leave its calls open for ever.
 */
export function withRequestDeadline(requestTimeoutMs: number): ServerInterceptor {
  const status = toStatus(
    new MlogError('request_timeout', `The message took over ${requestTimeoutMs} ms.`),
  );
  return ({ requestStream }, call) => {
    // A stream of messages is as long as its client wants.
    if (requestStream) return new ServerInterceptingCall(call);
    const timer = setTimeout(() => call.sendStatus(status), requestTimeoutMs);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveHalfClose(forward) {
            clearTimeout(timer);
            forward();
          },
          onCancel: () => clearTimeout(timer),
        }),
    });
  };
}
