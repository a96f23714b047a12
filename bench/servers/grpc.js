/** A grpc-js server that answers LogMessage with a constant. It prints where it listens. */

import { Server, ServerCredentials } from '@grpc/grpc-js';

const logged = Buffer.from('\n\x06Logged');
const same = (bytes) => bytes;

const server = new Server();
server.register(
  '/LoggingService/LogMessage',
  (call, callback) => callback(null, logged),
  same,
  same,
  'unary',
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on grpc://127.0.0.1:${port}`);
});
