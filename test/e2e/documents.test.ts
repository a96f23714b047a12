import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  anchorsOf,
  blockOf,
  isShown,
  pathInProject,
  readLinks,
  readSteps,
  type Step,
} from '../documents/document.ts';
import { openTerminal, type Terminal } from '../documents/terminal.ts';
import { temporaryFolder } from '../support/folder.ts';
import { pythonGrpcMissing } from '../support/python-grpc.ts';

// Works through each document like a reader: every command in order, in one folder, with its output
// compared with what the document shows.

const documents = [
  'README.md',
  ...readdirSync(pathInProject('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

const servesPattern = /^(?:npm ci && )?(?:npm start$|(?:npx )?mlog serve\b)/;
const followsPattern = /mlog list .*(?:-f|--follow)\b|curl -N/;

const commandOf = (language: Step['language'], text: string): string => {
  if (language === 'js') return `node --input-type=commonjs <<'END'\n${text}\nEND`;
  if (language === 'python') return `/usr/bin/python3 - <<'END'\n${text}\nEND`;
  return text;
};

/** Works through a document. Returns the steps that print something other than it shows. */
const tryDocument = async (path: string, terminal: Terminal): Promise<string[]> => {
  const wrong: string[] = [];
  for (const { language, command, output, line } of readSteps(path)) {
    if (servesPattern.test(command)) {
      await terminal.serve(command.replace('npm ci && ', ''));
    } else if (followsPattern.test(command)) {
      await terminal.follow(command, (printed) =>
        output === undefined ? printed !== '' : isShown(output, printed),
      );
    } else {
      const { printed, code } = await terminal.type(commandOf(language, command));
      const isRight = output === undefined ? code === 0 : isShown(output, printed);
      if (!isRight) wrong.push(`${path}:${line}\n$ ${command}\n${printed}(exit code ${code})`);
    }
  }
  return wrong;
};

const needsPython = (path: string): boolean =>
  readSteps(path).some(({ language }) => language === 'python');

describe.each(documents)('%s', (path) => {
  test('prints what it shows, command by command', async ({ skip }) => {
    const missing = needsPython(path) ? pythonGrpcMissing() : undefined;
    if (missing && process.env['CI']) throw new Error(missing);
    skip(missing !== undefined, missing);
    const terminal = await openTerminal();
    try {
      expect(await tryDocument(path, terminal)).toEqual([]);
    } finally {
      await terminal.close();
    }
  });

  test('links to what is there', () => {
    for (const link of readLinks(path).filter((target) => !target.startsWith('http'))) {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : join(dirname(path), file);
      expect(existsSync(pathInProject(target)), link).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(target), link).toContain(anchor);
    }
  });
});

test('the unit of systemd passes its own check without a word', async ({ skip }) => {
  const missing = spawnSync('systemd-analyze', ['--version']).status !== 0;
  if (missing && process.env['CI']) throw new Error('no systemd-analyze');
  skip(missing, 'no systemd-analyze here (Debian: apt-get install systemd)');
  const folder = await temporaryFolder();
  try {
    const unit = join(folder.path, 'mlog.service');
    // The program that the unit starts must exist.
    const text = blockOf('docs/operating.md', 'ini').replace('/usr/local/bin/mlog', '/bin/true');
    writeFileSync(unit, text);
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', unit], {
      encoding: 'utf8',
    });
    expect({ output: stdout + stderr, status }).toEqual({ output: '', status: 0 });
  } finally {
    await folder.remove();
  }
});
