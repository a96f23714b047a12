import { Results } from '../report/results.js';

/** Runs a workload with the contenders that it can measure. A failure becomes a result. */
export async function runWorkload(workload, bench) {
  const contenders = bench.contenders.filter(({ name }) => workload.only?.includes(name) ?? true);
  if (contenders.length === 0) return { workload, results: new Results() };
  bench.log(`${workload.title}`);
  try {
    return { workload, results: await workload.run({ ...bench, contenders }) };
  } catch (error) {
    bench.log(`  failed: ${error.message}`);
    const results = new Results();
    results.fail(workload.name, error.message);
    return { workload, results };
  }
}
