import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { MlogError } from '../errors.ts';

// For messages that carry no load and no text of a client: protobuf-es drops a byte order mark at the
// start of a text. The others are in `append-messages.ts` and `read-messages.ts`.

/** Encodes a message by its schema. */
export function encodeBySchema<Desc extends DescMessage>(
  schema: Desc,
  fields: MessageInitShape<Desc>,
): Buffer {
  return Buffer.from(toBinary(schema, create(schema, fields)));
}

/** Decodes a message by its schema. Throws `invalid_argument` for malformed bytes. */
export function decodeBySchema<Desc extends DescMessage>(
  schema: Desc,
  bytes: Buffer,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    const what = `The bytes are not a ${schema.name}.`;
    throw new MlogError('invalid_argument', what, { cause: error });
  }
}

/** Returns a uint64 as a number. Throws `invalid_argument` if a double does not hold it exactly. */
export function toSafeNumber(value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new MlogError('invalid_argument', 'A number is larger than 2^53 - 1.');
}
