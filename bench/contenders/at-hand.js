/**
 * Separates the contenders that can run here from the others, each with its reason, and prepares
 * the former. `versions` says what exactly is measured.
 */
export async function findAtHand(contenders, { isCheck, log }) {
  const ready = [];
  const notRun = [];
  const versions = new Map();
  for (const contender of contenders) {
    const reason = contender.missing() ?? (await prepare(contender, { isCheck }));
    if (reason) {
      notRun.push({ contender, reason });
      log(`not run: ${contender.name}: ${reason}`);
    } else {
      ready.push(contender);
      versions.set(contender, await contender.version());
    }
  }
  return { ready, notRun, versions };
}

async function prepare(contender, options) {
  try {
    await contender.prepare?.(options);
    return undefined;
  } catch (error) {
    return error.message;
  }
}
