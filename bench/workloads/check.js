import { measurePostsInTurns } from './post.js';

/** Returns the contenders that do not answer a second of posts. None means that all is well. */
export async function findBroken(bench) {
  const settings = { ...bench, rounds: 1, seconds: 1, warmUpSeconds: 0 };
  const { failures } = await measurePostsInTurns(settings, 64);
  return failures.map(({ subject }) => subject);
}
