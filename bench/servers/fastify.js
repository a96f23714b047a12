/**
 * The service that a Node developer would write, durable and without duplicates: Fastify, with one
 * synced insert per request. node fastify.js FILE better-sqlite3|@photostructure/sqlite
 */

import { randomUUID } from 'node:crypto';
import formBody from '@fastify/formbody';
import Fastify from 'fastify';

const [file, driver] = process.argv.slice(2);
const database = await openDatabase();
database.exec('PRAGMA journal_mode = WAL');
database.exec('PRAGMA synchronous = FULL');
database.exec('CREATE TABLE message (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, txt TEXT)');
const insert = database.prepare(
  'INSERT INTO message (id, txt) VALUES (?, ?) ON CONFLICT DO NOTHING',
);

const server = Fastify();
await server.register(formBody);
server.post('/', (request, reply) => {
  const { id = randomUUID(), txt } = request.body;
  if (!txt) return reply.code(400).send('No message');
  insert.run(id, txt);
  return { id, txt };
});
console.log(`listening on ${await server.listen({ port: 0, host: '127.0.0.1' })}/`);

// This also keeps the database from being collected: @photostructure/sqlite 1.2.1 crashes if a
// statement outlives it.
process.once('SIGTERM', () => {
  database.close();
  process.exit();
});

async function openDatabase() {
  if (driver === 'better-sqlite3') {
    const { default: Database } = await import('better-sqlite3');
    return new Database(file);
  }
  const { DatabaseSync } = await import('@photostructure/sqlite');
  return new DatabaseSync(file);
}
