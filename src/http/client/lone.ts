import type { ClientRequest, IncomingMessage } from 'node:http';
import type { HttpAddress } from '../../address.ts';
import { noReplyError } from '../../journal/remote/remote-errors.ts';
import { replyMaxBytes, toClientError, tooLongError } from './transport-error.ts';
import type { Reach } from '../../net/reach.ts';
import { withAuthorization } from './authorization.ts';
import type { HttpClient, HttpReply } from './client.ts';

/** What a process needs that sends one message. */
export type LoneClient = Pick<HttpClient, 'url' | 'exchange'>;

/**
 * Returns a client for one or two exchanges, each on a connection of its own, made with Node's
 * client: undici takes longer to load than all of `node -e 0`. It fails like an `HttpClient`.
 */
export function createLoneClient({ scheme, text: url }: HttpAddress, reach: Reach): LoneClient {
  return {
    url,
    async exchange({ method, path, headers: own, body }) {
      const { request } =
        scheme === 'https' ? await import('node:https') : await import('node:http');
      const headers = withAuthorization(own, reach);
      const options = { method, headers, agent: false, ...reach.certificates?.() };
      const sent = request(url + path, options);
      const late = setTimeout(() => sent.destroy(noReplyError(url)), reach.timeoutMs);
      try {
        const reply = readReply(sent, url + path);
        sent.end(body);
        return await reply;
      } catch (error) {
        throw toClientError(error, url);
      } finally {
        clearTimeout(late);
        // A service may reply before it has read everything, and then read no more.
        sent.destroy();
      }
    },
  };
}

function readReply(sent: ClientRequest, url: string): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('upgrade', () => reject(new Error('it answered in another protocol')));
    sent.on('response', (response: IncomingMessage) => {
      const { statusCode: status = 0, headersDistinct } = response;
      const header = (name: string) => headersDistinct[name]?.[0] ?? '';
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on('error', reject).on('data', (piece: Buffer) => {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > replyMaxBytes) reject(tooLongError());
      });
      response.on('end', () =>
        resolve({ url, status, header, text: Buffer.concat(pieces).toString() }),
      );
    });
  });
}
