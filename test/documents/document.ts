import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A command of a document, the output that the document shows, and its place. */
export type Step = {
  /** `sh` and `console` are typed into a shell; `js` and `python` are programs. */
  language: 'sh' | 'console' | 'js' | 'python';
  command: string;
  /** The output as the document shows it; undefined if it shows none. */
  output: string | undefined;
  line: number;
};

const root = new URL('../../', import.meta.url);

/** Returns the path of a file of the project. */
export const pathInProject = (path: string): string => fileURLToPath(new URL(path, root));

/** Reads the commands of a document, in the order in which a reader types them. */
export const readSteps = (path: string): Step[] => {
  const text = readFileSync(pathInProject(path), 'utf8');
  const steps: Step[] = [];
  for (const { 1: language, 2: body, index } of text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    const line = text.slice(0, index).split('\n').length + 1;
    if (language === 'sh') steps.push(...shellSteps(body!, line));
    if (language === 'console') steps.push(...consoleSteps(body!, line));
    if (language === 'js' || language === 'python') {
      steps.push({ language, command: body!, output: undefined, line });
    }
  }
  return steps;
};

/** One command per line, unless a backslash, a pipe or a here-document continues it. */
const shellSteps = (body: string, line: number): Step[] => {
  const steps: Step[] = [];
  let command = '';
  for (const [index, text] of body.split('\n').entries()) {
    if (command === '' && /^\s*(?:#|$)/.test(text)) continue;
    command += command === '' ? text : `\n${text}`;
    if (isUnfinished(command)) continue;
    const first = line + index - (command.split('\n').length - 1);
    steps.push({ language: 'sh', command, output: undefined, line: first });
    command = '';
  }
  return steps;
};

const isUnfinished = (command: string): boolean => {
  const [, word] = /<<'?(\w+)'?/.exec(command) ?? [];
  return /[\\|]$/.test(command) || (word !== undefined && !command.endsWith(`\n${word}`));
};

/** A command after each `$ `, followed by its output. */
const consoleSteps = (body: string, line: number): Step[] => {
  const steps: Step[] = [];
  const typed = body.split(/^\$ /m);
  let at = line + typed[0]!.split('\n').length - 1;
  for (const part of typed.slice(1)) {
    const lines = part.split('\n');
    let count = 1;
    while (isUnfinished(lines.slice(0, count).join('\n'))) count += 1;
    const command = lines.slice(0, count).join('\n');
    steps.push({ language: 'console', command, output: lines.slice(count).join('\n'), line: at });
    at += lines.length - 1;
  }
  return steps;
};

/** Returns the text of the only block of a language in a document. */
export const blockOf = (path: string, language: string): string => {
  const text = readFileSync(pathInProject(path), 'utf8');
  const [, body] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(text) ?? [];
  if (body === undefined) throw new Error(`${path} has no block of ${language}.`);
  return body;
};

/** Returns the links of a document to files of the project, with their anchors. */
export const readLinks = (path: string): string[] => {
  const text = readFileSync(pathInProject(path), 'utf8');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
};

/** Returns the anchors of the headings of a document, as GitHub makes them. */
export const anchorsOf = (path: string): string[] => {
  const text = readFileSync(pathInProject(path), 'utf8').replace(/^```[^]*?^```$/gm, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(({ 1: heading }) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
};

const uuid = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/**
 * Says whether a document shows what a command printed. Generated ids and times differ from run to
 * run, and a line of `...` stands for any lines.
 */
export const isShown = (shown: string, printed: string): boolean => {
  const wanted = normalise(shown)
    .split(/^\.\.\.$/m)
    .map((part) => part.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${wanted.join('[^]*')}$`).test(normalise(printed));
};

const normalise = (text: string): string =>
  text.replaceAll(uuid, 'UUID').replaceAll(time, 'TIME').trim();
