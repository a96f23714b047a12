import { postForms } from '../load/http.js';
import { takeTurns, turnOf } from './turns.js';

/** Posts to one running contender, after a warm-up, and checks that what it accepted is stored. */
export async function measurePosts(running, { connections, seconds, warmUpSeconds }) {
  const load = running.load ?? ((settings) => postForms(running.url, settings));
  if (warmUpSeconds > 0) await load({ connections, seconds: warmUpSeconds });
  const before = (await running.count?.()) ?? 0;
  const { perSecond, medianMs, p99Ms, answeredCount } = await load({ connections, seconds });
  const stored = ((await running.count?.()) ?? Infinity) - before;
  if (stored < answeredCount) throw new Error(`${answeredCount} answered, ${stored} stored`);
  return { perSecond, medianMs, p99Ms };
}

/** Posts to every contender in turns. */
export function measurePostsInTurns(bench, connections) {
  const settings = { ...bench, connections };
  const cases = bench.contenders.map((contender) =>
    turnOf(contender, (running) => measurePosts(running, settings)),
  );
  return takeTurns(bench, cases);
}
