import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.ts';

/** One POST as the stand-in saw it: its number, its fields, and `performance.now()`. */
export type Attempt = { n: number; id: string | null; txt: string | null; at: number };

/**
 * The fate of a POST. A status is replied and nothing is stored; "drop-reply" and "half-body" store
 * first; "reset", "hang" and "garbage" store nothing.
 */
export type Fate =
  | 'store'
  | 'drop-reply'
  | 'hang'
  | 'reset'
  | 'half-body'
  | 'garbage'
  | { status: number; body?: string; headers?: Record<string, string> };

/** A stand-in for the reference's logging service, in this process. */
export type ReferenceLogging = {
  url: string;
  /** All attempts in order of arrival, including those that were not stored. */
  posts: readonly Attempt[];
  texts: () => string[];
  /** Stops listening and destroys every open connection. */
  close: () => Promise<void>;
};

/** Starts a logging service that replies like the Flask one, except where `onPost` decides. */
export const startReferenceLogging = async ({
  port = 0,
  onPost = () => 'store',
}: { port?: number; onPost?: (attempt: Attempt) => Fate } = {}): Promise<ReferenceLogging> => {
  const messages = new Map<string, string>();
  const posts: Attempt[] = [];

  const store = ({ id, txt }: Attempt): [status: number, said: string] => {
    if (!id || !txt) return [400, 'No id or text'];
    if (messages.has(id)) return [200, 'Duplicate detected'];
    messages.set(id, txt);
    return [201, 'Message logged'];
  };

  const answerPost = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return; // The client left in the middle of it.
    const form = new URLSearchParams(isForm(request) ? body : '');
    const at = performance.now();
    const attempt = { n: posts.length + 1, id: form.get('id'), txt: form.get('txt'), at };
    posts.push(attempt);
    const fate = onPost(attempt);
    if (typeof fate === 'object') answer(response, fate.status, fate.body ?? '', fate.headers);
    else if (fate === 'reset') request.socket.resetAndDestroy();
    else if (fate === 'garbage') request.socket.end('\0\x01this is not HTTP\r\n\r\n');
    else if (fate !== 'hang') {
      const [status, said] = store(attempt);
      if (fate === 'store') answer(response, status, jsonify(said));
      else if (fate === 'drop-reply') request.socket.destroy();
      else answerInPart(response, status, jsonify(said));
    }
  };

  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    if (url.split('?')[0] !== '/logging') answer(response, 404, page('404 Not Found'), html);
    else if (method === 'POST') void answerPost(request, response);
    else if (method === 'GET' || method === 'HEAD')
      answer(response, 200, jsonify([...messages.values()]));
    else
      answer(response, 405, page('405 Method Not Allowed'), { ...html, allow: 'GET, HEAD, POST' });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts,
    texts: () => [...messages.values()],
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};

const html = { 'content-type': 'text/html; charset=utf-8' };
const page = (title: string) => `<!doctype html>\n<html lang=en>\n<title>${title}</title>\n`;

const isForm = ({ headers }: IncomingMessage): boolean =>
  /^application\/x-www-form-urlencoded\s*(;|$)/i.test(headers['content-type'] ?? '');

// Flask's jsonify: compact, ASCII only, with a final newline.
const jsonify = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  ) + '\n';

const answer = (
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void => {
  setDefaults(response, Buffer.byteLength(body));
  response.writeHead(status, headers).end(body);
};

const answerInPart = (response: ServerResponse, status: number, body: string): void => {
  setDefaults(response, Buffer.byteLength(body) + 100);
  response.writeHead(status).write(body, () => response.destroy());
};

const setDefaults = (response: ServerResponse, bytes: number): void => {
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', bytes);
  response.setHeader('connection', 'close'); // Flask's own server never keeps a connection.
};

/** A Flask service of the reference, in a process of its own. */
export type FlaskService = { url: string; output: () => string; stop: () => Promise<void> };

/**
 * Starts one service of the reference. A port of 0 comes first, unless `args` names one; the facade
 * takes the URLs of the logging and the messages service after it.
 */
export const startFlask = async (
  name: 'logging_service' | 'facade_service' | 'messages_service',
  args: readonly string[] = ['0'],
): Promise<FlaskService> => {
  const python = findPython();
  if (!python) throw new Error(noFlask);
  const script = fileURLToPath(new URL(`reference/${name}.py`, import.meta.url));
  const child = await startChild(python, [script, ...args], {
    env: { ...process.env, PYTHONUNBUFFERED: '1', PYTHONUTF8: '1' },
  });
  const url = await child.waitFor(() => /^listening on (\S+)$/m.exec(child.stdout())?.[1], 20_000);
  return {
    url,
    output: () => child.stdout() + child.stderr(),
    stop: async () => void (await child.kill()),
  };
};

/** Says why the Flask services cannot run here; undefined if they can. */
export const flaskMissing = (): string | undefined => (findPython() ? undefined : noFlask);

const noFlask = 'no python3 with flask here (Debian: apt-get install python3-flask)';
let python: string | undefined;

// Debian's package works only with the system's Python, which need not come first in the PATH.
const findPython = (): string | undefined =>
  (python ??= ['/usr/bin/python3', 'python3'].find(
    (candidate) => spawnSync(candidate, ['-c', 'import flask']).status === 0,
  ));
