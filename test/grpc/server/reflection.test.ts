import {
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { file_grpc_health_v1_health as healthFile } from '../../../src/grpc/generated/grpc/health/v1/health_pb.ts';
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../../src/grpc/generated/grpc/reflection/v1/reflection_pb.ts';
import { file_logging as loggingFile } from '../../../src/grpc/generated/logging_pb.ts';
import { reflectionMethods } from '../../../src/grpc/server/reflection.ts';

type Asked = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']>;

const methods = reflectionMethods([loggingFile, healthFile]);

async function ask(messageRequest: Asked, version = 'v1') {
  const method = methods[`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`];
  if (!method || !('exchange' in method)) throw new Error('Missing.');
  const request = create(ServerReflectionRequestSchema, { host: 'here', messageRequest });
  const bytes = Buffer.from(toBinary(ServerReflectionRequestSchema, request));
  const response = fromBinary(ServerReflectionResponseSchema, await method.exchange(bytes));
  expect(response).toMatchObject({ validHost: 'here', originalRequest: request });
  return response.messageResponse;
}

describe('reflection', () => {
  it.each(['v1', 'v1alpha'])('lists all services: %s', async (version) => {
    const { value } = await ask({ case: 'listServices', value: '' }, version);
    const names = (value as { service: { name: string }[] }).service.map(({ name }) => name);
    expect(names).toStrictEqual([
      'LoggingService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
  });

  it.each<Asked>([
    { case: 'fileByFilename', value: 'logging.proto' },
    { case: 'fileContainingSymbol', value: 'LoggingService' },
    { case: 'fileContainingSymbol', value: 'LoggingService.Append' },
    { case: 'fileContainingSymbol', value: 'AppendResult.Status' },
    { case: 'fileContainingSymbol', value: 'LogRequest.txt' },
  ])('gives the file of %j, from which a client can make its stubs', async (asked) => {
    const { value } = await ask(asked);
    const [bytes] = (value as { fileDescriptorProto: Uint8Array[] }).fileDescriptorProto;
    const file = fromBinary(FileDescriptorProtoSchema, bytes!);
    const service = createFileRegistry(file, () => undefined).getService('LoggingService');
    expect(service?.methods.map(({ name }) => name)).toContain('LogMessage');
  });

  it.each<Asked>([
    { case: 'fileByFilename', value: 'other.proto' },
    { case: 'fileContainingSymbol', value: 'Other' },
    { case: 'fileContainingSymbol', value: '__proto__' },
    { case: 'allExtensionNumbersOfType', value: 'Other' },
    {
      case: 'fileContainingExtension',
      value: { containingType: 'LogRequest', extensionNumber: 1 },
    },
    { case: undefined },
  ])('says that it does not have %j', async (asked) => {
    expect(await ask(asked)).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } });
  });

  it('knows of no extensions, and refuses what is no request', async () => {
    expect(await ask({ case: 'allExtensionNumbersOfType', value: 'LogRequest' })).toMatchObject({
      value: { baseTypeName: 'LogRequest', extensionNumber: [] },
    });
    const method = methods['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'];
    const answer = (method as { exchange: (bytes: Buffer) => Buffer }).exchange;
    expect(() => answer(Buffer.from([0xff]))).toThrow(
      'The bytes are not a ServerReflectionRequest.',
    );
  });
});
