import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from './child.ts';
import { temporaryFolder } from './folder.ts';
import { findPort } from './ports.ts';

const lookEveryMs = 20;

// Debian keeps servers where only root's PATH looks.
const path = `${process.env['PATH']}:/usr/sbin`;

/** Where a proxy listens and sends to, and the folder for its files. */
type Where = { port: number; target: string; folder: string };

/** How a proxy is started, and its minimal configuration. */
type Server = {
  /** The Debian package. */
  packageName: string;
  version: string;
  args: (configPath: string) => string[];
  config: (where: Where) => string;
};

/** Only required settings are set, so that each proxy behaves as it does for its users. */
const servers = {
  nginx: {
    packageName: 'nginx-light',
    version: '-v',
    args: (configPath) => ['-e', 'stderr', '-c', configPath],
    // In one process, so that a kill ends all of it.
    config: ({ port, target, folder }) => `
      daemon off;
      master_process off;
      pid "${folder}/nginx.pid";
      events {}
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
          .map((kind) => `${kind}_temp_path "${folder}/${kind}";`)
          .join(' ')}
        server {
          listen 127.0.0.1:${port};
          location / { proxy_pass http://${target}; }
        }
      }`,
  },
  haproxy: {
    packageName: 'haproxy',
    version: '-v',
    args: (configPath) => ['-db', '-f', configPath],
    // Mode and timeouts are those of Debian's haproxy.cfg.
    config: ({ port, target }) => `
defaults
  mode http
  timeout connect 5000
  timeout client 50000
  timeout server 50000
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server mlog ${target}
`,
  },
  caddy: {
    packageName: 'caddy',
    version: 'version',
    args: (configPath) => ['run', '--adapter', 'caddyfile', '--config', configPath],
    config: ({ port, target }) => `
{
  admin off
}
http://127.0.0.1:${port} {
  reverse_proxy ${target}
}
`,
  },
} satisfies Record<string, Server>;

/** A proxy that people put in front of a service. */
export type ProxyName = keyof typeof servers;

/** The names of the proxies. */
export const proxyNames = Object.keys(servers) as ProxyName[];

/** A proxy in a process of its own. */
export type ProxyServer = {
  url: string;
  /** Kills it, which cuts every connection, and starts it again on the same port. */
  restart: () => Promise<void>;
  close: () => Promise<void>;
};

/** Says why a proxy cannot run here; undefined if it can. */
export const proxyMissing = (name: ProxyName): string | undefined => {
  const { packageName, version }: Server = servers[name];
  const { status } = spawnSync(name, [version], { env: { PATH: path } });
  return status === 0 ? undefined : `no ${name} here (Debian: apt-get install ${packageName})`;
};

/** Starts a proxy with its defaults in front of the host and port of a URL. */
export const startProxyServer = async (
  name: ProxyName,
  targetUrl: string,
): Promise<ProxyServer> => {
  const { path: folder, remove } = await temporaryFolder();
  const { args, config }: Server = servers[name];
  const port = await findPort();
  const configPath = join(folder, 'config');
  await writeFile(configPath, config({ port, target: new URL(targetUrl).host, folder }));

  const start = async (): Promise<Child> => {
    const env = { PATH: path, HOME: folder };
    const child = await startChild(name, args(configPath), { env, cwd: folder });
    await listening(child, port);
    return child;
  };

  let child = await start();
  return {
    url: `http://127.0.0.1:${port}`,
    restart: async () => {
      await child.kill();
      child = await start();
    },
    close: async () => {
      await child.kill();
      await remove();
    },
  };
};

/** The proxies do not report in the same way that they listen, so this connects to them. */
const listening = async (child: Child, port: number): Promise<void> => {
  let hasEnded = false;
  void child.exited.then(() => (hasEnded = true));
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isListening = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isListening) return;
    if (hasEnded) throw new Error(`The proxy ended at its start: ${child.stderr()}`);
    await sleep(lookEveryMs);
  }
};
