import { judgeGoals } from './goals.js';
import { formatNumber, formatSpread } from './numbers.js';
import { renderTable } from './table.js';

/** Formats the report of a run as Markdown. */
export function renderReport({ facts, options, sections, versions, notRun }) {
  const { rounds, seconds, warmUpSeconds } = options;
  return (
    [
      '# Results',
      'Written by `npm run bench`; not by hand.',
      Object.entries(facts)
        .map(([name, value]) => `- ${name}: ${value}`)
        .join('\n'),
      `Everything runs on the one machine, over loopback, by turns: ${rounds} rounds, each contender ` +
        `once a round, started anew, a load of ${seconds} s after a warm-up of ${warmUpSeconds} s. ` +
        'The figures are medians, and in parentheses the smallest and the largest. A ratio is the ' +
        'median of the ratios of each round.',
      '## Contenders',
      renderContenders(versions, notRun),
      ...renderGoals(sections),
      ...sections.flatMap(renderSection),
      '',
    ]
      .join('\n\n')
      .trimEnd() + '\n'
  );
}

function renderContenders(versions, notRun) {
  return renderTable(
    ['Name', 'What it is', 'Measured'],
    [
      ...[...versions].map(([{ name, title }, version]) => [name, title, version]),
      ...notRun.map(({ contender, reason }) => [
        contender.name,
        contender.title,
        `not run: ${reason}`,
      ]),
    ],
  );
}

function renderGoals(sections) {
  const results = Object.fromEntries(
    sections.map(({ workload, results: measured }) => [workload.name, measured]),
  );
  const rows = judgeGoals(results).map(({ text, atLeast, atMost, measured, isReached }) => [
    text,
    atLeast === undefined ? `≤ ${formatNumber(atMost)}` : `≥ ${formatNumber(atLeast)}`,
    formatNumber(measured),
    isReached ? 'yes' : 'no',
  ]);
  return rows.length > 0
    ? ['## Goals', renderTable(['Goal', 'Wanted', 'Measured', 'Reached'], rows)]
    : [];
}

function renderSection({ workload, results }) {
  const { title, about, metrics, references } = workload;
  const [main] = metrics;
  const rows = results.subjects.map((subject) => [
    subject,
    ...metrics.map(({ name }) =>
      formatSpread(results.values(subject, name), results.median(subject, name)),
    ),
    ...references.map(({ of }) => formatNumber(results.ratio(subject, of(subject), main.name))),
  ]);
  const head = ['', ...[...metrics, ...references].map((column) => column.title)];
  return [
    `## ${title}`,
    about,
    ...(rows.length > 0 ? [renderTable(head, rows)] : ['Not measured: no contender for it.']),
    ...results.failures.map(
      ({ subject, reason }) => `Failed: ${subject}: \`${reason.replaceAll('`', "'")}\``,
    ),
  ];
}
