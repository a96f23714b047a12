import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';

const program = join(import.meta.dirname, '../../bin/mlog.js');

describe('a command loads what it needs', () => {
  let hook: string;

  beforeAll(async () => {
    const folder = await temporaryFolder();
    hook = join(folder.path, 'hook.cjs');
    writeFileSync(
      hook,
      `process.on('exit', () => {
        const files = Object.keys(require.cache);
        console.error(JSON.stringify([...process.moduleLoadList, ...files]));
      });`,
    );
    return folder.remove;
  });

  const loadedBy = (...args: string[]): string[] => {
    const { stderr } = spawnSync(process.execPath, ['--require', hook, program, ...args], {
      encoding: 'utf8',
    });
    return JSON.parse(stderr.trim().split('\n').at(-1)!) as string[];
  };
  const matching = (loaded: string[], pattern: RegExp) => loaded.filter((one) => pattern.test(one));

  test('and none of the wires for the version', () => {
    const loaded = loadedBy('--version');
    expect(matching(loaded, /NativeModule (?:http|http2|https|worker_threads)$/)).toEqual([]);
    expect(matching(loaded, /dist\/(?:undici|grpc|pino)\.cjs$/)).toEqual([]);
  });

  test('and no package for one message', () => {
    const loaded = loadedBy('send', 'x', '--url', 'http://127.0.0.1:1', '--attempts-max', '1');
    expect(matching(loaded, /NativeModule http$/)).toHaveLength(1);
    expect(matching(loaded, /dist\/(?:undici|grpc|pino)\.cjs$/)).toEqual([]);
  });

  test('and undici alone for a list', () => {
    const loaded = loadedBy('list', '--url', 'http://127.0.0.1:1');
    expect(matching(loaded, /dist\/undici\.cjs$/)).toHaveLength(1);
    expect(matching(loaded, /dist\/(?:grpc|pino)\.cjs$/)).toEqual([]);
  });
});

test('V8 knows the flag that keeps a command from optimizing its HTTP parser', () => {
  const flags = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(flags).toContain('--liftoff-only');
});
