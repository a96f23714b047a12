import { expect, it } from 'vitest';
import { applyPatch, readProgram } from './build.ts';
import { proofs } from './proofs.ts';

const whole = await readProgram();
const controls = proofs.flatMap(({ name: proof, controls: all }) =>
  all.map(({ name, patches }) => ({ proof, name, patches })),
);

it.each(controls)('$proof has a broken build of this program: $name', ({ patches }) => {
  expect(patches.reduce(applyPatch, whole)).not.toEqual(whole);
});

it('gives each proof a broken build that it has to see', () => {
  const without = proofs.filter(({ controls: all }) => all.length === 0);
  expect(without.map(({ name }) => name)).toEqual([]);
});
