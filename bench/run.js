/** The program: measures what was requested and writes the report. See `--help`. */

import { writeFileSync } from 'node:fs';
import { contenders } from './contenders/all.js';
import { findAtHand } from './contenders/at-hand.js';
import { describeLoad } from './load/http.js';
import { parseOptions, usage } from './options.js';
import { renderReport } from './report/report.js';
import { makeFolder, removeAllFolders } from './system/folders.js';
import { describeMachine } from './system/machine.js';
import { killAll } from './system/processes.js';
import { workloads } from './workloads/all.js';
import { findBroken } from './workloads/check.js';
import { runWorkload } from './workloads/run-workload.js';

const runMaxMs = 4 * 60 * 60 * 1_000;
const defaultOut = new URL('RESULTS.md', import.meta.url);

process.on('exit', () => {
  killAll();
  removeAllFolders();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
setTimeout(() => fail(`It took longer than ${runMaxMs} ms.`), runMaxMs).unref();

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  fail(error.stack);
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const machine = describeMachine(makeFolder('disk'));
  const works = chosen(workloads, options.names);
  const wanted = chosen(contenders, options.names).filter(
    ({ name }) => options.check || works.some(({ only }) => only?.includes(name) ?? true),
  );
  const { ready, notRun, versions } = await findAtHand(wanted, { isCheck: options.check, log });
  const bench = { ...options, contenders: ready, log };
  if (options.check) {
    const broken = await findBroken(bench);
    log(broken.length > 0 ? `Broken: ${broken.join(', ')}.` : `All ${ready.length} at hand start.`);
    return broken.length > 0 ? 1 : 0;
  }

  const sections = [];
  for (const workload of works) sections.push(await runWorkload(workload, bench));
  const facts = {
    Date: new Date().toISOString().slice(0, 10),
    Command: `\`${['node bench/run.js', ...args].join(' ')}\``,
    ...machine,
    Load: describeLoad(),
  };
  write(renderReport({ facts, options, sections, versions, notRun }), options);
  return sections.some(({ results }) => results.failures.length > 0) ? 1 : 0;
}

function readOptions(args) {
  try {
    return parseOptions(
      args,
      [...contenders, ...workloads].map(({ name }) => name),
    );
  } catch (error) {
    log(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}

/** Returns the named things, or all if none is named. */
function chosen(things, names) {
  const named = things.filter(({ name }) => names.includes(name));
  return named.length > 0 ? named : things;
}

/** A partial run does not replace the whole report. */
function write(report, { out, only }) {
  if (only && !out) return console.log(report);
  writeFileSync(out ?? defaultOut, report);
  log(`Written: ${out ?? 'bench/RESULTS.md'}`);
}

function fail(reason) {
  log(reason);
  process.exit(1);
}

function log(line) {
  console.error(line);
}
