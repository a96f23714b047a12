import { cpus, release } from 'node:os';
import type { RunOptions, Verdict } from './verdict.ts';

type Facts = Pick<RunOptions, 'form' | 'seed' | 'minutes'>;

/** Formats the results as a Markdown table, one row per proof. */
export const toTable = (verdicts: readonly Verdict[], facts: Facts): string =>
  [
    '| # | Promise | Crash model | Figure | Broken builds, and what was seen of them | Seconds | Again |',
    '|---|---|---|---|---|---|---|',
    ...verdicts.map((verdict) => toRow(verdict, facts)),
    '',
  ].join('\n');

/** Formats the page that the README links to. */
export const toPage = (verdicts: readonly Verdict[], facts: Facts): string =>
  `# The promises, put to the test

Made by \`npm run torture\` with seed ${facts.seed}, on Node ${process.versions.node}, ${process.platform} ${release()},
${cpus().length} × ${cpus()[0]?.model ?? 'an unknown processor'}. The proofs are in \`test/torture\`, one file each. A broken build is a
copy of the program that is broken on purpose: a proof that does not see it would prove nothing.

${toTable(verdicts, facts)}`;

/** Describes what went wrong with a proof, one line each. */
export const toComplaints = ({ proof, status, reason, outcome, controls }: Verdict): string[] => {
  if (status === 'passed') return [];
  const lines = [...(reason === undefined ? [] : [reason]), ...(outcome?.examples ?? [])];
  for (const { name, isCaught, seen } of controls) {
    if (!isCaught) lines.push(`the broken build "${name}" was not caught: ${seen}`);
  }
  return lines.map((line) => `${proof.name} ${status}: ${line.trim()}`);
};

const toRow = (verdict: Verdict, facts: Facts): string => {
  const { proof, outcome, controls, seconds, status, reason } = verdict;
  const figure = outcome
    ? `${toCounts(outcome.done)}; **${toCounts(outcome.faults)}**`
    : `${status}: ${reason ?? ''}`;
  const seen = controls.map(
    (control) => `${control.name}: ${control.isCaught ? 'caught' : 'NOT CAUGHT'}, ${control.seen}`,
  );
  const cells = [proof.name, proof.promise, proof.crashModel, figure, seen.join('; ')];
  const again = `\`${commandOf(proof.name, facts)}\``;
  return `| ${[...cells, String(seconds), again].map(toCell).join(' | ')} |`;
};

const commandOf = (name: string, { form, seed, minutes }: Facts): string => {
  const options = [`--only ${name}`, `--seed ${seed}`];
  if (form === 'short') options.push('--short');
  if (['P7', 'P14'].includes(name) && form === 'full') options.push(`--minutes ${minutes}`);
  return `npm run torture -- ${options.join(' ')}`;
};

const toCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count.toLocaleString('en')} ${name}`)
    .join(', ');

const toCell = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
