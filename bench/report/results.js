import { median } from './statistics.js';

/**
 * The results of one workload: for each subject (a contender or a case) and each metric, one value
 * per round.
 */
export class Results {
  #subjects = new Map();
  #failures = [];

  /** Adds the values of one round of one subject, by metric. */
  add(subject, values) {
    const series = this.#subjects.get(subject) ?? {};
    for (const [metric, value] of Object.entries(values)) (series[metric] ??= []).push(value);
    this.#subjects.set(subject, series);
  }

  /** Notes that a subject could not be measured, and why. */
  fail(subject, reason) {
    this.#failures.push({ subject, reason });
  }

  get subjects() {
    return [...this.#subjects.keys()];
  }

  get failures() {
    return this.#failures;
  }

  values(subject, metric) {
    return this.#subjects.get(subject)?.[metric] ?? [];
  }

  /** Returns the median over the rounds; undefined if there is no value. */
  median(subject, metric) {
    const values = this.values(subject, metric);
    return values.length > 0 ? median(values) : undefined;
  }

  /** Returns the largest value of any subject in any round; undefined if there is none. */
  largest(metric) {
    const values = this.subjects.flatMap((subject) => this.values(subject, metric));
    return values.length > 0 ? Math.max(...values) : undefined;
  }

  /** Returns the lowest median of any subject; undefined if there is none. */
  lowestMedian(metric) {
    const medians = this.subjects.map((subject) => this.median(subject, metric));
    return medians.length > 0 ? Math.min(...medians) : undefined;
  }

  /**
   * Returns the ratio of a subject to the reference: the median of the ratios of each round, so
   * that a slow phase of the machine affects both sides of a ratio.
   */
  ratio(subject, reference, metric) {
    const references = this.values(reference, metric);
    const values = this.values(subject, metric).slice(0, references.length);
    return values.length > 0
      ? median(values.map((value, round) => value / references[round]))
      : undefined;
  }
}
