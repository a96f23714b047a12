import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A copy of the built program, whole or broken on purpose. */
export type Build = {
  /** The script that Node runs. */
  program: string;
};

/** A change to the text of the built program. */
export type Patch = {
  /** The text to be replaced, to the letter. */
  find: string;
  replace: string;
  /** How often the text is there: exactly so often, else the control is out of date. */
  times?: number;
};

/** The builds of one run; nothing that happens to the sources meanwhile changes them. */
export type Builds = {
  whole: Build;
  breakWith: (patches: readonly Patch[]) => Promise<Build>;
  close: () => Promise<void>;
};

/** Builds the program and takes a copy of it that this run uses from then on. */
export const openBuilds = async (): Promise<Builds> => {
  await runCommand('npm', ['run', '--silent', 'build'], { cwd: root });
  const folder = await mkdtemp(join(tmpdir(), 'mlog-builds-'));
  const bundle = await readFile(join(root, 'dist', 'mlog.js'), 'utf8');
  let count = 0;

  const lay = async (text: string): Promise<Build> => {
    count += 1;
    const place = join(folder, String(count));
    await mkdir(join(place, 'dist'), { recursive: true });
    await writeFile(join(place, 'dist', 'mlog.js'), text);
    await cp(join(root, 'dist', 'grpc.cjs'), join(place, 'dist', 'grpc.cjs'));
    await cp(join(root, 'bin'), join(place, 'bin'), { recursive: true });
    await cp(join(root, 'package.json'), join(place, 'package.json'));
    await symlink(join(root, 'node_modules'), join(place, 'node_modules'));
    return { program: join(place, 'bin', 'mlog.js') };
  };

  return {
    whole: await lay(bundle),
    breakWith: (patches) => lay(patches.reduce(applyPatch, bundle)),
    close: () => rm(folder, { recursive: true, force: true }),
  };
};

const applyPatch = (text: string, { find, replace, times = 1 }: Patch): string => {
  const pieces = text.split(find);
  const found = pieces.length - 1;
  if (found === times) return pieces.join(replace);
  throw new Error(
    `A control is out of date: ${find} is in the program ${found} times, not ${times}`,
  );
};
