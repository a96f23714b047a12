import { parseArgs } from 'node:util';

/** The help text. */
export const usage = `Usage: node bench/run.js [options]

Measures mlog beside its rivals and writes a report. Takes about 20 minutes, an hour with --full.

  --rounds N     how often each is measured                       (5)
  --seconds S    how long a load lasts                            (5)
  --only NAMES   these contenders and workloads alone, such as mlog,bare,post64; the report goes
                 to stdout unless --out names a file
  --out FILE     where the report goes                            (bench/RESULTS.md)
  --bulk N       messages in one bulk request                     (200000)
  --read N       messages in the journal that is read             (1000000)
  --growth N     messages in the store that has grown             (1000000)
  --full         the figures of a release: --growth 10000000
  --check        one second of each contender that is at hand, no report: do they start?
  --help`;

/** Parses the options of a call. Throws with a sentence for the user if one is wrong. */
export function parseOptions(args, known) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      only: { type: 'string' },
      out: { type: 'string' },
      bulk: { type: 'string', default: '200000' },
      read: { type: 'string', default: '1000000' },
      growth: { type: 'string' },
      full: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const seconds = countOf('seconds', values);
  return {
    ...values,
    names: namesOf(values.only, known),
    rounds: countOf('rounds', values),
    seconds,
    // Long enough for the compiler to have seen the hot paths.
    warmUpSeconds: Math.min(2, seconds),
    bulkCount: countOf('bulk', values),
    readCount: countOf('read', values),
    growthCount: countOf('growth', { growth: values.full ? '10000000' : '1000000', ...values }),
  };
}

function countOf(name, values) {
  if (/^[1-9]\d{0,8}$/.test(values[name])) return Number(values[name]);
  throw new Error(`--${name} is ${values[name]}. It must be a whole number from 1.`);
}

function namesOf(only, known) {
  const names = only?.split(',') ?? [];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return names;
  throw new Error(`--only knows no ${unknown.join(', ')}. It knows ${known.join(', ')}.`);
}
