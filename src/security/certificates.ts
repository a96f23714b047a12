import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type Server, type TlsOptions } from 'node:tls';
import { MlogError } from '../errors.ts';
import { readFile, readPrivateFile } from './files.ts';

/** The files of one side of a connection, as the settings say. Each is PEM. */
export interface CertificateFiles {
  /** The certificate, followed by those of its issuers. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The certificates of whoever may issue that of the other side. */
  readonly ca?: string | undefined;
}

/** The content of the files. */
export type Certificates = { readonly [File in keyof CertificateFiles]?: string };

/** Certificates, which may change while the process runs. */
export interface CertificateSource {
  /** Returns what the files held when they were last read, which is the same object until then. */
  readonly current: () => Certificates;
  /** Reads the files again. If one of them cannot be used, throws and keeps what was there. */
  readonly reload: () => void;
}

/** The certificates of a service. */
export interface ServerCertificates extends CertificateSource {
  /** Whether a client needs a certificate, too. */
  readonly asksClients: boolean;
  /** Returns what a server of Node needs for TLS. A client is asked for its certificate there. */
  readonly serverOptions: () => TlsOptions;
  /** Has the new connections of a server use what was read last. Those that are open go on. */
  readonly keepCurrent: (server: SecureServer) => void;
}

/** A server over TLS, whatever it speaks there. */
export type SecureServer = Pick<Server, 'setSecureContext' | 'once'>;

/** The names of the settings that the files came from, for errors. */
export type FileFlags = { readonly [File in keyof CertificateFiles]-?: string };

/** Opens the certificates of a service; undefined if it has none. Throws `usage` for bad ones. */
export function openServerCertificates(
  files: CertificateFiles,
  flags: FileFlags,
): ServerCertificates | undefined {
  if (!files.cert && files.ca) throw missingError(flags.ca, flags.cert);
  const source = openCertificates(files, flags);
  if (!source || !files.cert) return undefined;
  const servers = new Set<SecureServer>();
  const asksClients = files.ca !== undefined;
  return {
    ...source,
    asksClients,
    // A client without a good certificate is refused by its requests, which tell it the reason.
    serverOptions: () => ({
      ...source.current(),
      requestCert: asksClients,
      rejectUnauthorized: false,
    }),
    reload() {
      source.reload();
      for (const server of servers) server.setSecureContext(source.current());
    },
    keepCurrent(server) {
      servers.add(server);
      server.once('close', () => servers.delete(server));
    },
  };
}

/** Opens certificates; undefined if no file is named. Throws `usage` for bad ones. */
export function openCertificates(
  files: CertificateFiles,
  flags: FileFlags,
): CertificateSource | undefined {
  if (files.cert && !files.key) throw missingError(flags.cert, flags.key);
  if (files.key && !files.cert) throw missingError(flags.key, flags.cert);
  if (!files.cert && !files.ca) return undefined;
  let read = readCertificates(files, flags);
  return { current: () => read, reload: () => void (read = readCertificates(files, flags)) };
}

function readCertificates({ cert, key, ca }: CertificateFiles, flags: FileFlags): Certificates {
  const own = cert && key ? readPair(cert, key, flags) : {};
  if (ca === undefined) return own;
  const text = readFile(ca, flags.ca);
  parseCertificates(text, ca, flags.ca);
  return { ...own, ca: text };
}

/** Reads a certificate and its key, and checks that they belong together. */
function readPair(certPath: string, keyPath: string, flags: FileFlags): Certificates {
  const cert = readFile(certPath, flags.cert);
  const [own] = parseCertificates(cert, certPath, flags.cert);
  const key = readPrivateFile(keyPath, flags.key, othersMode);
  if (!own!.checkPrivateKey(parseKey(key, keyPath, flags.key))) {
    throw new MlogError('usage', `The key in ${keyPath} is not that of ${certPath}.`, {
      hint: `Name the two files that were made together, with ${flags.cert} and ${flags.key}.`,
    });
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new MlogError('usage', `${certPath} and ${keyPath} cannot be used for TLS.`, {
      hint: error instanceof Error ? `${error.message}.` : undefined,
      cause: error,
    });
  }
  return { cert, key };
}

/** Keys are often shared with a group, such as Debian's `ssl-cert`, but never with everyone. */
const othersMode = 0o007;

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function parseCertificates(text: string, path: string, flag: string): X509Certificate[] {
  try {
    const certificates = (text.match(certificatePattern) ?? []).map(
      (one) => new X509Certificate(one),
    );
    if (certificates.length > 0) return certificates;
  } catch (error) {
    throw new MlogError('usage', `A certificate in ${path} is damaged.`, { cause: error });
  }
  throw new MlogError('usage', `There is no certificate in ${path}.`, {
    hint: `${flag} takes a file in PEM, with BEGIN CERTIFICATE.`,
  });
}

function parseKey(text: string, path: string, flag: string) {
  try {
    return createPrivateKey(text);
  } catch (error) {
    // Its header says so; the codes of the error differ between versions of Node.
    if (/^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
      throw new MlogError('usage', `The key in ${path} is encrypted.`, {
        hint: `${flag} takes a key without a passphrase: openssl pkey -in ${path} -out FILE.`,
      });
    }
    throw new MlogError('usage', `There is no private key in ${path}.`, {
      hint: `${flag} takes a file in PEM, with BEGIN PRIVATE KEY.`,
      cause: error,
    });
  }
}

function missingError(given: string, missing: string): MlogError {
  return new MlogError('usage', `${given} needs ${missing}.`, {
    hint: 'Name the other file, too.',
  });
}
