/** Formats a number with its significant digits: 12,345 or 4.32 or 0.187. */
export function formatNumber(value) {
  if (value === undefined) return '';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits,
    maximumFractionDigits: digits,
  });
}

/** Formats values as their median and, if there are several, the smallest and the largest. */
export function formatSpread(values, middle) {
  if (values.length === 0) return '';
  if (values.length === 1) return formatNumber(middle);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${formatNumber(middle)} (${formatNumber(least)}–${formatNumber(most)})`;
}
