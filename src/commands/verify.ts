import { readSettings } from '../config.ts';
import { MlogError } from '../errors.ts';
import { toVisible } from '../observe/visible.ts';
import { verifySqliteStore } from '../store/sqlite/sqlite.ts';
import { print, printJson } from './print.ts';

/** Checks a store that no service has open, and prints the result. */
export async function verify(options: { readonly json?: boolean }): Promise<void> {
  const { store } = readSettings('verify', { ...options });
  if (store.scheme === 'memory') throw memoryError();
  const { path } = store;
  const report = await verifySqliteStore(path);
  const { messages, firstSeq, lastSeq, problems } = report;
  if (options.json) {
    await printJson({ path, ...report });
  } else {
    const verdict = problems.length === 0 ? 'whole' : 'damaged';
    const lines = [`${verdict}: ${messages} messages, ${firstSeq} to ${lastSeq}`, ...problems];
    await print(`${lines.map(toVisible).join('\n')}\n`);
  }
  if (problems.length > 0) {
    throw new MlogError('data_loss', `The store ${path} is damaged.`, {
      hint: 'It is unchanged. `mlog serve` still serves its intact messages; see also your backups.',
    });
  }
}

function memoryError(): MlogError {
  return new MlogError('usage', 'A store at memory: ends with its service.', {
    hint: '`mlog verify` needs file:PATH, such as --store file:./mlog.db.',
  });
}
