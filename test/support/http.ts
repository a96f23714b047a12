import { once } from 'node:events';
import * as http from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const requestTimeoutMs = 30_000;
const silenceMaxMs = 2000;

/** A whole reply. */
export type Reply = { status: number; headers: http.IncomingHttpHeaders; text: string };

/** What may be said of a request beside its URL; without a method it is a GET. */
export type RequestOptions = {
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Uint8Array;
};

/** Makes one request on a connection of its own and returns the reply, whatever its status. */
export const request = async (
  url: string | URL,
  { method = 'GET', headers = {}, body }: RequestOptions = {},
): Promise<Reply> => {
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const sent = http.request(url, { method, headers, agent: false, signal });
  const received = new Promise<http.IncomingMessage>((resolve, reject) => {
    // The listener stays: a server may answer and close while the body is still on its way.
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

/** Posts the fields as an HTML form does. */
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

/** Gets a body as text; rejects unless the status is 200. */
export const getText = async (
  url: string | URL,
  headers: http.OutgoingHttpHeaders = {},
): Promise<string> => {
  const reply = await request(url, { headers });
  if (reply.status === 200) return reply.text;
  throw new Error(`GET ${String(url)} answered ${reply.status}: ${reply.text}`);
};

/** Writes the bytes as they are and returns all that comes back until a close or 2 s of silence. */
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
