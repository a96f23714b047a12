import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/**
 * What the peers of all connections have not taken, by the pair of ports, and the time of the
 * observation.
 */
interface Table {
  readonly bytes: ReadonlyMap<string, number>;
  readonly atMs: number;
}

/**
 * A table is reused for this long, and longer if reading it is slow, since it serves every
 * connection.
 */
const tableMaxAgeMs = 200;
const readsPerAge = 20;

let table: Promise<Table> | undefined;
let staleAtMs = -Infinity;

/**
 * Returns how many of the bytes passed to the system the peer of a connection has not taken, and
 * the time of the observation. The bytes are undefined where the system does not tell, which is
 * everywhere but Linux.
 *
 * Node reports progress only by `drain`, and Linux reports a socket as writable once a third of its
 * send buffer is free: with the usual 4 MB, a reader at 200 kB/s seems to take nothing for 7 s. The
 * table of connections shows every acknowledgement. For a peer on this machine it also shows what
 * the peer has received but not read. Without that, a reader at 10 kB/s seems to progress only
 * every 13 s, because the loopback interface acknowledges 95 kB at a time.
 */
export async function untakenBytes(
  socket: Socket,
): Promise<{ readonly bytes: number | undefined; readonly atMs: number }> {
  const { localPort, remotePort } = socket;
  if (process.platform !== 'linux' || localPort === undefined || remotePort === undefined) {
    return { bytes: undefined, atMs: performance.now() };
  }
  if (performance.now() >= staleAtMs) {
    staleAtMs = Infinity;
    table = readTable();
  }
  const { bytes, atMs } = await table!;
  return { bytes: bytes.get(`${toHex(localPort)} ${toHex(remotePort)}`), atMs };
}

function toHex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

async function readTable(): Promise<Table> {
  const bytes = new Map<string, number>();
  const add = (ports: string, hex: string) => {
    bytes.set(ports, (bytes.get(ports) ?? 0) + parseInt(hex, 16));
  };
  const atMs = performance.now();
  for (const path of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    // "  0: 0100007F:22B1 0100007F:D3F0 01 00000A00:000001F4 …": local, remote, state, sent,
    // received.
    for (const line of (await readFile(path, 'latin1').catch(() => '')).split('\n')) {
      const [, local, remote, sent, received] =
        /:(\w{4}) \w+:(\w{4}) \w\w (\w{8}):(\w{8})/.exec(line) ?? [];
      if (local === undefined) continue;
      add(`${local} ${remote}`, sent!);
      add(`${remote} ${local}`, received!);
    }
  }
  const readAtMs = performance.now();
  staleAtMs = readAtMs + Math.max(tableMaxAgeMs, readsPerAge * (readAtMs - atMs));
  return { bytes, atMs };
}
