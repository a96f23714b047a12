import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { postForm } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('a facade with workers', () => {
  let logging: Service;
  let facade: Service;
  beforeEach(async () => {
    logging = await sandbox.serve('logging');
    facade = await sandbox.serve('facade', '--workers', '2', '--logging', logging.url);
    await facade.waitForLine(() => readyLines(facade).length === 2, 10_000);
  });

  test('serves one port from two processes, and stops all of them', async () => {
    for (let n = 0; n < 20; n += 1) {
      expect((await postForm(facade.url, { txt: `text ${n}` })).status).toBe(200);
    }
    expect(await readEntries(logging.url)).toHaveLength(20);
    expect((await facade.kill('SIGTERM')).code).toBe(0);
    await expect(postForm(facade.url, { txt: 'late' })).rejects.toThrow('ECONNREFUSED');
  });

  test.runIf(process.platform === 'linux')(
    'starts a worker again that dies, while the other goes on',
    async () => {
      const died = (line: Record<string, unknown>) =>
        line['msg'] === 'A worker died and is restarted';
      process.kill((await workersOf(facade))[0]!, 'SIGKILL');
      await facade.waitForLine(died, 5_000);
      expect((await postForm(facade.url, { txt: 'meanwhile' })).status).toBe(200);
      await facade.waitForLine(() => readyLines(facade).length === 3, 10_000);
      expect((await facade.kill('SIGTERM')).code).toBe(0);
    },
  );

  test.runIf(process.platform === 'linux')(
    'starts a replacement again that is killed before it listens',
    async () => {
      const died = (count: number) => () =>
        facade.lines().filter(({ msg }) => msg === 'A worker died and is restarted').length ===
        count;
      const [first, other] = await workersOf(facade);
      process.kill(first!, 'SIGKILL');
      await facade.waitForLine(died(1), 5_000);
      const replacement = await expect
        .poll(async () => (await workersOf(facade)).find((pid) => pid !== other), {
          interval: 2,
          timeout: 5_000,
        })
        .toBeDefined()
        .then(async () => (await workersOf(facade)).find((pid) => pid !== other)!);
      process.kill(replacement, 'SIGKILL');
      await facade.waitForLine(died(2), 5_000);
      expect((await postForm(facade.url, { txt: 'meanwhile' })).status).toBe(200);
      await facade.waitForLine(() => readyLines(facade).length === 3, 10_000);
      expect((await facade.kill('SIGTERM')).code).toBe(0);
    },
  );

  test('says in each line of the diagnostics which worker it comes from', async () => {
    const pids = readyLines(facade).map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(2);
    for (const pid of pids) expect(pid).toEqual(expect.any(Number));
    expect(pids).not.toContain(facade.pid);
    await facade.kill('SIGTERM');
    const stopped = facade.lines().filter(({ msg }) => msg === 'Stopped');
    expect(new Set(stopped.map(({ pid }) => pid))).toEqual(new Set([...pids, undefined]));
  });

  test('ends with the reason when its port is in use', async () => {
    const args = ['serve', 'facade', '--workers', '2', '--port', portOf(facade.url)];
    const run = await sandbox.run(args);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(`Port ${portOf(facade.url)} of 127.0.0.1 is in use.`);
    expect(run.stderr).toContain('mlog: A worker could not start.');
  });
});

function readyLines(facade: Service) {
  return facade.lines().filter(({ msg }) => msg === 'Ready');
}

/** Finds the children of the process in what Linux lists for its threads. */
async function workersOf({ pid }: Service): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').filter(Boolean).map(Number);
}
