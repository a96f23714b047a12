import type { ClientRequest, IncomingMessage } from 'node:http';
import type { MlogError } from '../errors.ts';
import { replyMaxBytes, silentError, toClientError, tooLongError } from './client-error.ts';
import type { HttpClient, HttpClientOptions, HttpReply } from './client.ts';

/** What a process needs that sends one message. */
export type LoneClient = Pick<HttpClient, 'url' | 'exchange'>;

/**
 * Gives a client for an exchange or two, each on a connection of its own, by what Node brings along:
 * undici takes longer to load than `node -e 0` takes altogether. Fails as an `HttpClient` does.
 */
export function createLoneClient(url: string, { timeoutMs }: HttpClientOptions): LoneClient {
  const { origin, protocol, pathname } = new URL(url);
  const base = origin + pathname.replace(/\/$/, '');

  return {
    url,
    async exchange({ method, path, headers = {}, body }) {
      const { request } =
        protocol === 'https:' ? await import('node:https') : await import('node:http');
      const sent = request(base + path, { method, headers, agent: false });
      const reply = readReply(sent, url, timeoutMs);
      sent.end(body);
      return await reply;
    },
  };
}

function readReply(sent: ClientRequest, url: string, timeoutMs: number): Promise<HttpReply> {
  return new Promise<HttpReply>((resolve, reject) => {
    const timer = setTimeout(() => fail(silentError(undefined, url)), timeoutMs);

    function fail(error: MlogError): void {
      clearTimeout(timer);
      reject(error);
      sent.destroy();
    }
    function onError(error: Error): void {
      fail(toClientError(error, url));
    }
    function onResponse(response: IncomingMessage): void {
      const { statusCode: status = 0, headers } = response;
      const header = (name: string) => String(headers[name] ?? '');
      let text = '';
      response.setEncoding('utf8').on('error', onError);
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > replyMaxBytes) fail(tooLongError());
      });
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status, header, text });
      });
    }

    sent.on('error', onError).on('response', onResponse);
  });
}
