import { MlogError } from '../errors.ts';

/** The names under which a service may be asked. */
export interface HostList {
  /**
   * Throws `invalid_argument` for a malformed host and `misdirected` for one that is not on the
   * list. `authority` is a host with or without a port, as in the `Host` header; `localAddress` is
   * the address of this machine that the client connected to.
   */
  check(authority: string, localAddress: string | undefined): void;
}

/** A name, an IPv4 address, or an IPv6 address in brackets; then a port. */
const wellFormed = /^([\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i;

/** The most spellings of allowed hosts to remember, since each may come with any port. */
const rememberedMaxCount = 64;

/**
 * Returns the list of a service that listens on `host`: the names of loopback, that host, and
 * `more`. A page that a browser got from elsewhere may name a service on this machine by a name of
 * its own (DNS rebinding), which is then not on the list. The port is not compared, because proxies
 * and containers map ports.
 */
export function createHostList(host: string, more: readonly string[]): HostList {
  const allowed = new Set([host, ...more].map((one) => normalize(one)));
  const remembered = new Set<string>();

  return {
    check(authority, localAddress) {
      const asked = `${authority} ${localAddress}`;
      if (remembered.has(asked)) return;
      const name = wellFormed.exec(authority)?.[1];
      const normal = name === undefined ? undefined : normalize(name);
      if (normal === undefined) {
        throw new MlogError('invalid_argument', 'The host of the request is malformed.', {
          hint: 'Send one host name or IP address, with or without a port.',
        });
      }
      const isOwn = isLoopbackName(normal) || allowed.has(normal);
      if (!isOwn && (!localAddress || normal !== normalize(unmapped(localAddress)))) {
        throw new MlogError('misdirected', `This service is not known as ${name}.`, {
          hint: `If it should be, start it with --allow-host ${name}.`,
        });
      }
      if (remembered.size < rememberedMaxCount) remembered.add(asked);
    },
  };
}

/**
 * Parses names separated by commas, such as `mlog.example,10.0.0.7`. Returns undefined if one is
 * malformed or has a port.
 */
export function parseHosts(given: string): readonly string[] | undefined {
  const hosts = given.split(',').map((one) => normalize(one));
  return hosts.every((one) => one !== undefined) ? hosts : undefined;
}

/** Says whether a host to listen on is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return isLoopbackName(normalize(host) ?? host);
}

/**
 * Says whether a host is this machine to whoever names it. Browsers never ask DNS for a name under
 * `localhost` (RFC 6761, section 6.3).
 */
function isLoopbackName(host: string): boolean {
  return (
    /^(?:.+\.)?localhost$/.test(host) || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
  );
}

/** Returns a host as URLs spell it: in small letters, IPv6 in brackets, without a final dot. */
function normalize(host: string): string | undefined {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const url = `http://${name}`;
  if (!wellFormed.test(name) || /\]?:\d*$/.test(name) || !URL.canParse(url)) return undefined;
  return new URL(url).hostname.replace(/\.$/, '');
}

/** An IPv6 socket spells an IPv4 address as `::ffff:10.0.0.7`. */
function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
