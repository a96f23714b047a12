/** What a code means to others: over HTTP, over gRPC, in a shell, and for a retry. */
interface Meaning {
  readonly http: number;
  /** The name of the gRPC status (https://grpc.io/docs/guides/status-codes/). */
  readonly grpc: string;
  readonly exit: number;
  readonly retryable: boolean;
}

/**
 * The closed set of errors. Retries, replies on both wires and exit codes read this table and
 * decide nothing themselves.
 */
const meanings = {
  usage: { http: 500, grpc: 'INTERNAL', exit: 2, retryable: false },
  invalid_argument: { http: 400, grpc: 'INVALID_ARGUMENT', exit: 4, retryable: false },
  unauthenticated: { http: 401, grpc: 'UNAUTHENTICATED', exit: 7, retryable: false },
  forbidden: { http: 403, grpc: 'PERMISSION_DENIED', exit: 7, retryable: false },
  misdirected: { http: 421, grpc: 'PERMISSION_DENIED', exit: 7, retryable: false },
  not_found: { http: 404, grpc: 'NOT_FOUND', exit: 1, retryable: false },
  method_not_allowed: { http: 405, grpc: 'UNIMPLEMENTED', exit: 4, retryable: false },
  not_acceptable: { http: 406, grpc: 'INVALID_ARGUMENT', exit: 4, retryable: false },
  request_timeout: { http: 408, grpc: 'CANCELLED', exit: 3, retryable: true },
  headers_too_large: { http: 431, grpc: 'RESOURCE_EXHAUSTED', exit: 4, retryable: false },
  gone: { http: 410, grpc: 'OUT_OF_RANGE', exit: 6, retryable: false },
  too_large: { http: 413, grpc: 'RESOURCE_EXHAUSTED', exit: 4, retryable: false },
  unsupported_media_type: { http: 415, grpc: 'INVALID_ARGUMENT', exit: 4, retryable: false },
  unmet_expectation: { http: 417, grpc: 'INVALID_ARGUMENT', exit: 4, retryable: false },
  conflict: { http: 422, grpc: 'ALREADY_EXISTS', exit: 5, retryable: false },
  cancelled: { http: 499, grpc: 'CANCELLED', exit: 1, retryable: false },
  internal: { http: 500, grpc: 'INTERNAL', exit: 1, retryable: false },
  outcome_unknown: { http: 500, grpc: 'UNKNOWN', exit: 3, retryable: false },
  data_loss: { http: 500, grpc: 'DATA_LOSS', exit: 1, retryable: false },
  failed_precondition: { http: 500, grpc: 'FAILED_PRECONDITION', exit: 1, retryable: false },
  unimplemented: { http: 501, grpc: 'UNIMPLEMENTED', exit: 1, retryable: false },
  untrusted: { http: 502, grpc: 'UNAVAILABLE', exit: 3, retryable: false },
  bad_gateway: { http: 502, grpc: 'UNAVAILABLE', exit: 3, retryable: false },
  closed: { http: 503, grpc: 'UNAVAILABLE', exit: 3, retryable: false },
  overloaded: { http: 503, grpc: 'UNAVAILABLE', exit: 3, retryable: true },
  unavailable: { http: 503, grpc: 'UNAVAILABLE', exit: 3, retryable: true },
  storage_full: { http: 507, grpc: 'UNAVAILABLE', exit: 3, retryable: true },
  deadline_exceeded: { http: 504, grpc: 'DEADLINE_EXCEEDED', exit: 3, retryable: true },
} as const satisfies Record<string, Meaning>;

/** A name from the closed set of error codes. */
export type Code = keyof typeof meanings;

/** The name of a gRPC status in the table. */
export type GrpcStatus = (typeof meanings)[Code]['grpc'];

/**
 * Codes by which a remote service reports its own stop or bug. To the caller this is an outage that
 * may pass.
 */
const passing = new Set<Code>(['closed', 'cancelled', 'internal', 'outcome_unknown', 'usage']);

/** Parses the code that a remote service reported. Returns undefined for an unknown word. */
export function parseCode(word: unknown): Code | undefined {
  if (typeof word !== 'string' || !Object.hasOwn(meanings, word)) return undefined;
  const code = word as Code;
  return passing.has(code) ? 'unavailable' : code;
}

interface ErrorOptions {
  readonly hint?: string | undefined;
  readonly details?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
  readonly isUnsent?: boolean;
  readonly isUnexpected?: boolean;
}

