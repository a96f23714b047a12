import { MlogError } from '../errors.ts';
import type { ServerCertificates } from './certificates.ts';
import { createHostList, isLoopback, type HostList } from './hosts.ts';
import type { TokenSource } from './token-source.ts';

/** Who may ask a service, as the settings say. */
export interface AccessOptions {
  /** Further names of the service, besides those of loopback and the host it listens on. */
  readonly allowHost: readonly string[];
  /** The origins whose pages may send to the service and read from it. */
  readonly allowOrigin: readonly string[];
  /** Undefined lets in everyone who reaches the service. */
  readonly tokens?: TokenSource | undefined;
  /** Undefined serves without TLS. */
  readonly certificates?: ServerCertificates | undefined;
}

/** Who may ask a service. Both wires refuse by it, before they look at what is asked. */
export interface Access {
  readonly hosts: HostList;
  readonly origins: ReadonlySet<string>;
  readonly tokens: TokenSource | undefined;
  /** Whether a client needs a certificate. */
  readonly asksCertificate: boolean;
}

/** Returns who may ask a service that listens on `host`. */
export function createAccess(
  host: string,
  { allowHost, allowOrigin, tokens, certificates }: AccessOptions,
): Access {
  return {
    hosts: createHostList(host, allowHost),
    origins: new Set(allowOrigin),
    tokens,
    asksCertificate: certificates?.asksClients ?? false,
  };
}

interface ExposureOptions extends Pick<AccessOptions, 'tokens' | 'certificates'> {
  readonly insecureNoAuth: boolean;
}

/** Throws `usage` if a service would listen to other machines and let everyone in. */
export function checkExposure(
  host: string,
  { tokens, certificates, insecureNoAuth }: ExposureOptions,
): void {
  if (tokens || certificates?.asksClients || insecureNoAuth || isLoopback(host)) return;
  throw new MlogError('usage', `--host ${host} lets other machines in, and there is no token.`, {
    hint: 'Give it one with --token-file or MLOG_TOKEN, or let everyone in with --insecure-no-auth.',
  });
}
