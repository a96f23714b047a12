import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** Debian's. Others are named by this variable. */
const program = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Says why no browser can run here; undefined if one can. */
export const browserMissing = (): string | undefined =>
  existsSync(program) ? undefined : `no ${program} here (Debian: apt-get install chromium)`;

/** Opens a real browser. Every name under `example` is this machine to it. The caller closes it. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: program,
    // As root there is no sandbox. The rest keeps it from asking anything of the network.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--host-resolver-rules=MAP *.example 127.0.0.1',
    ],
  });
