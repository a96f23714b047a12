import { createRegistry, toBinary, type DescFile, type MessageInitShape } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status as statuses } from '@grpc/grpc-js';
import { decodeBySchema, encodeBySchema } from '../codec.ts';
import {
  file_grpc_reflection_v1_reflection as fileV1,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionRequest,
} from '../generated/grpc/reflection/v1/reflection_pb.ts';
import { file_grpc_reflection_v1alpha_reflection as fileV1alpha } from '../generated/grpc/reflection/v1alpha/reflection_pb.ts';
import type { Methods } from './server.ts';

type Response = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']
>;

/**
 * Returns the methods of the gRPC reflection protocol (https://grpc.io/docs/guides/reflection/),
 * from which a client without a .proto file learns the services. v1 and v1alpha differ only in
 * name. The files must not import each other. @grpc/reflection would read .proto files from disk.
 */
export function reflectionMethods(files: readonly DescFile[]): Methods {
  const all = [...files, fileV1, fileV1alpha];
  const byName = new Map(all.map((file) => [file.proto.name, file]));
  const bySymbol = new Map(all.flatMap(symbolsOf));
  const services = all.flatMap((file) => file.services.map(({ typeName: name }) => ({ name })));

  function find({ case: kind, value }: ServerReflectionRequest['messageRequest']): Response {
    switch (kind) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { service: services } };
      case 'fileByFilename':
        return toFile(byName.get(value), value);
      case 'fileContainingSymbol':
        return toFile(bySymbol.get(value), value);
      case 'allExtensionNumbersOfType':
        if (!bySymbol.has(value)) return notFound(value);
        return { case: 'allExtensionNumbersResponse', value: { baseTypeName: value } };
      default:
        return notFound('such an extension');
    }
  }

  function answer(bytes: Buffer): Buffer {
    const originalRequest = decodeBySchema(ServerReflectionRequestSchema, bytes);
    return encodeBySchema(ServerReflectionResponseSchema, {
      validHost: originalRequest.host,
      originalRequest,
      messageResponse: find(originalRequest.messageRequest),
    });
  }

  return {
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': { exchange: answer },
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': { exchange: answer },
  };
}

/** Returns the full names in a file, including methods and fields. */
function symbolsOf(file: DescFile): [string, DescFile][] {
  return [...createRegistry(file)].flatMap((desc) => {
    const inner =
      desc.kind === 'service' ? desc.methods : desc.kind === 'message' ? desc.fields : [];
    const names = [desc.typeName, ...inner.map(({ name }) => `${desc.typeName}.${name}`)];
    return names.map((name): [string, DescFile] => [name, file]);
  });
}

function toFile(file: DescFile | undefined, name: string): Response {
  if (!file) return notFound(name);
  const fileDescriptorProto = [toBinary(FileDescriptorProtoSchema, file.proto)];
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function notFound(name: string): Response {
  const error = { errorCode: statuses.NOT_FOUND, errorMessage: `There is no ${name}.` };
  return { case: 'errorResponse', value: error };
}
