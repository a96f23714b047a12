import { readSettings } from '../config.ts';
import { MlogError } from '../errors.ts';
import { toJsonLine } from '../http/formats.ts';
import { pathOf } from '../open-journal.ts';
import { verifySqliteStore } from '../store/sqlite.ts';
import { print } from './print.ts';

/** Checks a store that no service has open, and prints what it found. */
export async function verify(options: { readonly json?: boolean }): Promise<void> {
  const path = pathOf(readSettings('verify', { ...options }).store);
  const report = await verifySqliteStore(path);
  const { messages, firstSeq, lastSeq, problems } = report;
  if (options.json) {
    await print(toJsonLine({ path, ...report }));
  } else {
    const found = problems.length === 0 ? 'whole' : 'damaged';
    const lines = [`${found}: ${messages} messages, ${firstSeq} to ${lastSeq}`, ...problems];
    await print(`${lines.join('\n')}\n`);
  }
  if (problems.length > 0) {
    throw new MlogError('data_loss', `The store ${path} is damaged.`, {
      hint: 'It was left as it is. `mlog serve` still serves what is whole in it; see also backups.',
    });
  }
}
