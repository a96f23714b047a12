/** What a code means outside: to a client over HTTP or gRPC, to a shell, to who may try again. */
interface Meaning {
  readonly http: number;
  /** The name of the status (https://grpc.io/docs/guides/status-codes/). */
  readonly grpc: string;
  readonly exit: number;
  readonly retryable: boolean;
}

/**
 * The closed set of things that can go wrong. Retrying, the replies of both wires and exit codes
 * read this table and decide nothing by themselves.
 */
const meanings = {
  usage: { http: 500, grpc: 'INTERNAL', exit: 2, retryable: false },
  invalid_argument: { http: 400, grpc: 'INVALID_ARGUMENT', exit: 4, retryable: false },
  forbidden: { http: 403, grpc: 'PERMISSION_DENIED', exit: 4, retryable: false },
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
  bad_gateway: { http: 502, grpc: 'UNAVAILABLE', exit: 3, retryable: false },
  closed: { http: 503, grpc: 'UNAVAILABLE', exit: 3, retryable: false },
  overloaded: { http: 503, grpc: 'UNAVAILABLE', exit: 3, retryable: true },
  unavailable: { http: 503, grpc: 'UNAVAILABLE', exit: 3, retryable: true },
  storage_full: { http: 507, grpc: 'UNAVAILABLE', exit: 3, retryable: true },
  deadline_exceeded: { http: 504, grpc: 'DEADLINE_EXCEEDED', exit: 3, retryable: true },
} as const satisfies Record<string, Meaning>;

/** A name from the closed set of error codes. */
export type Code = keyof typeof meanings;

/** The name of a gRPC status that a code may come to. */
export type GrpcStatus = (typeof meanings)[Code]['grpc'];

/** What another service says of itself alone: its stop and its faults may pass, as an outage does. */
const passing = new Set<Code>(['closed', 'cancelled', 'internal', 'outcome_unknown', 'usage']);

/** Reads the code that another service has told; gives undefined for a word that is none. */
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
  readonly isMisfit?: boolean;
}

/** What every deliberate failure in mlog is: a code, what happened, and what to do about it. */
export class MlogError extends Error {
  override readonly name = 'MlogError';
  readonly code: Code;
  /** The next step for the person who reads it, as a sentence. */
  readonly hint: string | undefined;
  /** Facts for a program that reads the error, such as the `line` or the stored `seq`. */
  readonly details: Readonly<Record<string, string | number>>;
  /** What its reply over HTTP says in headers beside those of its status, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Nothing of the append was sent, so this was no attempt to deliver it. */
  readonly isUnsent: boolean;
  /** The service answered, but not as the kind of service it was taken for. */
  readonly isMisfit: boolean;

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
    this.headers = options.headers ?? {};
    this.isUnsent = options.isUnsent ?? false;
    this.isMisfit = options.isMisfit ?? false;
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

/** What Node throws where the system has run out of something, and what to do about it. */
const shortages: readonly (readonly [codes: string[], what: string, hint: string])[] = [
  // Node gives no other code where a thread cannot open what it needs.
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
 * Gives the same error if it is one of ours, and `failed_precondition` where the system has run out
 * of something. Anything else is a fault in mlog itself and becomes `internal`. The original is the
 * cause, for the diagnostics only.
 */
export function toMlogError(error: unknown): MlogError {
  if (error instanceof MlogError) return error;
  for (const [codes, what, hint] of shortages) {
    if (hasErrno(error, ...codes)) {
      return new MlogError('failed_precondition', what, { hint, cause: error });
    }
  }
  return new MlogError('internal', 'Something went wrong inside mlog.', {
    hint: 'The diagnostics of the service tell more.',
    cause: error,
  });
}

/** Adds facts for the reader to an error of ours; any other error stays as it is. */
export function addDetails(error: unknown, more: MlogError['details']): unknown {
  if (!(error instanceof MlogError)) return error;
  return remake(error, error.code, { details: { ...error.details, ...more } });
}

/** Notes on an error of an append that nothing of it was sent. */
export function asUnsent(error: unknown): MlogError {
  const known = toMlogError(error);
  return remake(known, known.code, { isUnsent: true });
}

/**
 * Makes an outage of what another service tells of itself, such as a fault or its stop, in reply to
 * an append: that is no refusal of the messages, so they may be sent again.
 */
export function asOutage(error: MlogError): MlogError {
  if (error.retryable || error.httpStatus < 500) return error;
  return remake(error, 'unavailable', { cause: error });
}

function remake(error: MlogError, code: Code, changes: ErrorOptions): MlogError {
  const { message, hint, details, headers, isUnsent, isMisfit, cause } = error;
  const kept = { hint, details, headers, isUnsent, isMisfit, cause };
  return new MlogError(code, message, { ...kept, ...changes });
}

/** Says whether a Node system error carries this code, such as `ENOENT`. */
export function hasErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
