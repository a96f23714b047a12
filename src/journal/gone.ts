import { MlogError } from '../errors.ts';

/** The error for a position behind which entries were removed. */
export function goneError(after: number, firstSeq: number): MlogError {
  return new MlogError('gone', `What came right behind entry ${after} was removed by retention.`, {
    hint: `The oldest entry there is has seq ${firstSeq}; begin after ${firstSeq - 1}.`,
    details: { firstSeq },
  });
}
