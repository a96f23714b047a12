import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The files of a certificate and its key, in PEM. */
export type Pair = { cert: string; key: string };

/** An authority that issues certificates in a folder. */
export type Authority = Pair & {
  /** Issues a certificate for these names, such as `DNS:localhost`; a negative one has expired. */
  issue: (name: string, options?: { names?: string; days?: number }) => Promise<Pair>;
};

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const ownNames = 'DNS:localhost,IP:127.0.0.1,IP:::1';

/** Makes an authority by `openssl`, as a user would. */
export const createAuthority = async (folder: string, name = 'authority'): Promise<Authority> => {
  const own = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const files = ['-keyout', own.key, '-out', own.cert];
  await run('openssl', [
    'req',
    '-x509',
    ...newKey,
    ...files,
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
  ]);
  return {
    ...own,
    issue: async (subject, { names = ownNames, days = 30 } = {}) => {
      const pair = { cert: join(folder, `${subject}.pem`), key: join(folder, `${subject}.key`) };
      const request = join(folder, `${subject}.csr`);
      const named = ['-subj', `/CN=${subject}`, '-addext', `subjectAltName=${names}`];
      await run('openssl', ['req', ...newKey, '-keyout', pair.key, '-out', request, ...named]);
      const { stdout } = await run('openssl', [
        'x509',
        '-req',
        '-in',
        request,
        '-days',
        String(days),
        '-copy_extensions',
        'copy',
        '-CA',
        own.cert,
        '-CAkey',
        own.key,
        '-CAcreateserial',
      ]);
      await writeFile(pair.cert, stdout);
      return pair;
    },
  };
};
