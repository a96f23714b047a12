import { measurePostsInTurns } from './post.js';

/** How many messages per second are accepted, each in a request of its own. */
export const post64 = {
  name: 'post64',
  title: 'POST over 64 connections',
  about:
    'A form of 50 bytes a request, each a new message, on a fresh store. By gRPC, LogMessage with ' +
    '64 calls at a time on one connection.',
  metrics: [
    { name: 'perSecond', title: 'requests/s' },
    { name: 'medianMs', title: 'median ms' },
    { name: 'p99Ms', title: 'p99 ms' },
  ],
  references: [
    { title: '× bare', of: () => 'bare' },
    { title: '× bare proxy', of: () => 'bare-proxy' },
    { title: '× bare gRPC', of: () => 'bare-grpc' },
  ],
  run: (bench) => measurePostsInTurns(bench, 64),
};
