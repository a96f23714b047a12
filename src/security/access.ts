import { createHostList, type HostList } from './hosts.ts';

/** Who may ask a service, as the settings say. */
export interface AccessOptions {
  /** Further names of the service, besides those of loopback and the host it listens on. */
  readonly allowHost: readonly string[];
  /** The origins whose pages may send to the service and read from it. */
  readonly allowOrigin: readonly string[];
}

/** Who may ask a service. Both wires refuse by it, before they look at what is asked. */
export interface Access {
  readonly hosts: HostList;
  readonly origins: ReadonlySet<string>;
}

/** Returns who may ask a service that listens on `host`. */
export function createAccess(host: string, { allowHost, allowOrigin }: AccessOptions): Access {
  return { hosts: createHostList(host, allowHost), origins: new Set(allowOrigin) };
}
