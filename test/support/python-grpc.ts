import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.ts';

const here = fileURLToPath(new URL('reference/', import.meta.url));
// Debian's packages work only with Debian's Python, and another one may come first in the PATH.
const python = '/usr/bin/python3';
const protoc = '/usr/bin/protoc';
const plugin = '/usr/bin/grpc_python_plugin';

/** Says why the Python parts cannot run here; undefined if they can. */
export const pythonGrpcMissing = (): string | undefined => {
  const programs: [string, string[]][] = [
    [python, ['-c', 'import grpc']],
    [protoc, ['--version']],
    ['sh', ['-c', `test -x ${plugin}`]],
  ];
  if (programs.every(([program, args]) => spawnSync(program, args).status === 0)) return undefined;
  return (
    'no gRPC for Python here (Debian: apt-get install ' +
    'python3-grpcio protobuf-compiler protobuf-compiler-grpc)'
  );
};

/** Generates the stubs of the reference's own file in a folder. */
export const makeStubs = (folder: string): void => {
  const args = [`-I${here}`, `--python_out=${folder}`, `--grpc_out=${folder}`];
  args.push(`--plugin=protoc-gen-grpc=${plugin}`, 'logging.proto');
  const { status, stderr } = spawnSync(protoc, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`protoc: ${stderr}`);
};

/** A logging service in Python, in a process of its own. */
export type PythonService = { url: string; output: () => string; stop: () => Promise<void> };

/** Starts the reference's logging service with the stubs of a folder. */
export const startPythonService = async (folder: string): Promise<PythonService> => {
  const child = await startChild(python, [`${here}grpc_logging.py`, folder], {
    env: { PYTHONUNBUFFERED: '1', PYTHONUTF8: '1' },
  });
  const url = await child.waitFor(() => /^listening on (\S+)$/m.exec(child.stdout())?.[1], 20_000);
  return { url, output: child.stdout, stop: async () => void (await child.kill()) };
};

/** Makes calls with a Python client. Returns the outcome of each, then the texts of the service. */
export const callByPython = async (
  folder: string,
  target: string,
  calls: readonly (readonly [id: string, txt: string])[],
): Promise<[outcomes: string[], texts: string[]]> => {
  const child = await startChild(python, [`${here}grpc_client.py`, folder, target], {
    env: { PYTHONUTF8: '1' },
    input: JSON.stringify(calls),
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(child.stderr());
  return JSON.parse(child.stdout()) as [string[], string[]];
};
