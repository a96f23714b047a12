import { measurePostsInTurns } from './post.js';

/** Says which contenders do not answer a second of posts; all is well when it is none. */
export async function findBroken(bench) {
  const settings = { ...bench, rounds: 1, seconds: 1, warmUpSeconds: 0 };
  const { failures } = await measurePostsInTurns(settings, 64);
  return failures.map(({ subject }) => subject);
}
