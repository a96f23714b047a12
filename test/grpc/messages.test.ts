import { create, fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as appends from '../../src/grpc/append-messages.ts';
import * as schemas from '../../src/grpc/generated/logging_pb.ts';
import * as reads from '../../src/grpc/read-messages.ts';

// protobuf-es drops a byte order mark at the start of a text, and reads everything else unchanged.
const text = fc.string({ unit: 'binary' }).filter((value) => !value.startsWith('\uFEFF'));
const seq = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const message = fc.record({ id: text, txt: text });
const entry = fc.record({ seq, id: text, txt: text, at: text });
const statuses = ['logged', 'duplicate', 'conflict'] as const;

/** Encodes with protobuf-es, taking plain numbers for its bigints. */
function write(schema: DescMessage, fields: object): Buffer {
  return Buffer.from(toBinary(schema, create(schema, withBigints(fields) as never)));
}

const bigNumbers = new Set(['seq', 'after', 'limit', 'last', 'firstSeq', 'lastSeq']);

function withBigints(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => withBigints(one));
  if (typeof value === 'number') return bigNumbers.has(name) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, withBigints(one, key)]),
  );
}

describe('the messages written by hand', () => {
  const codecs: [
    string,
    DescMessage,
    fc.Arbitrary<object>,
    (v: never) => Buffer,
    (b: Buffer) => unknown,
  ][] = [
    [
      'LogRequest',
      schemas.LogRequestSchema,
      message,
      appends.encodeLogRequest,
      appends.decodeLogRequest,
    ],
    [
      'AppendRequest',
      schemas.AppendRequestSchema,
      fc.record({ group: fc.nat(), messages: fc.array(message) }),
      appends.encodeAppendRequest,
      appends.decodeAppendRequest,
    ],
    [
      'ReadRequest',
      schemas.ReadRequestSchema,
      fc.record(
        { after: seq, limit: seq, last: seq, follow: fc.constant(true), journal: fc.uuid() },
        { requiredKeys: [] },
      ),
      reads.encodeReadRequest,
      reads.decodeReadRequest,
    ],
    ['Entry', schemas.EntrySchema, entry, reads.encodeEntry, reads.decodeEntry],
    [
      'Head',
      schemas.HeadSchema,
      fc.record({ journal: fc.oneof(fc.uuid(), fc.constant('')), firstSeq: seq, lastSeq: seq }),
      reads.encodeHead,
      reads.decodeHead,
    ],
  ];

  it.each(codecs)(
    '%s is what protobuf-es writes and reads',
    (_, schema, arbitrary, encode, decode) => {
      fc.assert(
        fc.property(arbitrary, (value) => {
          const bytes = encode(value as never);
          expect(bytes).toStrictEqual(write(schema, value));
          expect(decode(bytes)).toEqual(value);
        }),
      );
    },
  );

  it('Page is what protobuf-es writes and reads', () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const bytes = reads.encodePage(entries);
        expect(bytes).toStrictEqual(write(schemas.PageSchema, { entries }));
        expect(reads.decodePage(bytes)).toEqual(entries);
      }),
    );
  });

  it('AppendReply is what protobuf-es writes and reads', () => {
    const result = fc.record({ status: fc.constantFrom(...statuses), seq });
    const error = fc.option(fc.record({ status: fc.nat(16), code: text, message: text }), {
      nil: undefined,
    });
    const reply = fc.record({ group: fc.nat(), results: fc.array(result), error });
    fc.assert(
      fc.property(reply, (value) => {
        const bytes = appends.encodeAppendReply(value);
        const results = value.results.map((one) => ({
          ...one,
          status: statuses.indexOf(one.status) + 1,
        }));
        expect(bytes).toStrictEqual(write(schemas.AppendReplySchema, { ...value, results }));
        expect(appends.decodeAppendReply(bytes)).toEqual(value);
      }),
    );
  });

  it('the reference replies and GetRequest are what protobuf-es writes and reads', () => {
    fc.assert(
      fc.property(fc.array(text.filter((value) => value !== '')), text, (messages, one) => {
        const list = Buffer.concat(messages.map(appends.encodeText));
        expect(list).toStrictEqual(write(schemas.MessagesReplySchema, { messages }));
        expect(appends.decodeTexts(list)).toEqual(messages);
        const reply = appends.encodeLogReply(one);
        expect(reply).toStrictEqual(write(schemas.LogReplySchema, { status: one }));
        expect(appends.decodeLogReply(reply)).toBe(one);
        expect(reads.decodeGetRequest(reads.encodeGetRequest(one))).toBe(one);
        expect(reads.encodeGetRequest(one)).toStrictEqual(reply);
      }),
    );
  });
});

