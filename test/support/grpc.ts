import { fileURLToPath } from 'node:url';
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  status,
  type ChannelOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceDefinition,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const callTimeoutMs = 20_000;

/** From here and from a bundle in `dist/torture`, both two folders down. */
const root = new URL('../../', import.meta.url);

/** The two calls of the reference, loaded from its own file. */
const reference = loadSync(fileURLToPath(new URL('test/support/reference/logging.proto', root)))[
  'LoggingService'
] as ServiceDefinition;

/** mlog's own file, for what the reference lacks. */
const whole = loadSync(fileURLToPath(new URL('proto/logging.proto', root)), {
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
})['LoggingService'] as ServiceDefinition;

/** Returns the host and port of an address such as `grpc://127.0.0.1:50051`. */
export const targetOf = (url: string): string => url.replace('grpc://', '');

/** A message as the reference sends it. A missing field is not sent. */
export type LogRequest = { id?: string; txt?: string };

/** A client with the stubs of the reference. */
export type ReferenceClient = {
  logMessage: (request: LogRequest) => Promise<string>;
  getMessages: () => Promise<string[]>;
  /** The bare client, for calls without a stub. */
  client: Client;
};

/** Opens a client of the reference. The caller closes `client`. */
export const openReferenceClient = (url: string, options: ChannelOptions = {}): ReferenceClient => {
  const client = new Client(targetOf(url), credentials.createInsecure(), options);
  return {
    client,
    logMessage: async (request) =>
      (await call<{ status: string }>(client, reference, 'LogMessage', request)).status,
    getMessages: async () =>
      (await call<{ messages?: string[] }>(client, reference, 'GetMessages', {})).messages ?? [],
  };
};

/** Calls a unary method of mlog's own file. */
export const callOwn = <Reply>(client: Client, name: string, request: object): Promise<Reply> =>
  call<Reply>(client, whole, name, request);

/** Entries as they arrive on a stream. */
export type Page = { entries: { seq: number; id: string; txt: string; at: string }[] };

/** Opens a stream of entries. */
export const openRead = (client: Client, request: object) => {
  const { path, requestSerialize, responseDeserialize } = whole['Read']!;
  return client.makeServerStreamRequest<object, Page>(
    path,
    requestSerialize,
    responseDeserialize as never,
    request,
  );
};

/** The call that appends groups, for tests that write their own bytes. */
export const appendMethod = whole['Append']!;

/** Opens a stream of groups. */
export const openAppend = (client: Client) => {
  const { path, requestSerialize, responseDeserialize } = appendMethod;
  return client.makeBidiStreamRequest<object, AppendReply>(
    path,
    requestSerialize,
    responseDeserialize as never,
  );
};

/** Returns how a stream ended, well or not. */
export const endOf = (
  stream: ClientReadableStream<unknown> | ClientDuplexStream<object, unknown>,
) =>
  new Promise<StatusObject>((resolve) => {
    stream.on('error', () => {});
    stream.on('status', resolve);
  });

/** The outcome of a group. */
export type AppendReply = {
  group: number;
  results: { status: string; seq: number }[];
  error: { status: number; code: string; message: string } | null;
};

/** Makes a unary call with raw bytes. */
export const callBytes = (client: Client, path: string, bytes: Uint8Array): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const same = (value: Buffer) => value;
    const deadline = Date.now() + callTimeoutMs;
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), { deadline }, (error, reply) =>
      error ? reject(error) : resolve(reply!),
    );
  });

const call = <Reply>(
  client: Client,
  service: ServiceDefinition,
  name: string,
  request: object,
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = service[name]!;
    const deadline = Date.now() + callTimeoutMs;
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      { deadline },
      (error, reply) => (error ? reject(error) : resolve(reply as Reply)),
    );
  });

/** A stand-in for the reference's logging service over gRPC, in this process. */
export type ReferenceServer = {
  url: string;
  /** All calls of LogMessage in order of arrival, including failed ones. */
  calls: readonly Required<LogRequest>[];
  texts: () => string[];
  close: () => void;
};

/** Starts a server with only the two calls of the reference. `onCall` may return an error. */
export const startReferenceServer = async ({
  port = 0,
  onCall = () => undefined,
}: {
  port?: number;
  onCall?: (n: number) => Partial<ServiceError> | undefined;
} = {}): Promise<ReferenceServer> => {
  const messages = new Map<string, string>();
  const calls: Required<LogRequest>[] = [];
  const server = new Server();
  const handlers = {
    LogMessage: (
      { request }: { request: Required<LogRequest> },
      callback: (error: Partial<ServiceError> | null, reply?: object) => void,
    ) => {
      const failure = onCall(calls.push(request));
      const isNew = !messages.has(request.id);
      // A reply that is lost comes after the message was stored.
      if (!failure || failure.code === status.ABORTED) messages.set(request.id, request.txt);
      if (failure) callback(failure);
      else callback(null, { status: isNew ? 'Logged' : 'Duplicate' });
    },
    GetMessages: (_: object, callback: (error: null, reply: object) => void) => {
      callback(null, { messages: [...messages.values()] });
    },
  };
  server.addService(reference, handlers);
  const taken = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    url: `grpc://127.0.0.1:${taken}`,
    calls,
    texts: () => [...messages.values()],
    close: () => server.forceShutdown(),
  };
};
