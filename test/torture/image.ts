import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import type { Scene } from './scene.ts';

const sizeMiB = 96;

/** A file system in a file, mounted through a loop device. */
export type Image = {
  /** The file under the loop device, which holds what a disk would. */
  file: string;
  /** The folder where it is mounted. */
  folder: string;
  /**
   * Copies the file at one moment, while the file system stays mounted. The copy lacks what is only
   * in the page cache, as after a power cut. Writers must be stopped; a write that happens all the
   * same makes it copy again.
   */
  cut: (file: string) => Promise<void>;
  unmount: () => Promise<void>;
};

/** Creates an empty ext4 file system whose own timers write nothing during a proof. */
export const createImage = async (scene: Scene, file: string): Promise<Image> => {
  await rm(file, { force: true });
  const lazy = 'lazy_itable_init=0,lazy_journal_init=0';
  await runCommand('mkfs.ext4', ['-q', '-b', '4096', '-E', lazy, file, `${sizeMiB}M`]);
  return await mountImage(scene, file);
};

/** Mounts an existing file system. Its journal is replayed, as after a power cut. */
export const mountImage = async (scene: Scene, file: string): Promise<Image> => {
  const folder = `${file}.mounted`;
  await mkdir(folder, { recursive: true });
  await runCommand('mount', ['-o', 'loop,commit=600', file, folder]);
  let isMounted = true;
  const unmount = async (): Promise<void> => {
    if (!isMounted) return;
    await runCommand('umount', [folder]);
    isMounted = false;
  };
  scene.defer(unmount);
  return {
    file,
    folder,
    cut: async (copy) => {
      for (let attempts = 1; ; attempts += 1) {
        const before = await writesDone(file);
        await runCommand('cp', ['--sparse=always', file, copy]);
        if ((await writesDone(file)) === before) return;
        if (attempts === 20) throw new Error('The image is written to all the time');
      }
    },
    unmount,
  };
};

/** Returns how many writes the loop device of a file has done. */
const writesDone = async (file: string): Promise<string> => {
  for (const device of await readdir('/sys/block')) {
    if (!device.startsWith('loop')) continue;
    const folder = join('/sys/block', device);
    const behind = await readFile(join(folder, 'loop/backing_file'), 'utf8').catch(() => '');
    if (behind.trim() !== file) continue;
    const counts = (await readFile(join(folder, 'stat'), 'utf8')).trim().split(/\s+/);
    return counts[4]!;
  }
  throw new Error(`No loop device is over ${file}`);
};
