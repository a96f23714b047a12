import { STATUS_CODES, type OutgoingHttpHeader } from 'node:http';
import { mediaTypes, toJsonLine } from '../formats.ts';

/** A body that is made while it is read. */
export type Pieces = AsyncIterable<string> | ((gone: AbortSignal) => AsyncIterable<string>);

/** What a handler gives back; the server writes it. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly type?: string | undefined;
  /**
   * The whole body, or pieces of one that is made while it is read. Pieces that may be long in
   * coming are made by a function, whose signal is aborted when the reader has gone.
   */
  readonly body?: string | Pieces;
  /** Of a failure that a handler answers itself: what went wrong, for the diagnostics. */
  readonly reason?: string | undefined;
  /** Frees what the body would read from; called in the end, whether it was read or not. */
  readonly release?: () => void;
}

/** A JSON value as the reference writes it: compact, with a final newline. */
export function json(status: number, value: unknown, headers?: Reply['headers']): Reply {
  return { status, type: mediaTypes.json, body: toJsonLine(value), ...(headers && { headers }) };
}

/**
 * Returns the headers of a reply, names and values by turns: Node writes these as they are, and takes
 * longer over an object. No reply is for a cache, because each says how things stand now.
 */
export function headersOf({ type, headers }: Reply, length?: number): OutgoingHttpHeader[] {
  const all: OutgoingHttpHeader[] = ['Cache-Control', 'no-store'];
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
