import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { toReadable } from '../../src/observe/logger.ts';
import { postForm, request } from '../support/http.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));

describe('the diagnostics', () => {
  it('let no text command a terminal', () => {
    const msg = 'Message: \u001b[2J\u0007\u009b\u202e\r\n12:00:00  forged';
    const line = toReadable(JSON.stringify({ level: 'info', time: 0, id: 'a\u001bb', msg }));
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}](?!$)/u);
    expect(line).toContain('\\u{1b}[2J');
    expect(line).toContain('id=a\\u{1b}b');
  });

  it('do not hold up a service when nobody reads them', async () => {
    const { url, child } = await startWith('pipe');
    child.stderr!.pause();
    for (let n = 0; n < 5_000; n += 100) {
      const posts = Array.from({ length: 100 }, () =>
        postForm(url, { id: randomUUID(), txt: 'x'.repeat(150) }),
      );
      for (const { status } of await Promise.all(posts)) expect(status).toBe(201);
    }
    child.kill('SIGKILL');
  }, 60_000);

  it.runIf(process.platform === 'linux')(
    'do not end a service when they cannot be kept',
    async () => {
      const { url, child } = await startWith(openSync('/dev/full', 'w'));
      for (let n = 0; n < 20; n += 1) {
        expect(await postForm(url, { id: `m-${n}`, txt: 'Its me' })).toMatchObject({ status: 201 });
      }
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    },
  );

  it('keep their last lines at the end of the process', async () => {
    const { child } = await startWith('pipe');
    let text = '';
    child.stderr!.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
    expect(text).toContain('"msg":"Stopped"');
  });
});

/** Starts a logging service in memory on a free port. */
async function startWith(stderr: 'pipe' | number) {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  const args = ['serve', 'logging', '--port', String(port), '--store', 'memory:'];
  const child = spawn(process.execPath, [programPath, ...args], {
    stdio: ['ignore', 'ignore', stderr],
  });
  const url = `http://127.0.0.1:${port}/logging`;
  await expect
    .poll(async () => (await request(url).catch(() => undefined))?.status, { timeout: 15_000 })
    .toBe(200);
  return { url, child };
}
