import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(root, 'src', path), 'utf8') }));

/** The storeys of the house, top to bottom; a room imports from its own room and from below. */
const storeys = [
  ['mlog'],
  ['cli'],
  ['commands'],
  ['roles/facade', 'roles/logging', 'roles/messages'],
  ['open-journal'],
  ['grpc', 'http', 'store'],
  [
    'journal',
    'config',
    'connection-limit',
    'setting-kinds',
    'given-text',
    'lifecycle',
    'listen',
    'send-queue',
    'observe',
  ],
  ['address', 'message', 'errors'],
];

/** Each package and its one room: a file, or a folder and the file of the same name. */
const rooms: Record<string, string> = {
  commander: 'cli/',
  negotiator: 'http/listing.ts',
  'p-retry': 'journal/retry.ts',
  pino: 'observe/logger.ts',
  undici: 'http/client.ts',
  '@photostructure/sqlite': 'store/sqlite-driver.ts',
  '@bufbuild/protobuf': 'grpc/',
  '@grpc/grpc-js': 'grpc/',
};

/** What protoc has made is left as it is; `test/grpc/generated.test.ts` checks that it is current. */
const written = sources.filter(({ path }) => !path.startsWith('grpc/generated/'));

/** What touches the process, and the one file that may. */
const doors: [RegExp, string][] = [
  [/process\.env\b/, 'config.ts'],
  [/process\.exit\b|process\.exitCode/, 'cli.ts'],
  [/process\.(?:on|once)\(/, 'lifecycle.ts'],
  [/process\.stdout|console\./, 'commands/print.ts'],
];

const bannedNames =
  /(?:^|\/)(?:util|utils|common|helper|helpers|shared|misc|lib|core|base|impl|manager|index|types)(?:\.ts|\/)/;

describe('the house', () => {
  it.each(sources)('$path imports from its own room and from below only', ({ path, text }) => {
    for (const target of importsOf(text).filter((name) => name.startsWith('.'))) {
      const imported = relative(join(root, 'src'), resolve(root, 'src', dirname(path), target));
      if (imported === '../package.json') continue;
      expect(mayImport(path, imported), `${path} imports ${imported}`).toBe(true);
    }
  });

  it.each(sources)('$path imports packages of its room only', ({ path, text }) => {
    for (const target of importsOf(text).filter((name) => !name.startsWith('.'))) {
      if (target.startsWith('node:')) {
        expect(builtinModules).toContain(target.slice('node:'.length));
        continue;
      }
      const packageName = target.split('/', target.startsWith('@') ? 2 : 1).join('/');
      expect(isRoomOf(packageName, path), `${path} imports ${packageName}`).toBe(true);
    }
  });

  it.each(doors)('only one file has %s', (pattern, door) => {
    const holders = sources.filter(({ text }) => pattern.test(withoutComments(text)));
    expect(holders.map(({ path }) => path)).toEqual([door]);
  });

  it('reads the time of day for people and for ids alone, never for a deadline', () => {
    const holders = sources.filter(({ text }) => /Date\.now\(|new Date\(\)/.test(text));
    const outside = holders.map(({ path }) => path).filter((path) => !path.startsWith('store/'));
    expect(outside).toEqual(['message.ts']);
  });

  it('writes to stderr by the diagnostics, the remarks and the last word alone', () => {
    const holders = sources.filter(({ text }) => /process\.stderr|stderrFd/.test(text));
    expect(holders.map(({ path }) => path).toSorted()).toEqual([
      'cli.ts',
      'commands/print.ts',
      'observe/logger.ts',
    ]);
  });

  it.each(written)('$path has a name and a size that the house uses', ({ path, text }) => {
    expect(path).toMatch(/^[a-z0-9/.-]+$/);
    expect(path).not.toMatch(bannedNames);
    expect(text.split('\n').length).toBeLessThanOrEqual(250);
    expect(text).not.toMatch(/\b(?:TODO|FIXME|XXX|HACK)\b/);
  });

  it.each(written)('$path says what each of its exports is', ({ text }) => {
    const lines = text.split('\n');
    for (const [index, line] of lines.entries()) {
      if (/^export (?!type \{|\{|\*|default )/.test(line)) {
        expect(lines[index - 1], `above: ${line}`).toMatch(/\*\/\s*$/);
      }
    }
  });
});

function importsOf(text: string): string[] {
  const pattern = /(?:^|\s)(?:import|export)[^'";]*?from '([^']+)'|import\(?\s*'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => (match[1] ?? match[2])!);
}

function storeyOf(path: string): { level: number; room: string } {
  for (const [level, names] of storeys.entries()) {
    const room = names.find((name) => path === `${name}.ts` || path.startsWith(`${name}/`));
    if (room) return { level, room };
  }
  throw new Error(`${path} stands in no room of the house.`);
}

function isRoomOf(packageName: string, path: string): boolean {
  const room = rooms[packageName]!;
  if (room.endsWith('/')) return path.startsWith(room) || path === `${room.slice(0, -1)}.ts`;
  const beside = [room, `${dirname(room)}/packages.ts`, `${dirname(room)}/undici.d.ts`];
  return beside.includes(path);
}

function mayImport(from: string, to: string): boolean {
  const importer = storeyOf(from);
  const imported = storeyOf(to);
  if (importer.room === imported.room || imported.level > importer.level) return true;
  // The lowest two storeys lean on their neighbours; the wires, the stores and the roles never do.
  return importer.level === imported.level && importer.level >= 6;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
