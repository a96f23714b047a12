/**
 * The figures that mlog should reach. `measure` takes the results by workload and returns a number,
 * or undefined if it was not measured.
 */
const goals = [
  {
    text: 'POST, one process, × bare node:http',
    atLeast: 0.9,
    measure: ({ post64 }) => post64?.ratio('mlog', 'bare', 'perSecond'),
  },
  {
    text: 'POST, two processes, × bare proxy',
    atLeast: 1.7,
    measure: ({ post64 }) => post64?.ratio('mlog-apart', 'bare-proxy', 'perSecond'),
  },
  {
    text: 'POST, two processes, × Flask pair',
    atLeast: 50,
    measure: ({ post64 }) => post64?.ratio('mlog-apart', 'flask', 'perSecond'),
  },
  {
    text: 'POST over one connection, one process: median × (bare proxy + fsync)',
    atMost: 1.3,
    measure: ({ post1 }) => post1?.ratio('mlog', 'bare-proxy + fsync', 'medianMs'),
  },
  {
    text: 'POST over one connection, two processes: median × (bare proxy + fsync)',
    atMost: 1.3,
    measure: ({ post1 }) => post1?.ratio('mlog-apart', 'bare-proxy + fsync', 'medianMs'),
  },
  {
    text: 'POST, two processes, gRPC × HTTP between them',
    atLeast: 1,
    measure: ({ post64 }) => post64?.ratio('mlog-grpc', 'mlog-apart', 'perSecond'),
  },
  {
    text: 'LogMessage × bare grpc-js',
    atLeast: 0.8,
    measure: ({ post64 }) => post64?.ratio('mlog-unary', 'bare-grpc', 'perSecond'),
  },
  {
    text: 'Bulk, one process, messages/s',
    atLeast: 150_000,
    measure: ({ bulk }) => bulk?.median('mlog', 'perSecond'),
  },
  {
    text: 'Bulk, two processes, messages/s',
    atLeast: 100_000,
    measure: ({ bulk }) => bulk?.median('mlog-apart', 'perSecond'),
  },
  {
    text: 'Bulk, one process, × Redis',
    atLeast: 3,
    measure: ({ bulk, post64 }) =>
      quotient(bulk?.median('mlog', 'perSecond'), post64?.median('redis', 'perSecond')),
  },
  {
    text: 'Bulk, two processes, × Redis',
    atLeast: 3,
    measure: ({ bulk, post64 }) =>
      quotient(bulk?.median('mlog-apart', 'perSecond'), post64?.median('redis', 'perSecond')),
  },
  {
    text: 'Reading, the slowest listing, entries/s',
    atLeast: 300_000,
    measure: ({ read }) => read?.lowestMedian('perSecond'),
  },
  {
    text: 'Reading, largest RSS of a process, MiB',
    atMost: 200,
    measure: ({ read }) => largest(read, ['rssMiB', 'loggingRssMiB']),
  },
  {
    text: 'Reading, longest hold of an event loop, ms',
    atMost: 20,
    measure: ({ read }) => read?.largest('longestHoldMs'),
  },
  {
    text: 'Following, 200 followers after 20,000 messages, p99 ms',
    atMost: 250,
    measure: (results) => results['follow-aged']?.median('200 followers', 'p99Ms'),
  },
  {
    text: 'Following, 1,000 followers after 20,000 messages, p99 ms',
    atMost: 500,
    measure: (results) => results['follow-aged']?.median('1,000 followers', 'p99Ms'),
  },
  {
    text: 'Growth, bulk, big × empty',
    atLeast: 0.8,
    measure: ({ growth }) => growthRatio(growth, 'perSecond'),
  },
  {
    text: 'Growth, POST, big × empty',
    atLeast: 0.8,
    measure: ({ growth }) => growthRatio(growth, 'postsPerSecond'),
  },
  {
    text: 'Growth, start of the big store, ms',
    atMost: 1_000,
    measure: ({ growth }) => growth?.median(bigSubject(growth), 'startMs'),
  },
  {
    text: 'Growth, largest RSS, MiB',
    atMost: 200,
    measure: ({ growth }) => growth?.largest('rssMiB'),
  },
  {
    text: '`mlog send x` × `node -e 0`',
    atMost: 2,
    measure: ({ start }) => start?.ratio('mlog send x', 'node -e 0', 'wallMs'),
  },
  {
    text: 'Trouble, largest RSS of a process, MiB',
    atMost: 300,
    measure: ({ trouble }) => largest(trouble, ['rssMiB', 'loggingRssMiB']),
  },
  {
    text: 'Trouble, slowest return to normal, ms',
    atMost: 2_000,
    measure: ({ trouble }) => trouble?.largest('recoveryMs'),
  },
];

/** Says for each goal what was measured and whether it is reached. `results` are by workload. */
export function judgeGoals(results) {
  return goals.flatMap(({ text, atLeast, atMost, measure }) => {
    const measured = measure(results);
    if (measured === undefined) return [];
    const isReached = measured >= (atLeast ?? -Infinity) && measured <= (atMost ?? Infinity);
    return { text, atLeast, atMost, measured, isReached };
  });
}

function bigSubject(growth) {
  return growth.subjects.find((name) => /^\d.*ids by mlog$/.test(name));
}

function growthRatio(growth, metric) {
  return growth?.ratio(bigSubject(growth), 'empty, ids by mlog', metric);
}

function largest(results, metrics) {
  const values = metrics.map((metric) => results?.largest(metric)).filter((value) => value);
  return values.length > 0 ? Math.max(...values) : undefined;
}

function quotient(value, reference) {
  return value && reference ? value / reference : undefined;
}
