import assert from 'node:assert/strict';
import {
  httpSchemes,
  parseAddress,
  serviceSchemes,
  storeSchemes,
  type Address,
} from '../../src/address.ts';

/** Parses the address of a service over HTTP, which must be valid. */
export const httpAddress = (given: string): Address<'http' | 'https'> => {
  const address = parseAddress(given, httpSchemes);
  assert(address, given);
  return address;
};

/** Parses the address of a service over gRPC, which must be valid. */
export const grpcAddress = (given: string): Address<'grpc'> => {
  const address = parseAddress(given, ['grpc']);
  assert(address, given);
  return address;
};

/** Parses any address, which must be valid. */
export const anyAddress = (given: string): Address => {
  const address = parseAddress(given, [...storeSchemes, ...serviceSchemes]);
  assert(address, given);
  return address;
};
