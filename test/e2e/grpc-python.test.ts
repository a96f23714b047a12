import { beforeEach, expect, test } from 'vitest';
import { targetOf } from '../support/grpc.ts';
import { getText, postForm } from '../support/http.ts';
import {
  callByPython,
  makeStubs,
  pythonGrpcMissing,
  startPythonService,
} from '../support/python-grpc.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// The gRPC wire of the reference, in Python, with each side in turn.

const missing = pythonGrpcMissing();
const texts = ['Its me', 'Ünïcode 🙂', '\uFEFFa\0b\r\n'];

let sandbox: Sandbox;
beforeEach(async ({ skip }) => {
  if (missing && process.env['CI']) throw new Error(missing);
  skip(missing !== undefined, missing);
  sandbox = await openSandbox();
  makeStubs(sandbox.folder);
  return () => sandbox.close();
});

test('a Python client logs and lists over our logging service', async () => {
  const logging = await sandbox.serve('logging');
  const calls = texts.map((txt, n) => [`id-${n}`, txt] as const);
  const others = [
    ['id-0', 'Its me'],
    ['id-0', 'other'],
    ['', 'x'],
    ['x', ''],
  ] as const;
  const target = targetOf(String(logging.ready['grpc']));
  const [outcomes, listed] = await callByPython(sandbox.folder, target, [...calls, ...others]);
  expect(outcomes).toStrictEqual([
    ...texts.map(() => 'Logged'),
    'Duplicate',
    'ALREADY_EXISTS',
    'INVALID_ARGUMENT',
    'INVALID_ARGUMENT',
  ]);
  expect(listed).toStrictEqual(texts);
  expect((await readEntries(logging.url)).map(({ txt }) => txt)).toStrictEqual(texts);
});

test('our facade posts and lists over a Python logging service', async () => {
  const service = await startPythonService(sandbox.folder);
  sandbox.defer(service.stop);
  const facade = await sandbox.serve('facade', '--logging', service.url);
  for (const txt of texts) {
    const reply = await postForm(facade.url, { txt });
    expect(reply).toMatchObject({
      status: 200,
      text: /^\{"id":"[\da-f-]{36}","status":"Logged"\}\n$/,
    });
  }
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, n) => postForm(facade.url, { id: `${n % 20}`, txt: 'again' })),
  );
  expect(replies.every(({ status }) => status === 200)).toBe(true);
  const listed = JSON.parse(await getText(facade.url)) as string[];
  expect(listed).toStrictEqual([...texts, ...Array.from({ length: 20 }, () => 'again')]);
  expect(service.output()).toContain('Duplicate message detected: 1\n');
});
