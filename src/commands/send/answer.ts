import { parsePlainResult } from '../../http/client/ndjson.ts';

/** The possible outcomes of a line. */
export const outcomes = ['logged', 'duplicate', 'conflict', 'refused', 'unknown'] as const;

/** The outcome of a line. */
export type Outcome = (typeof outcomes)[number];

/** The facade's answer to a line. */
export interface Answer {
  readonly status: Outcome;
  readonly id?: string;
}

/** Parses an answer. A line that is none gives an object without its members. */
export function parseAnswer(text: string): Partial<Answer> {
  const plain = parsePlainResult(text);
  if (plain) return plain;
  try {
    return (JSON.parse(text) ?? {}) as Partial<Answer>;
  } catch {
    return {};
  }
}
