/** A node:http server that reads the body and answers a constant. It prints where it listens. */

import { createServer } from 'node:http';

const answer = '{"id":"01a207a5-fddb-74b8-8c38-d24dfa5bd759","txt":"Hello"}';
const headers = { 'content-type': 'application/json', 'content-length': answer.length };

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    Buffer.concat(chunks);
    response.writeHead(200, headers).end(answer);
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
