import { fileURLToPath } from 'node:url';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram, startServer } from '../system/processes.js';
import { findProgram, missingPrograms, programVersion } from '../system/programs.js';

const program = fileURLToPath(new URL('../load/jetstream.js', import.meta.url));
const slackMs = 15_000;

/** NATS JetStream: one subject per id, accepted only while it is empty; published from Node. */
export const jetstream = {
  name: 'jetstream',
  get title() {
    const synced = syncsAlways() ? 'synced always' : 'synced every 2 minutes: it knows no other';
    return `JetStream, expected sequence 0 (${synced})`;
  },
  missing: () => missingPrograms(['nats-server'], 'nats-server'),
  version: () => `nats-server ${programVersion('nats-server', '--version')}`,
  async start({ folder }) {
    const config = join(folder, 'nats.conf');
    const sync = syncsAlways() ? 'sync_interval: always' : '';
    writeFileSync(config, `listen: "127.0.0.1:-1"\njetstream { store_dir: "${folder}" ${sync} }\n`);
    const server = await startServer(findProgram('nats-server'), ['-c', config], {
      ready: /client connections on (\S+)[^]*Server is ready/,
      logPath: join(folder, 'nats.log'),
    });
    return {
      load: (settings) => publish(server.match[1], settings),
      pids: { nats: server.pid },
      stop: server.stop,
    };
  },
};

/** Says whether a publish is on disk when it is acknowledged. Older servers lack the setting. */
function syncsAlways() {
  if (!findProgram('nats-server')) return true;
  const [major, minor] = programVersion('nats-server', '--version').split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

async function publish(address, { connections, seconds }) {
  const output = await runProgram(
    process.execPath,
    [program, address, connections, seconds].map(String),
    { timeoutMs: seconds * 1_000 + slackMs },
  );
  return JSON.parse(output);
}
