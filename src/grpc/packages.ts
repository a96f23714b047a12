/**
 * The content of `dist/grpc.cjs`: the packages of the gRPC wire, each under its name. They are
 * apart from `dist/mlog.js` so that `mlog send` need not read and compile them. Our own files of
 * this room stay in the program, so that there is one `MlogError`.
 */
export * as '@grpc/grpc-js' from '@grpc/grpc-js';
export * as '@bufbuild/protobuf' from '@bufbuild/protobuf';
export * as '@bufbuild/protobuf/codegenv2' from '@bufbuild/protobuf/codegenv2';
export * as '@bufbuild/protobuf/wkt' from '@bufbuild/protobuf/wkt';
