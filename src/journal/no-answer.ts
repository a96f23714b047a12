import { MlogError } from '../errors.ts';

/** The error for a service that says nothing for too long, over any wire. */
export function silentError(url: string, cause?: unknown): MlogError {
  return new MlogError('deadline_exceeded', `No reply from ${url} in time.`, { cause });
}

/** The error for an address at which there is no service. */
export function nobodyError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `Nothing listens at ${url}.`, {
    hint: 'Is it started, and is that its address?',
    cause,
  });
}

/** The error for an address whose host has no place. */
export function unknownHostError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `The host of ${url} is not known.`, { cause });
}