describe('what is read', () => {
  const refusal = expect.objectContaining({ code: 'invalid_argument' }) as Error;

  it.each([
    ['a byte that begins nothing', [0x0a, 0x01, 0xff]],
    ['a surrogate', [0x0a, 0x03, 0xed, 0xa0, 0x80]],
    ['NUL in two bytes', [0x0a, 0x02, 0xc0, 0x80]],
    ['half a sign', [0x12, 0x02, 0xf0, 0x9f]],
  ])('is refused and not repaired where a text has %s', (_, bytes) => {
    expect(() => appends.decodeLogRequest(Buffer.from(bytes))).toThrow(refusal);
  });

  it.each([
    ['a text longer than the message', [0x0a, 0x05, 0x41]],
    ['a field without its end', [0x0a]],
    ['a number without its end', [0x18, 0xff]],
    ['a number of eleven bytes', [0x18, ...Array.from({ length: 10 }, () => 0x80), 0x01]],
    ['the field 0', [0x02, 0x00]],
    ['a number in the place of a text', [0x08, 0x01]],
    ['a group', [0x1b]],
    ['four bytes where there are two', [0x1d, 0x00, 0x00]],
    ['JSON', [...Buffer.from('{"id":"a"}')]],
  ])('is refused where it has %s', (_, bytes) => {
    expect(() => appends.decodeLogRequest(Buffer.from(bytes))).toThrow(refusal);
  });

  it('never fails in another way, whatever the bytes', () => {
    const decoders = [
      appends.decodeLogRequest,
      appends.decodeAppendRequest,
      appends.decodeGroup,
      reads.decodeReadRequest,
      reads.decodeGetRequest,
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const decode of decoders) {
          try {
            decode(Buffer.from(bytes));
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_argument' });
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('may have fields that are not known yet, and keeps a byte order mark', () => {
    const known = appends.encodeLogRequest({ id: '\uFEFFa', txt: 'b' });
    const more = [
      0x18, 0x96, 0x01, 0x22, 0x01, 0x41, 0x2d, 1, 2, 3, 4, 0x31, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    const bytes = Buffer.concat([Buffer.from(more), known]);
    expect(appends.decodeLogRequest(bytes)).toEqual({ id: '\uFEFFa', txt: 'b' });
    expect(fromBinary(schemas.LogRequestSchema, bytes).txt).toBe('b');
  });

  it('is refused where the number of a group has more than 32 bits', () => {
    const group = 2 ** 32 - 1;
    const most = appends.encodeAppendRequest({ group, messages: [] });
    expect(appends.decodeGroup(most)).toBe(group);
    expect(appends.decodeAppendRequest(most)).toEqual({ group, messages: [] });
    const more = appends.encodeAppendRequest({ group: 2 ** 32 + 5, messages: [] });
    expect(() => appends.decodeGroup(more)).toThrow(refusal);
    expect(() => appends.decodeAppendRequest(more)).toThrow(refusal);
  });

  it('is refused where a number is too large to be exact', () => {
    const bytes = write(schemas.ReadRequestSchema, {});
    const large = Buffer.from(
      toBinary(schemas.ReadRequestSchema, create(schemas.ReadRequestSchema, { after: 2n ** 53n })),
    );
    expect(reads.decodeReadRequest(bytes)).toEqual({});
    expect(() => reads.decodeReadRequest(large)).toThrow(refusal);
  });
});
