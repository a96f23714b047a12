import { beforeEach, expect, test } from 'vitest';
import { getText, postForm, request } from '../support/http.ts';
import { flaskMissing, startFlask } from '../support/reference.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';

// The reference itself, in Flask, next to ours: each service in the place of its counterpart.

const notImplemented = 'message-service: Message-service not implemented yet';
const missing = flaskMissing();

let sandbox: Sandbox;
beforeEach(async ({ skip }) => {
  if (missing && process.env['CI']) throw new Error(missing);
  skip(missing !== undefined, missing);
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const flask = async (...args: Parameters<typeof startFlask>) => {
  const service = await startFlask(...args);
  sandbox.defer(service.stop);
  return service;
};

test('a Flask facade posts and lists over our logging and messages services', async () => {
  const logging = await sandbox.serve('logging');
  const messages = await sandbox.serve('messages');
  const facade = await flask('facade_service', ['0', logging.url, messages.url]);
  for (const txt of ['Its me', 'Ünïcode 🙂']) {
    const reply = await postForm(facade.url, { txt });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.text)).toStrictEqual({
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      txt,
    });
  }
  const list = JSON.parse(await getText(facade.url)) as unknown;
  expect(list).toStrictEqual(['logging-service: ["Its me","Ünïcode 🙂"]\n', notImplemented]);
  await logging.waitForLine((line) => line['msg'] === 'Message: Its me', 5000);
});

test('our facade posts and lists over Flask logging and messages services', async () => {
  const logging = await flask('logging_service');
  const messages = await flask('messages_service');
  const facade = await sandbox.serve(
    'facade',
    '--logging',
    logging.url,
    '--messages',
    messages.url,
  );
  const texts = ['Its me', 'Ünïcode 🙂', 'a&b=c+d% \n'];
  for (const txt of texts) {
    expect(await postForm(facade.url, { txt })).toMatchObject({ status: 200 });
  }
  const once = { status: 200, text: '{"id":"one","txt":"only once"}\n' };
  expect(await postForm(facade.url, { id: 'one', txt: 'only once' })).toMatchObject(once);
  expect(await postForm(facade.url, { id: 'one', txt: 'only once' })).toMatchObject(once);

  const logged = await getText(new URL('/logging', logging.url));
  expect(JSON.parse(logged)).toStrictEqual([...texts, 'only once']);
  const list = await request(facade.url);
  expect(list.text).toBe(`${JSON.stringify([`logging-service: ${logged}`, notImplemented])}\n`);
  expect(logging.output()).toContain('Duplicate message detected: one\n');
});

test('send and list work with a Flask facade over Flask services', async () => {
  const logging = await flask('logging_service');
  const messages = await flask('messages_service');
  const { url } = await flask('facade_service', ['0', logging.url, messages.url]);
  const sent = await sandbox.run(['send', '--url', url, 'Its', 'me']);
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  // The facade of the reference makes an id of its own, under which the message is stored.
  expect(sent.stdout).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f-]{21}\n$/);
  await sandbox.run(['send', '--url', url, '-'], { input: 'Ünïcode 🙂\n' });
  expect(await sandbox.run(['list', '--url', url])).toMatchObject({
    code: 0,
    stdout: 'Its me\nÜnïcode 🙂\\n\n',
  });
});

test('send and list work with a Flask facade over our services', async () => {
  const logging = await sandbox.serve('logging');
  const messages = await sandbox.serve('messages');
  const { url } = await flask('facade_service', ['0', logging.url, messages.url]);
  expect(await sandbox.run(['send', '--url', url, 'Its', 'me'])).toMatchObject({ code: 0 });
  expect(await sandbox.run(['list', '--url', url])).toMatchObject({ code: 0, stdout: 'Its me\n' });
});
