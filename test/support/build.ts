import { build } from 'tsup';

/** Builds the program as `npm run build` does. */
export default async function buildProgram(): Promise<void> {
  await build({ silent: true });
}
