import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const requestTimeoutMs = 30_000;
const silenceMaxMs = 2000;

/** A complete reply. */
export type Reply = { status: number; headers: http.IncomingHttpHeaders; text: string };

/** The options of a request besides its URL. The default method is GET. */
export type RequestOptions = {
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Uint8Array;
  /** What to trust and to show over TLS, in PEM. */
  tls?: { ca?: string; cert?: string; key?: string };
};

/** Sends one request on a connection of its own and returns the reply, whatever its status. */
export const request = async (
  url: string | URL,
  { method = 'GET', headers = {}, body, tls }: RequestOptions = {},
): Promise<Reply> => {
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const client = tls ? https : http;
  const sent = client.request(url, { method, headers, agent: false, signal, ...tls });
  const received = new Promise<http.IncomingMessage>((resolve, reject) => {
    // The listener stays, because a server may reply and close while the body is being sent.
    sent.on('response', resolve).on('error', reject);
  });
  sent.end(body);
  const response = await received;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: await text(response),
  };
};

/** Posts the fields like an HTML form. */
export const postForm = (
  url: string | URL,
  fields: Record<string, string>,
  headers: http.OutgoingHttpHeaders = {},
): Promise<Reply> =>
  request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  });

/** Gets a body as text. Rejects unless the status is 200. */
export const getText = async (
  url: string | URL,
  headers: http.OutgoingHttpHeaders = {},
): Promise<string> => {
  const reply = await request(url, { headers });
  if (reply.status === 200) return reply.text;
  throw new Error(`GET ${String(url)} answered ${reply.status}: ${reply.text}`);
};

/** Sends raw bytes and returns everything that comes back until a close or 2 s of silence. */
export const rawRequest = async (
  url: string | URL,
  bytes: string | Uint8Array,
): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.on('error', () => {}); // A reset after the reply is a close like any other.
  socket.setTimeout(silenceMaxMs, () => socket.destroy());
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(pieces).toString();
};
