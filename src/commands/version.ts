import manifest from '../../package.json' with { type: 'json' };
import { sqliteVersion } from '../store/sqlite/sqlite.ts';
import libraries from './bundled.json' with { type: 'json' };
import { print, printJson } from './print.ts';

/** Prints what this program consists of. */
export async function printVersion({ json }: { readonly json?: boolean }): Promise<void> {
  const { version: mlog } = manifest;
  const { node } = process.versions;
  const sqlite = await sqliteVersion();
  if (json) return void (await printJson({ mlog, node, sqlite, libraries }));
  const all = Object.entries({ mlog, node, sqlite, ...libraries });
  await print(`${all.map(([name, version]) => `${name} ${version}`).join('\n')}\n`);
}
