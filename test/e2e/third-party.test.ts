import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathInProject } from '../documents/document.ts';
import { runProgram } from '../support/program.ts';

// What the program contains of others, as the bundler reports it. When a dependency has changed,
// `npx vitest run test/e2e/third-party.test.ts -u` writes the two files anew.

type Library = { name: string; version: string; license: string; text: string };

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, never>;

/** Returns the folders of the packages whose files are in the bundles. */
const bundledFolders = (): string[] => {
  const files = ['esm', 'cjs'].flatMap((format) =>
    Object.keys(readJson(pathInProject(`dist/metafile-${format}.json`))['inputs']!),
  );
  const folders = files.flatMap(
    (file) => /^(?:.*node_modules\/(?:@[^/]+\/)?[^/]+)(?=\/)/.exec(file)?.[0] ?? [],
  );
  return [...new Set(folders)].map(pathInProject);
};

const readLibrary = (folder: string): Library => {
  const { name, version, license } = readJson(join(folder, 'package.json')) as never as Library;
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const noFile = `The package has no license file. Its package.json says ${license}.`;
  const text = file === undefined ? noFile : readFileSync(join(folder, file), 'utf8').trim();
  return { name, version, license, text };
};

const libraries = (): Library[] =>
  [...bundledFolders(), pathInProject('node_modules/@photostructure/sqlite')]
    .map(readLibrary)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

const toDocument = (all: readonly Library[]): string => `# Third-party software

mlog contains the packages below in its bundles, except \`@photostructure/sqlite\`, which is installed beside
them. \`mlog version --json\` prints the same versions.

| Package | Version | License |
| --- | --- | --- |
${all.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`).join('\n')}
${all.map(({ name, text }) => `\n## ${name}\n\n\`\`\`text\n${text}\n\`\`\`\n`).join('')}`;

test('THIRD-PARTY.md lists what is bundled, with its licenses', async () => {
  const all = libraries();
  expect(all.length).toBeGreaterThan(5);
  for (const { name, license } of all) {
    expect(license, name).toMatch(
      /^(?:MIT|ISC|Apache-2\.0|BSD-[23]-Clause|\(Apache-2\.0 AND BSD-3-Clause\))$/,
    );
  }
  await expect(toDocument(all)).toMatchFileSnapshot(pathInProject('THIRD-PARTY.md'));
});

test('mlog version tells each of them, and what runs it', async () => {
  const versions = Object.fromEntries(libraries().map(({ name, version }) => [name, version]));
  const json = `${JSON.stringify(versions, undefined, 2)}\n`;
  await expect(json).toMatchFileSnapshot(pathInProject('src/commands/bundled.json'));
  const { version } = readJson(pathInProject('package.json'));
  const told = JSON.parse((await runProgram(['version', '--json'])).stdout) as object;
  expect(told).toEqual({
    mlog: version,
    node: process.versions.node,
    sqlite: expect.stringMatching(/^3\.\d+\.\d+$/),
    libraries: versions,
  });
  const { stdout } = await runProgram(['version']);
  expect(stdout).toContain(`mlog ${version}\nnode ${process.versions.node}\nsqlite 3.`);
  expect(stdout.split('\n')).toHaveLength(3 + Object.keys(versions).length + 1);
});
