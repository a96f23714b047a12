import type { Head } from '../journal/journal.ts';
import type { Selection } from '../journal/select.ts';
import type { Entry } from '../message.ts';
import { decodeBySchema, encodeBySchema, toSafeNumber } from './codec.ts';
import { HeadSchema, ReadRequestSchema } from './generated/logging_pb.ts';
import { Decoder, sizeOfInside, sizeOfNumber, sizeOfString, Encoder } from './protobuf.ts';

// The messages of `logging.proto` for reads. Those that carry load or texts are encoded by hand; see
// `append-messages.ts`.

/** The message Empty. */
export const empty = Buffer.alloc(0);

/** A selection of entries, and whether to follow it with new ones. */
export interface ReadRequest extends Selection {
  readonly follow?: boolean;
}

/** Encodes a ReadRequest. */
export function encodeReadRequest(request: ReadRequest): Buffer {
  const { after, limit, last, follow = false, journal = '' } = request;
  return encodeBySchema(ReadRequestSchema, {
    ...(after !== undefined && { after: BigInt(after) }),
    ...(limit !== undefined && { limit: BigInt(limit) }),
    ...(last !== undefined && { last: BigInt(last) }),
    follow,
    journal,
  });
}

/** Decodes a ReadRequest. */
export function decodeReadRequest(bytes: Buffer): ReadRequest {
  const { after, limit, last, follow, journal } = decodeBySchema(ReadRequestSchema, bytes);
  return {
    ...(after !== undefined && { after: toSafeNumber(after) }),
    ...(limit !== undefined && { limit: toSafeNumber(limit) }),
    ...(last !== undefined && { last: toSafeNumber(last) }),
    ...(follow && { follow }),
    ...(journal && { journal }),
  };
}

/** Encodes a Page. */
export function encodePage(entries: readonly Entry[]): Buffer {
  const sizes = entries.map(sizeOfEntry);
  const writer = new Encoder(sizes.reduce((sum, size) => sum + sizeOfInside(size), 0));
  for (const [index, entry] of entries.entries()) {
    writer.head(1, sizes[index]!);
    writeEntry(writer, entry);
  }
  return writer.bytes;
}

/** Decodes a Page. */
export function decodePage(bytes: Buffer): Entry[] {
  const reader = new Decoder(bytes);
  const entries: Entry[] = [];
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) entries.push(decodeEntry(reader.bytes()));
    else reader.skip();
  }
  return entries;
}

/** Encodes an Entry. */
export function encodeEntry(entry: Entry): Buffer {
  const writer = new Encoder(sizeOfEntry(entry));
  writeEntry(writer, entry);
  return writer.bytes;
}

function sizeOfEntry({ seq, id, txt, at }: Entry): number {
  return sizeOfNumber(seq) + sizeOfString(id) + sizeOfString(txt) + sizeOfString(at);
}

function writeEntry(writer: Encoder, { seq, id, txt, at }: Entry): void {
  writer.number(1, seq);
  writer.string(2, id);
  writer.string(3, txt);
  writer.string(4, at);
}

/** Decodes an Entry. */
export function decodeEntry(bytes: Buffer): Entry {
  const reader = new Decoder(bytes);
  let seq = 0;
  let id = '';
  let txt = '';
  let at = '';
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) seq = reader.number();
    else if (field === 2) id = reader.string();
    else if (field === 3) txt = reader.string();
    else if (field === 4) at = reader.string();
    else reader.skip();
  }
  return { seq, id, txt, at };
}

/** Encodes a GetRequest. */
export function encodeGetRequest(id: string): Buffer {
  const writer = new Encoder(sizeOfString(id));
  writer.string(1, id);
  return writer.bytes;
}

/** Decodes the id of a GetRequest. */
export function decodeGetRequest(bytes: Buffer): string {
  const reader = new Decoder(bytes);
  let id = '';
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) id = reader.string();
    else reader.skip();
  }
  return id;
}

/** Encodes a Head. */
export function encodeHead({ journal, firstSeq, lastSeq }: Head): Buffer {
  const seqs = { firstSeq: BigInt(firstSeq), lastSeq: BigInt(lastSeq) };
  return encodeBySchema(HeadSchema, { journal, ...seqs });
}

/** Decodes a Head. An older service tells no journal. */
export function decodeHead(bytes: Buffer): Head {
  const { journal, firstSeq, lastSeq } = decodeBySchema(HeadSchema, bytes);
  return { journal, firstSeq: toSafeNumber(firstSeq), lastSeq: toSafeNumber(lastSeq) };
}
