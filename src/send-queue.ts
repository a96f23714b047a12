import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** A table of connections that is younger than this is used again: it serves all who ask. */
const tableMaxAgeMs = 200;

let table: Promise<ReadonlyMap<string, number>> | undefined;
let readAtMs = -Infinity;

/**
 * Tells how many of the bytes that were given to the system the peer of a connection has not taken.
 * Gives undefined where the system does not tell, which is everywhere but on Linux.
 *
 * Node tells of progress only by `drain`, and Linux lets a connection drain when a third of its send
 * buffer is free: with the usual 4 MB, a reader at 200 kB/s seems to take nothing for 7 s. The table
 * of connections shows each acknowledgement. For a peer on this machine it also shows what that peer
 * has received and not read; without it, a reader at 10 kB/s moves only every 13 s, since the
 * loopback interface acknowledges 95 kB at a time.
 */
export async function untakenBytes(socket: Socket): Promise<number | undefined> {
  const { localPort, remotePort } = socket;
  if (process.platform !== 'linux' || localPort === undefined || remotePort === undefined) {
    return undefined;
  }
  if (!table || performance.now() - readAtMs > tableMaxAgeMs) {
    readAtMs = performance.now();
    table = readTable();
  }
  return (await table).get(`${toHex(localPort)} ${toHex(remotePort)}`);
}

function toHex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** Reads the untaken bytes by `LOCAL REMOTE`, the two ports as the table writes them. */
async function readTable(): Promise<ReadonlyMap<string, number>> {
  const bytes = new Map<string, number>();
  const add = (ports: string, count: number) => bytes.set(ports, (bytes.get(ports) ?? 0) + count);
  for (const path of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    // "  0: 0100007F:22B1 0100007F:D3F0 01 00000A00:000001F4 …": local, remote, state, sent, received.
    for (const line of (await readFile(path, 'latin1').catch(() => '')).split('\n')) {
      const [, local, remote, sent, received] =
        /:(\w{4}) \w+:(\w{4}) \w\w (\w{8}):(\w{8})/.exec(line) ?? [];
      if (local === undefined) continue;
      add(`${local} ${remote}`, parseInt(sent!, 16));
      add(`${remote} ${local}`, parseInt(received!, 16));
    }
  }
  return bytes;
}
