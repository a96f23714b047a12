import { STATUS_CODES } from 'node:http';
import type { MlogError } from '../errors.ts';
import { toJsonLine } from './formats.ts';

/** Writes an error as a problem document (RFC 9457). The cause stays in the diagnostics. */
export function toProblem(error: MlogError): string {
  const { httpStatus, message, hint, code, details } = error;
  return toJsonLine({
    type: 'about:blank',
    title: STATUS_CODES[httpStatus] ?? 'Error',
    status: httpStatus,
    detail: hint === undefined ? message : `${message} ${hint}`,
    code,
    ...details,
  });
}
