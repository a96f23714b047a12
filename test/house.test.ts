import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(root, 'src', path), 'utf8') }));

/** The storeys of the house, top to bottom. A room imports from itself and from below. */
const storeys = [
  ['mlog'],
  ['cli'],
  ['commands'],
  ['roles/facade', 'roles/logging', 'roles/messages'],
  ['open-journal'],
  ['grpc/client', 'grpc/server', 'http/client', 'http/server', 'store/sqlite', 'store'],
  ['grpc', 'http'],
  ['journal/remote', 'journal/wrap', 'ops'],
  ['journal'],
  ['lifecycle'],
  ['config'],
  ['settings'],
  ['access-setting'],
  ['given-text', 'setting', 'observe'],
  ['address', 'message', 'net', 'quantity'],
  ['home-folder', 'security'],
  ['errors'],
];

/** Each package and its only room: a file, or a folder. */
const rooms: Record<string, string> = {
  commander: 'cli/',
  negotiator: 'http/server/media-type.ts',
  'p-retry': 'journal/wrap/retry.ts',
  pino: 'observe/logger.ts',
  undici: 'http/client/client.ts',
  '@photostructure/sqlite': 'store/sqlite/driver.ts',
  '@bufbuild/protobuf': 'grpc/',
  '@grpc/grpc-js': 'grpc/',
};

/** The output of protoc stays as it is; `test/grpc/generated.test.ts` checks that it is current. */
const written = sources.filter(({ path }) => !path.startsWith('grpc/generated/'));

/** What touches the process, and the only file that may. */
const doors: [RegExp, string][] = [
  [/process\.env\b/, 'config.ts'],
  [/process\.exit\b|process\.exitCode/, 'cli/cli.ts'],
  [/process\.(?:on|once)\(/, 'lifecycle.ts'],
  [/process\.stdout|console\./, 'commands/print.ts'],
];

const bannedNames =
  /(?:^|\/)(?:util|utils|common|helper|helpers|shared|misc|lib|core|base|impl|manager|index|types)(?:\.ts|\/)/;

describe('the house', () => {
  it.each(sources)('$path imports from its own room and from below only', ({ path, text }) => {
    for (const imported of filesImportedBy(path, text)) {
      expect(mayImport(path, imported), `${path} imports ${imported}`).toBe(true);
    }
  });

  it('has no circle of imports, of types neither', () => {
    const imports = new Map(sources.map(({ path, text }) => [path, filesImportedBy(path, text)]));
    const circles = sources.map(({ path }) => circleOf(path, imports)?.join(' → '));
    expect(circles.filter((circle) => circle !== undefined)).toEqual([]);
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
    expect(outside.toSorted()).toEqual(['commands/serve/node-line.ts', 'message.ts']);
  });

  it('writes to stderr by the diagnostics, the remarks and the last word alone', () => {
    const holders = sources.filter(({ text }) => /process\.stderr|stderrFd/.test(text));
    expect(holders.map(({ path }) => path).toSorted()).toEqual([
      'cli/cli.ts',
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

function filesImportedBy(path: string, text: string): string[] {
  return importsOf(text)
    .filter((target) => target.startsWith('.'))
    .map((target) => relative(join(root, 'src'), resolve(root, 'src', dirname(path), target)))
    .filter((imported) => imported !== '../package.json');
}

function importsOf(text: string): string[] {
  const pattern = /(?:^|\s)(?:import|export)[^'";]*?from '([^']+)'|import\(?\s*'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => (match[1] ?? match[2])!);
}

/** Returns the room of a file: the innermost folder that is one, or the file itself. */
function storeyOf(path: string): { level: number; room: string } {
  const found = storeys
    .flatMap((names, level) => names.map((room) => ({ level, room })))
    .filter(({ room }) => path === `${room}.ts` || path.startsWith(`${room}/`))
    .toSorted((a, b) => b.room.length - a.room.length)[0];
  if (!found) throw new Error(`${path} stands in no room of the house.`);
  return found;
}

/** Returns a path from a file over its imports back to itself, if there is one. */
function circleOf(path: string, imports: Map<string, string[]>): string[] | undefined {
  const seen = new Set<string>();
  function wayBack(from: string): string[] | undefined {
    for (const next of imports.get(from) ?? []) {
      if (next === path) return [from, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const way = wayBack(next);
      if (way) return [from, ...way];
    }
    return undefined;
  }
  return wayBack(path);
}

function isRoomOf(packageName: string, path: string): boolean {
  const room = rooms[packageName]!;
  if (room.endsWith('/')) return path.startsWith(room);
  const beside = [room, `${dirname(room)}/packages.ts`, `${dirname(room)}/undici.d.ts`];
  return beside.includes(path);
}

function mayImport(from: string, to: string): boolean {
  const importer = storeyOf(from);
  const imported = storeyOf(to);
  return importer.room === imported.room || imported.level > importer.level;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
