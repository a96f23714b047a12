import { MlogError, toMlogError } from '../../errors.ts';
import {
  decodeAppendRequest,
  decodeGroup,
  decodeLogRequest,
  encodeAppendReply,
  encodeLogReply,
  encodeText,
} from '../../grpc/append-messages.ts';
import { stoppingError, tellRefusal, type CallSignals } from '../../grpc/server/call.ts';
import { file_grpc_health_v1_health as healthFile } from '../../grpc/generated/grpc/health/v1/health_pb.ts';
import { file_logging as loggingFile } from '../../grpc/generated/logging_pb.ts';
import { healthMethods } from '../../grpc/server/health.ts';
import { encodePages } from '../../grpc/server/pages.ts';
import {
  decodeGetRequest,
  decodeReadRequest,
  encodeEntry,
  encodeHead,
} from '../../grpc/read-messages.ts';
import { reflectionMethods } from '../../grpc/server/reflection.ts';
import type { Methods } from '../../grpc/server/server.ts';
import { conflictError } from '../../journal/conflict.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import { selectEntries, selectLive } from '../../journal/select.ts';
import { parseId } from '../../message.ts';
import type { Logger } from '../../observe/logger.ts';
import { loggingSubject, type LoggingService } from './service.ts';

/** The bounds on a call to the logging service. */
export interface RpcLimits {
  readonly appendMaxCount: number;
  /** The largest group. The server must accept somewhat more, or it could not report the error. */
  readonly groupMaxBytes: number;
}

const appendPath = '/LoggingService/Append';

/** Returns the gRPC surface of the logging role, which `proto/logging.proto` describes. */
export function loggingMethods(
  service: LoggingService,
  journal: Journal,
  { appendMaxCount, groupMaxBytes }: RpcLimits,
  logger: Logger,
): Methods {
  async function append(bytes: Buffer): Promise<Buffer> {
    const group = decodeGroup(bytes);
    try {
      if (bytes.length > groupMaxBytes) throw groupSizeError(groupMaxBytes);
      const { messages } = decodeAppendRequest(bytes);
      if (messages.length > appendMaxCount) throw groupError(appendMaxCount);
      const results = await service.logAll(messages.map((fields) => service.parse(fields)));
      return encodeAppendReply({ group, results });
    } catch (error) {
      const { code } = toMlogError(error);
      const { code: status, details: message } = tellRefusal(error, appendPath, logger);
      return encodeAppendReply({ group, results: [], error: { status, code, message } });
    }
  }

  async function* read(bytes: Buffer, { gone, stopping }: CallSignals): AsyncGenerator<Buffer> {
    const { follow, ...selection } = decodeReadRequest(bytes);
    const pages = follow
      ? (await selectLive(journal, selection)).follow(AbortSignal.any([gone, stopping]))
      : (await selectEntries(journal, selection)).pages;
    for await (const page of pages) yield* encodePages(page);
    if (follow && stopping.aborted) throw stoppingError;
  }

  return {
    '/LoggingService/LogMessage': {
      unary: (bytes) => service.log(service.parse(decodeLogRequest(bytes))).then(toLogReply),
      takesTexts: true,
    },
    '/LoggingService/GetMessages': { unary: () => listTexts(journal) },
    [appendPath]: { exchange: append, takesTexts: true },
    '/LoggingService/Read': { stream: read },
    '/LoggingService/Get': {
      async unary(bytes) {
        const entry = await journal.get(parseId(decodeGetRequest(bytes)));
        if (!entry) throw new MlogError('not_found', 'There is no message with this id.');
        return encodeEntry(entry);
      },
    },
    '/LoggingService/GetHead': { unary: () => journal.head().then(encodeHead) },
    ...healthMethods(['LoggingService'], loggingSubject(journal)),
    ...reflectionMethods([loggingFile, healthFile]),
  };
}

// There are only two replies, so they are encoded once.
const loggedReply = encodeLogReply('Logged');
const duplicateReply = encodeLogReply('Duplicate');

function toLogReply(result: AppendResult): Buffer {
  if (result.status === 'conflict') throw conflictError(result);
  return result.status === 'logged' ? loggedReply : duplicateReply;
}

/** What any client accepts in one reply by default. */
const listMaxBytes = 4 * 1024 * 1024;

/** The least that a text takes in a list. */
const textMinBytes = 3;

async function listTexts(journal: Journal): Promise<Buffer> {
  const { head, pages } = await selectEntries(journal, {});
  if ((head.lastSeq - head.firstSeq + 1) * textMinBytes > listMaxBytes) throw listError();
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const page of pages) {
    for (const { txt } of page) {
      const piece = encodeText(txt);
      bytes += piece.length;
      if (bytes > listMaxBytes) throw listError();
      pieces.push(piece);
    }
  }
  return Buffer.concat(pieces, bytes);
}

function listError(): MlogError {
  return new MlogError('too_large', `The list is larger than a reply of ${listMaxBytes} bytes.`, {
    hint: 'Read it as a stream: LoggingService/Read.',
  });
}

function groupError(appendMaxCount: number): MlogError {
  return new MlogError('too_large', `There are more than ${appendMaxCount} messages in a group.`, {
    hint: 'Split it, or raise --append-max-count of the service.',
  });
}

function groupSizeError(groupMaxBytes: number): MlogError {
  return new MlogError('too_large', `A group is larger than ${groupMaxBytes} bytes.`, {
    hint: 'Split it, or raise --append-max-bytes of the service.',
  });
}
