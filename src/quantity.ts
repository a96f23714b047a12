/** Parses a whole number in decimal digits; returns undefined for anything else. */
export function parseWholeNumber(given: string, least: number, most: number): number | undefined {
  if (!/^\d{1,16}$/.test(given)) return undefined;
  const value = Number(given);
  return value >= least && value <= most ? value : undefined;
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses a time such as 90s, 12h or 7d into milliseconds; 0 needs no unit. */
export function parseDuration(given: string): number | undefined {
  if (given === '0') return 0;
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(given) ?? [];
  return digits === undefined ? undefined : Number(digits) * unitsMs[unit as keyof typeof unitsMs];
}

/**
 * Formats milliseconds in the largest unit that gives exactly one or at least two, rounded down.
 */
export function toDuration(ms: number): string {
  const units = Object.entries(unitsMs).toReversed();
  const [unit, size] = units.find(([, unitMs]) => ms >= 2 * unitMs || ms === unitMs) ?? ['ms', 1];
  return `${Math.floor(ms / size)}${unit}`;
}
