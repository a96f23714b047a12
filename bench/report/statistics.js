/** Returns the median of some numbers. */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  return Number.isInteger(middle) ? (sorted[middle - 1] + upper) / 2 : upper;
}

/** Returns the value that the given part of some numbers does not exceed, such as 0.99 of them. */
export function quantile(numbers, part) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}
