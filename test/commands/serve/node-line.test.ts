import { expect, it } from 'vitest';
import { warnOfOldNode } from '../../../src/commands/serve/node-line.ts';

const warningsOf = (node: string, today: string): unknown[] => {
  const warnings: unknown[] = [];
  warnOfOldNode({ warn: (text: unknown) => void warnings.push(text) }, node, new Date(today));
  return warnings;
};

it.each([
  ['20.19.0', '2026-05-01'],
  ['25.1.0', '2026-06-02'],
])('Node %s is told to be too old on %s', (node, today) => {
  expect(warningsOf(node, today)).toEqual([expect.stringContaining('no security fixes since')]);
});

it.each([
  ['20.19.0', '2026-04-30'],
  ['24.21.0', '2026-11-26'],
  ['99.0.0', '2026-11-26'],
])('Node %s is not on %s', (node, today) => {
  expect(warningsOf(node, today)).toEqual([]);
});
