import { readSettings, type Flags } from '../../config.ts';
import { toMlogError } from '../../errors.ts';
import type { Reach } from '../../net/reach.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AccessOptions } from '../../security/access.ts';
import { openCertificates, openServerCertificates } from '../../security/certificates.ts';
import { openTokens } from '../../security/token-source.ts';
import type { Role } from '../../setting.ts';
import { openOwnToken } from '../reach.ts';

/** What a service asks of its clients, and what it shows to the services behind it. */
export interface Credentials {
  readonly own: Pick<AccessOptions, 'tokens' | 'certificates'>;
  /** Returns how the services behind this one are reached. */
  readonly reachOf: (timeoutMs: number) => Reach;
  /** Reads every file again; undefined if there is none. What cannot be read stays as it was. */
  readonly reload: ((logger: Logger) => void) | undefined;
}

/** Opens the tokens and certificates of a role. Throws `usage` for those that cannot be used. */
export function openCredentials(role: Role | 'all', flags: Flags): Credentials {
  const settings = readSettings<Role | 'all'>(role, flags);
  const tokens = openTokens(settings);
  const certificates = openServerCertificates(
    { cert: settings.tlsCert, key: settings.tlsKey, ca: settings.tlsClientCa },
    { cert: '--tls-cert', key: '--tls-key', ca: '--tls-client-ca' },
  );
  const upstream = role === 'facade' || role === 'messages' ? openUpstream(role, flags) : undefined;
  const reloads = [
    ['tokens', tokens?.reload],
    ['tokens for the services behind', upstream?.tokens?.reload],
    ['certificates', certificates?.reload],
    ['certificates for the services behind', upstream?.certificates?.reload],
  ] as const;
  const reload = (logger: Logger) =>
    reloads.forEach(([what, readAgain]) => readAgain && reloadOne(what, readAgain, logger));
  return {
    own: { tokens, certificates },
    reachOf: (timeoutMs) => ({
      timeoutMs,
      token: (upstream?.tokens ?? tokens)?.own,
      certificates: upstream?.certificates?.current,
    }),
    reload: reloads.some(([, readAgain]) => readAgain) ? reload : undefined,
  };
}

function openUpstream(role: 'facade' | 'messages', flags: Flags) {
  const { upstreamTokenFile, upstreamTlsCert, upstreamTlsKey, tlsCert, tlsKey, ca } = readSettings(
    role,
    flags,
  );
  const hasOwn = upstreamTlsCert !== undefined || upstreamTlsKey !== undefined;
  const [cert, key] = hasOwn ? [upstreamTlsCert, upstreamTlsKey] : [tlsCert, tlsKey];
  const flagsOf = hasOwn
    ? { cert: '--upstream-tls-cert', key: '--upstream-tls-key', ca: '--ca' }
    : { cert: '--tls-cert', key: '--tls-key', ca: '--ca' };
  return {
    tokens: openOwnToken({ tokenFile: upstreamTokenFile, token: undefined }),
    certificates: openCertificates({ cert, key, ca }, flagsOf),
  };
}

function reloadOne(what: string, readAgain: () => void, logger: Logger): void {
  try {
    readAgain();
    logger.info(`The ${what} were read again`);
  } catch (error) {
    logger.error(`${toMlogError(error).message} The ${what} from before still hold.`);
  }
}
