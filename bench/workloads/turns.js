import { makeFolder, removeFolder } from '../system/folders.js';
import { Results } from '../report/results.js';

/**
 * Measures cases in turn: each once per round, beginning with another one each round, so that a
 * slow minute of the machine affects all of them. A case is `{ name, measure }`, and `measure`
 * returns values by metric. A failure is noted in the results, and the case is not tried again.
 */
export async function takeTurns({ rounds, log }, cases) {
  const results = new Results();
  let left = cases;
  for (let round = 0; round < rounds; round += 1) {
    const first = round % Math.max(1, left.length);
    for (const turn of [...left.slice(first), ...left.slice(0, first)]) {
      try {
        const values = await turn.measure();
        results.add(turn.name, values);
        log(`  round ${round + 1}  ${turn.name}: ${describe(values)}`);
      } catch (error) {
        results.fail(turn.name, error.message);
        left = left.filter((other) => other !== turn);
        log(`  round ${round + 1}  ${turn.name} failed: ${error.message}`);
      }
    }
  }
  return results;
}

/**
 * Makes a case of a contender, which is started on a new folder, measured and stopped in each turn.
 */
export function turnOf(contender, measure) {
  return {
    name: contender.name,
    measure: () => withStarted(contender, {}, measure),
  };
}

/** Starts a contender on a new folder, passes it to `use`, stops it, and removes the folder. */
export async function withStarted(contender, options, use) {
  const folder = makeFolder(contender.name);
  const running = await contender.start({ folder, ...options });
  try {
    return await use(running);
  } finally {
    await running.stop();
    removeFolder(folder);
  }
}

function describe(values) {
  return Object.entries(values)
    .map(([metric, value]) => `${metric} ${value.toPrecision(4)}`)
    .join(', ');
}
