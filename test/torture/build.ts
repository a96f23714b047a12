import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A copy of the built program, intact or broken on purpose. */
export type Build = {
  /** The script that Node runs. */
  program: string;
};

/** A change to the text of the built program. */
export type Patch = {
  /** The exact text to replace. */
  find: string;
  replace: string;
  /** How often the text occurs, exactly. Another number means that the control is out of date. */
  times?: number;
};

/** The builds of one run, which later changes of the sources do not affect. */
export type Builds = {
  whole: Build;
  breakWith: (patches: readonly Patch[]) => Promise<Build>;
  close: () => Promise<void>;
};

/** Builds the program and copies it for this run. */
export const openBuilds = async (): Promise<Builds> => {
  await runCommand('npm', ['run', '--silent', 'build'], { cwd: root });
  const folder = await mkdtemp(join(tmpdir(), 'mlog-builds-'));
  const whole = await readProgram();
  let count = 0;

  const lay = async (texts: Texts): Promise<Build> => {
    count += 1;
    const place = join(folder, String(count));
    await mkdir(join(place, 'dist'), { recursive: true });
    for (const [path, text] of Object.entries(texts)) await writeFile(join(place, path), text);
    await cp(join(root, 'bin'), join(place, 'bin'), { recursive: true });
    await cp(join(root, 'package.json'), join(place, 'package.json'));
    await symlink(join(root, 'node_modules'), join(place, 'node_modules'));
    return { program: join(place, 'bin', 'mlog.js') };
  };

  return {
    whole: await lay(whole),
    breakWith: (patches) => lay(patches.reduce(applyPatch, whole)),
    close: () => rm(folder, { recursive: true, force: true }),
  };
};

/** Reads the built program, which must be there. */
export const readProgram = async (): Promise<Texts> => {
  const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Packed;
  const texts: Texts = {};
  for (const path of files.filter((one) => one.startsWith('dist/'))) {
    texts[path] = await readFile(join(root, path), 'utf8');
  }
  return texts;
};

/** The part of the package file that is read here. */
type Packed = { files: string[] };

/** The files of the program, by path. */
type Texts = Record<string, string>;

/** Applies a patch. Throws if the program is not the one that the patch was made for. */
export const applyPatch = (texts: Texts, { find, replace, times = 1 }: Patch): Texts => {
  const pieces = Object.entries(texts).map(([path, text]) => [path, text.split(find)] as const);
  const found = pieces.reduce((sum, [, parts]) => sum + parts.length - 1, 0);
  if (found !== times) {
    throw new Error(
      `A control is out of date: ${find} is in the program ${found} times, not ${times}`,
    );
  }
  return Object.fromEntries(pieces.map(([path, parts]) => [path, parts.join(replace)]));
};
