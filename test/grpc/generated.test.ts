import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { temporaryFolder } from '../support/folder.ts';

const root = resolve(import.meta.dirname, '../..');
const kept = 'src/grpc/generated';

it('is what protoc makes of the files in proto today', async () => {
  const { path, remove } = await temporaryFolder();
  await mkdir(join(path, kept), { recursive: true });
  const words = manifest.scripts.proto.split(' ').slice(1);
  const args = words.map((word) => (word === 'proto' ? join(root, 'proto') : word));
  const env = { ...process.env, PATH: `${root}/node_modules/.bin:${process.env['PATH']}` };
  await promisify(execFile)('protoc', args, { cwd: path, env });
  expect(await readTree(join(path, kept))).toStrictEqual(await readTree(join(root, kept)));
  await remove();
});

async function readTree(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts')).toSorted();
  const texts = files.map(async (name) => [name, await readFile(join(folder, name), 'utf8')]);
  return Object.fromEntries((await Promise.all(texts)) as [string, string][]);
}
