/**
 * What `dist/grpc.cjs` holds: the packages of the gRPC wire, each under its name. They stand apart
 * from `dist/mlog.js`, since `mlog send` would read and compile them for nothing; our own files of
 * this room stay in the program, so that there is one `MlogError` and not two.
 */
export * as '@grpc/grpc-js' from '@grpc/grpc-js';
export * as '@bufbuild/protobuf' from '@bufbuild/protobuf';
export * as '@bufbuild/protobuf/codegenv2' from '@bufbuild/protobuf/codegenv2';
export * as '@bufbuild/protobuf/wkt' from '@bufbuild/protobuf/wkt';
