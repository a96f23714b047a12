import type { AppendResult } from '../journal/journal.ts';
import type { Message } from '../message.ts';
import { Decoder, sizeOfInside, sizeOfNumber, sizeOfString, Encoder } from './protobuf.ts';

// The messages of `logging.proto` for appends. `test/grpc/messages.test.ts` compares them with what
// protobuf-es makes of the same file.

/** Encodes a LogRequest. */
export function encodeLogRequest(message: Message): Buffer {
  const writer = new Encoder(sizeOfMessage(message));
  writeMessage(writer, message);
  return writer.bytes;
}

/** Decodes a LogRequest. A missing field is empty. */
export function decodeLogRequest(bytes: Buffer): Message {
  const reader = new Decoder(bytes);
  let id = '';
  let txt = '';
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) id = reader.string();
    else if (field === 2) txt = reader.string();
    else reader.skip();
  }
  return { id, txt };
}

function sizeOfMessage({ id, txt }: Message): number {
  return sizeOfString(id) + sizeOfString(txt);
}

function writeMessage(writer: Encoder, { id, txt }: Message): void {
  writer.string(1, id);
  writer.string(2, txt);
}

/** Encodes a LogReply. */
export function encodeLogReply(status: string): Buffer {
  const writer = new Encoder(sizeOfString(status));
  writer.string(1, status);
  return writer.bytes;
}

/** Decodes the status of a LogReply. */
export function decodeLogReply(bytes: Buffer): string {
  return decodeStrings(bytes).at(-1) ?? '';
}

/** Encodes one text of a MessagesReply. The reply is these, one after the other. */
export function encodeText(txt: string): Buffer {
  return encodeLogReply(txt);
}

/** Decodes the texts of a MessagesReply. */
export function decodeTexts(bytes: Buffer): string[] {
  return decodeStrings(bytes);
}

function decodeStrings(bytes: Buffer): string[] {
  const reader = new Decoder(bytes);
  const texts: string[] = [];
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) texts.push(reader.string());
    else reader.skip();
  }
  return texts;
}

/** A group of messages that are stored together. */
export interface AppendRequest {
  readonly group: number;
  readonly messages: readonly Message[];
}

/** Encodes an AppendRequest. */
export function encodeAppendRequest({ group, messages }: AppendRequest): Buffer {
  const sizes = messages.map(sizeOfMessage);
  const writer = new Encoder(sizes.reduce(addInside, sizeOfNumber(group)));
  writer.number(1, group);
  for (const [index, message] of messages.entries()) {
    writer.head(2, sizes[index]!);
    writeMessage(writer, message);
  }
  return writer.bytes;
}

function addInside(sum: number, size: number): number {
  return sum + sizeOfInside(size);
}

/**
 * Decodes only the number of the group of an AppendRequest, which comes first, so that an error in
 * the messages can be reported under it.
 */
export function decodeGroup(bytes: Buffer): number {
  const reader = new Decoder(bytes);
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) return reader.uint32();
    reader.skip();
  }
  return 0;
}

/** Decodes an AppendRequest. */
export function decodeAppendRequest(bytes: Buffer): AppendRequest {
  const reader = new Decoder(bytes);
  const messages: Message[] = [];
  let group = 0;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) group = reader.uint32();
    else if (field === 2) messages.push(decodeLogRequest(reader.bytes()));
    else reader.skip();
  }
  return { group, messages };
}

/** The outcome of a group: a result for each message, or one error for all. */
export interface AppendReply {
  readonly group: number;
  readonly results: readonly Pick<AppendResult, 'status' | 'seq'>[];
  readonly error?: AppendError | undefined;
}

/** Why a group was not stored, or may not have been. */
export interface AppendError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** The numbers of AppendResult.Status. */
const statuses = ['', 'logged', 'duplicate', 'conflict'] as const;

/** Encodes an AppendReply. */
export function encodeAppendReply({ group, results, error }: AppendReply): Buffer {
  const sizes = results.map(({ seq = 0 }) => 2 + sizeOfNumber(seq));
  const errorSize = error ? sizeOfError(error) : 0;
  const headSize = sizeOfNumber(group) + (error ? sizeOfInside(errorSize) : 0);
  const writer = new Encoder(sizes.reduce(addInside, headSize));
  writer.number(1, group);
  for (const [index, { status, seq = 0 }] of results.entries()) {
    writer.head(2, sizes[index]!);
    writer.number(1, statuses.indexOf(status));
    writer.number(2, seq);
  }
  if (error) {
    writer.head(3, errorSize);
    writer.number(1, error.status);
    writer.string(2, error.code);
    writer.string(3, error.message);
  }
  return writer.bytes;
}

function sizeOfError({ status, code, message }: AppendError): number {
  return sizeOfNumber(status) + sizeOfString(code) + sizeOfString(message);
}

/** Decodes an AppendReply. Throws for an unknown status. */
export function decodeAppendReply(bytes: Buffer): AppendReply {
  const reader = new Decoder(bytes);
  const results: AppendReply['results'][number][] = [];
  let group = 0;
  let error: AppendError | undefined;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) group = reader.uint32();
    else if (field === 2) results.push(decodeResult(reader.bytes()));
    else if (field === 3) error = decodeError(reader.bytes());
    else reader.skip();
  }
  return { group, results, error };
}

function decodeResult(bytes: Buffer): AppendReply['results'][number] {
  const reader = new Decoder(bytes);
  let status = 0;
  let seq = 0;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) status = reader.number();
    else if (field === 2) seq = reader.number();
    else reader.skip();
  }
  const name = statuses[status];
  if (!name) throw new RangeError(`${status} is no status of a message.`);
  return { status: name, seq };
}

function decodeError(bytes: Buffer): AppendError {
  const reader = new Decoder(bytes);
  let status = 0;
  let code = '';
  let message = '';
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) status = reader.number();
    else if (field === 2) code = reader.string();
    else if (field === 3) message = reader.string();
    else reader.skip();
  }
  return { status, code, message };
}
