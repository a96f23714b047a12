/** A node:http server that forwards each body through an undici Pool: node proxy.js URL */

import { createServer } from 'node:http';
import { Pool } from 'undici';

const upstream = new URL(process.argv[2]);
const pool = new Pool(upstream.origin, { connections: 64 });

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => pass(request, Buffer.concat(chunks), response));
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});

async function pass({ method, headers }, body, response) {
  try {
    const reply = await pool.request({
      path: upstream.pathname,
      method,
      headers: { 'content-type': headers['content-type'] },
      body,
    });
    const text = await reply.body.text();
    response.writeHead(reply.statusCode, {
      'content-type': reply.headers['content-type'],
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
  } catch {
    response.writeHead(502).end();
  }
}
