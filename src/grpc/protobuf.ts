import { isUtf8 } from 'node:buffer';
import { MlogError } from '../errors.ts';

// The wire format of protobuf (https://protobuf.dev/programming-guides/encoding/), as far as
// `logging.proto` needs it. It is written by hand because every message passes through it.
// Measured: decoding a LogRequest takes 0.33 µs, with protobuf-es 1.0 µs; encoding an entry of a
// page takes 0.42 µs, with protobuf-es 3.3 µs.

/** How a value is encoded. */
export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Decodes the fields of one message. Every method throws `invalid_argument` for malformed bytes.
 */
export class Decoder {
  readonly #bytes: Buffer;
  #at = 0;
  #wireType = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Returns the number of the next field, or 0 at the end. */
  next(): number {
    if (this.#at >= this.#bytes.length) return 0;
    const tag = this.#varint();
    this.#wireType = tag % 8;
    const field = Math.floor(tag / 8);
    if (field === 0) throw malformedError();
    return field;
  }

  /** Decodes a text. Invalid UTF-8 is refused, and a byte order mark is part of the text. */
  string(): string {
    const bytes = this.bytes();
    if (!isUtf8(bytes)) throw new MlogError('invalid_argument', 'A text is not valid UTF-8.');
    return bytes.toString();
  }

  /** Returns the bytes of a text or of a nested message, without copying them. */
  bytes(): Buffer {
    this.#expect(wireTypes.bytes);
    const length = this.#varint();
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw malformedError();
    return this.#bytes.subarray(start, this.#at);
  }

  /** Decodes a non-negative number that a double holds exactly. */
  number(): number {
    this.#expect(wireTypes.varint);
    const value = this.#varint();
    if (!Number.isSafeInteger(value)) {
      throw new MlogError('invalid_argument', 'A number is larger than 2^53 - 1.');
    }
    return value;
  }

  /** Decodes a number of 32 bits. A larger one is refused, never truncated. */
  uint32(): number {
    const value = this.number();
    if (value > 0xffff_ffff) {
      throw new MlogError('invalid_argument', 'A number is larger than 2^32 - 1.');
    }
    return value;
  }

  /** Skips a field that this version of mlog does not know. */
  skip(): void {
    switch (this.#wireType) {
      case wireTypes.varint:
        this.#varint();
        break;
      case wireTypes.fixed64:
        this.#at += 8;
        break;
      case wireTypes.bytes:
        this.bytes();
        break;
      case wireTypes.fixed32:
        this.#at += 4;
        break;
      default:
        throw malformedError();
    }
    if (this.#at > this.#bytes.length) throw malformedError();
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw malformedError();
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    // A varint has at most ten bytes.
    for (let count = 0; count < 10; count += 1) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw malformedError();
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw malformedError();
  }
}

function malformedError(): MlogError {
  return new MlogError(
    'invalid_argument',
    'This is not the message of protobuf that is asked for.',
  );
}

/** Encodes the fields of one message into bytes of a size that is known in advance. */
export class Encoder {
  readonly bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Encodes a text. An empty one is the default and is not written. */
  string(field: number, text: string): void {
    if (text === '') return;
    const size = Buffer.byteLength(text);
    this.head(field, size);
    this.bytes.write(text, this.#at);
    this.#at += size;
  }

  /** Begins a text or a nested message of so many bytes. */
  head(field: number, size: number): void {
    this.#varint(field * 8 + wireTypes.bytes);
    this.#varint(size);
  }

  /** Encodes a number other than 0. */
  number(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(field * 8 + wireTypes.varint);
    this.#varint(value);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.#at] = (rest % 0x80) | 0x80;
      this.#at += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.#at] = rest;
    this.#at += 1;
  }
}

// The sizes of fields with numbers below 16, which fit one byte.

/** Returns the size of a text as a field. */
export function sizeOfString(text: string): number {
  return text === '' ? 0 : sizeOfInside(Buffer.byteLength(text));
}

/** Returns the size of a nested message of so many bytes as a field. */
export function sizeOfInside(size: number): number {
  return 1 + sizeOfVarint(size) + size;
}

/** Returns the size of a number as a field. */
export function sizeOfNumber(value: number): number {
  return value === 0 ? 0 : 1 + sizeOfVarint(value);
}

function sizeOfVarint(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}
