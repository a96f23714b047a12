import { STATUS_CODES, type OutgoingHttpHeader } from 'node:http';
import { mediaTypes, toJsonLine } from '../formats.ts';

/** A body that is produced while it is read. */
export type Pieces = AsyncIterable<string> | ((gone: AbortSignal) => AsyncIterable<string>);

/** What a handler returns for the server to write. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly type?: string | undefined;
  /**
   * The whole body, or pieces of one that is produced while it is read. If the next piece may take
   * long, a function makes them, and its signal is aborted once the reader is gone.
   */
  readonly body?: string | Pieces;
  /** What went wrong, for the diagnostics, if a handler reports a failure by itself. */
  readonly reason?: string | undefined;
  /** Releases what the body reads from. Called in the end, whether the body was read or not. */
  readonly release?: () => void;
}

/** Returns a JSON reply as the reference writes it: compact, with a final newline. */
export function json(status: number, value: unknown, headers?: Reply['headers']): Reply {
  return { status, type: mediaTypes.json, body: toJsonLine(value), ...(headers && { headers }) };
}

/**
 * No reply may be cached, because each reports the present state. A browser takes none for another
 * type than it says, and gives none to pages of other origins unless CORS allows it.
 */
const everywhere = [
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
  'Cross-Origin-Resource-Policy',
  'same-origin',
];

/**
 * Returns the headers of a reply as alternating names and values, which Node writes faster than an
 * object.
 */
export function headersOf({ type, headers }: Reply, length?: number): OutgoingHttpHeader[] {
  const all: OutgoingHttpHeader[] = everywhere.slice();
  if (type !== undefined) all.push('Content-Type', type);
  if (length !== undefined) all.push('Content-Length', length);
  for (const name in headers) all.push(name, headers[name]!);
  return all;
}

/** Writes a whole reply as text, for a socket whose request the parser refused. */
export function toRawReply(reply: Reply & { readonly body: string }): string {
  const { status, body } = reply;
  const headers = headersOf(reply, Buffer.byteLength(body));
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n`;
  for (let index = 0; index < headers.length; index += 2) {
    head += `${String(headers[index])}: ${String(headers[index + 1])}\r\n`;
  }
  return `${head}\r\n${body}`;
}