/** Every deliberate failure in mlog: a code, what happened, and what to do next. */
export class MlogError extends Error {
  override readonly name = 'MlogError';
  readonly code: Code;
  /** The next step for the reader, as a sentence. */
  readonly hint: string | undefined;
  /** Facts for programs, such as the `line` or the stored `seq`. */
  readonly details: Readonly<Record<string, string | number>>;
  /** Headers of its HTTP reply besides those that the status requires, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Nothing of the append was sent, so this does not count as an attempt. */
  readonly isUnsent: boolean;
  /** The service answered, but not as the kind of service that was expected. */
  readonly isUnexpected: boolean;

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
    this.headers = options.headers ?? {};
    this.isUnsent = options.isUnsent ?? false;
    this.isUnexpected = options.isUnexpected ?? false;
  }

  get httpStatus(): number {
    return meanings[this.code].http;
  }

  get httpHeaders(): Readonly<Record<string, string>> {
    return this.httpStatus === 503 ? { 'Retry-After': '1', ...this.headers } : this.headers;
  }

  get grpcStatus(): GrpcStatus {
    return meanings[this.code].grpc;
  }

  get exitCode(): number {
    return meanings[this.code].exit;
  }

  get retryable(): boolean {
    return meanings[this.code].retryable;
  }
}

/** Errors of Node for exhausted resources, and what to do about them. */
const shortages: readonly (readonly [codes: string[], what: string, hint: string])[] = [
  // Node reports this code if a thread cannot open its files.
  [
    ['EMFILE', 'ERR_WORKER_INIT_FAILED'],
    'This process may not open more files and connections.',
    'Raise the limit, as `ulimit -n 4096` does in a shell.',
  ],
  [['ENFILE'], 'The system has no more files to open.', 'End what holds many of them.'],
  [['ENOSPC', 'EDQUOT'], 'There is no space left on the disk.', 'Free some.'],
  [['ENOMEM', 'ERR_WORKER_OUT_OF_MEMORY'], 'There is no memory left.', 'Free some.'],
];

/**
 * Returns an `MlogError` unchanged, and `failed_precondition` for an exhausted resource. Anything
 * else is a bug in mlog and becomes `internal`, with the original as its cause for the diagnostics.
 */
export function toMlogError(error: unknown): MlogError {
  if (error instanceof MlogError) return error;
  for (const [codes, what, hint] of shortages) {
    if (hasErrno(error, ...codes)) {
      return new MlogError('failed_precondition', what, { hint, cause: error });
    }
  }
  return new MlogError('internal', 'Something went wrong inside mlog.', {
    hint: 'See the diagnostics of the service.',
    cause: error,
  });
}

/** Adds facts to an `MlogError`. Any other error is returned unchanged. */
export function addDetails(error: unknown, more: MlogError['details']): unknown {
  if (!(error instanceof MlogError)) return error;
  return remake(error, error.code, { details: { ...error.details, ...more } });
}

/** Marks an error of an append: nothing of it was sent. */
export function asUnsent(error: unknown): MlogError {
  const known = toMlogError(error);
  return remake(known, known.code, { isUnsent: true });
}

/**
 * Converts what a remote service reports about itself in reply to an append, such as a bug or its
 * stop, into an outage. This does not refuse the messages, so they may be sent again.
 */
export function asOutage(error: MlogError): MlogError {
  if (error.retryable || error.httpStatus < 500) return error;
  return remake(error, 'unavailable', { cause: error });
}

/**
 * Converts the refusal of a service behind this one, which concerns this one and not its client,
 * into a fault of the set-up.
 */
export function asGatewayError(error: unknown): unknown {
  if (!(error instanceof MlogError) || !isCallerRefused(error)) return error;
  return remake(error, 'bad_gateway', { hint: gatewayHint, headers: {}, cause: error });
}

/** Says whether a service refused who asked, and not what was asked. */
export function isCallerRefused({ code }: MlogError): boolean {
  return code === 'unauthenticated' || code === 'forbidden' || code === 'misdirected';
}

const gatewayHint =
  'This request stored nothing. The service behind this one must know its host (--allow-host) and its ' +
  'token (--upstream-token-file), and trust its certificate (--upstream-tls-cert).';

function remake(error: MlogError, code: Code, changes: ErrorOptions): MlogError {
  const { message, hint, details, headers, isUnsent, isUnexpected, cause } = error;
  const kept = { hint, details, headers, isUnsent, isUnexpected, cause };
  return new MlogError(code, message, { ...kept, ...changes });
}

/** Says whether an error of Node carries one of these codes, such as `ENOENT`. */
export function hasErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
