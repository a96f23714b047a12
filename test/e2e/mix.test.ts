import { beforeEach, describe, expect, test } from 'vitest';
import { getText, postForm, request } from '../support/http.ts';
import { type Fate, type ReferenceLogging, startReferenceLogging } from '../support/reference.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';

// Our facade in front of the reference's logging service, which takes only forms.

const patience = ['--retry-delay-ms', '50', '--attempt-timeout-ms', '1000'];

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const startReference = async (
  options: Parameters<typeof startReferenceLogging>[0] = {},
): Promise<ReferenceLogging> => {
  const reference = await startReferenceLogging(options);
  sandbox.defer(reference.close);
  return reference;
};

const serveOver = async (loggingUrl: string): Promise<Service> => {
  const messages = await sandbox.serve('messages');
  const below = ['--logging', loggingUrl, '--messages', messages.url];
  return await sandbox.serve('facade', ...below, ...patience);
};

const listed = async (facade: Service): Promise<unknown> => {
  const [logged] = JSON.parse(await getText(facade.url)) as [string];
  return JSON.parse(logged.replace(/^logging-service: /, ''));
};

describe('a facade over a reference logging service', () => {
  test('posts form by form and lists to the letter', async () => {
    const reference = await startReference();
    const facade = await serveOver(reference.url);
    for (const txt of ['Its me', 'Ünïcode 🙂', 'a&b=c+d%']) {
      const reply = await postForm(facade.url, { txt });
      expect(reply.status).toBe(200);
      expect(JSON.parse(reply.text)).toStrictEqual({ id: expect.stringMatching(/./), txt });
    }
    expect(reference.texts()).toStrictEqual(['Its me', 'Ünïcode 🙂', 'a&b=c+d%']);
    const body = await getText(new URL('/logging', reference.url));
    const expected = [
      'logging-service: ' + body,
      'message-service: Message-service not implemented yet',
    ];
    expect(await getText(facade.url)).toBe(`${JSON.stringify(expected)}\n`);
  });

  test('keeps many posts at once apart and loses none', async () => {
    const reference = await startReference();
    const facade = await serveOver(reference.url);
    const texts = Array.from({ length: 40 }, (_, index) => `message ${index}`);
    const replies = await Promise.all(texts.map((txt) => postForm(facade.url, { txt })));
    expect(replies.map(({ status }) => status)).toStrictEqual(texts.map(() => 200));
    expect(reference.texts().toSorted()).toStrictEqual(texts.toSorted());
    expect(reference.posts).toHaveLength(texts.length);
  });

  test('answers a repeat of an id as the first time and stores it once', async () => {
    const reference = await startReference();
    const facade = await serveOver(reference.url);
    const first = await postForm(facade.url, { id: 'one', txt: 'Its me' });
    const second = await postForm(facade.url, { id: 'one', txt: 'Its me' });
    expect(first).toMatchObject({ status: 200, text: '{"id":"one","txt":"Its me"}\n' });
    expect(second).toMatchObject({ status: 200, text: first.text });
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(reference.texts()).toStrictEqual(['Its me']);
  });

  test('serves send and list', async () => {
    const reference = await startReference();
    const { url } = await serveOver(reference.url);
    expect(await sandbox.run(['send', '--url', url, '--id', 'one', 'Its', 'me'])).toMatchObject({
      code: 0,
      stdout: 'one\n',
    });
    expect(await sandbox.run(['send', '--url', url, 'a\nb'])).toMatchObject({ code: 0 });
    expect(reference.texts()).toStrictEqual(['Its me', 'a\nb']);
    expect(await sandbox.run(['list', '--url', url])).toMatchObject({
      code: 0,
      stdout: 'Its me\na\\nb\n',
    });
    for (const asked of [['--last', '1'], ['--json']]) {
      const run = await sandbox.run(['list', '--url', url, ...asked]);
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toMatch(/^mlog: .*texts but no entries.*\n$/);
    }
  });
});

describe('when the first attempt goes wrong', () => {
  test.each<[string, Fate]>([
    ['its reply is lost', 'drop-reply'],
    ['it gets no reply', 'hang'],
    ['its connection is reset', 'reset'],
    ['it is answered 500', { status: 500 }],
    ['it is answered 503', { status: 503 }],
    ['it is answered 429', { status: 429 }],
    ['half of its reply comes', 'half-body'],
    ['its reply is no HTTP', 'garbage'],
    ['it is sent elsewhere', { status: 302, headers: { location: '/elsewhere' } }],
  ])('stores a message once although %s', async (_, fate) => {
    const reference = await startReference({ onPost: ({ n }) => (n === 1 ? fate : 'store') });
    const facade = await serveOver(reference.url);
    const reply = await postForm(facade.url, { txt: 'Its me' });
    const { id } = JSON.parse(reply.text) as { id: string };
    expect(reply).toMatchObject({ status: 200, text: `{"id":"${id}","txt":"Its me"}\n` });
    expect(reference.texts()).toStrictEqual(['Its me']);
    expect(reference.posts).toMatchObject([
      { id, txt: 'Its me' },
      { id, txt: 'Its me' },
    ]);
  });

  test('does not try again after a refusal, and passes it on', async () => {
    const reference = await startReference({ onPost: () => ({ status: 400 }) });
    const facade = await serveOver(reference.url);
    const reply = await postForm(facade.url, { txt: 'Its me' });
    expect(reply.status).toBe(400);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reference.posts).toHaveLength(1);
  });

  test('refuses one message alone, not those sent at the same time', async () => {
    const reference = await startReference({
      onPost: ({ txt }) => (txt === 'bad' ? { status: 400 } : 'store'),
    });
    const facade = await serveOver(reference.url);
    const texts = ['one', 'two', 'bad', 'three', 'four'];
    const replies = await Promise.all(texts.map((txt) => postForm(facade.url, { txt })));
    expect(replies.map(({ status }) => status)).toStrictEqual([200, 200, 400, 200, 200]);
    expect(reference.texts().toSorted()).toStrictEqual(['four', 'one', 'three', 'two']);
  });

  test.each<[string, Fate]>([
    ['never answers', 'hang'],
    ['resets every connection', 'reset'],
    ['answers 500 each time', { status: 500 }],
    ['loses every reply', 'drop-reply'],
    ['never ends a reply', 'half-body'],
  ])('gives up after three attempts under one id when it %s', async (_, fate) => {
    const reference = await startReference({ onPost: () => fate });
    const facade = await serveOver(reference.url);
    const reply = await postForm(facade.url, { txt: 'Its me' });
    expect(reply.status).toBe(500);
    const { id } = JSON.parse(reply.text) as { id: string };
    const stored = fate === 'drop-reply' || fate === 'half-body';
    expect(reference.posts.map((attempt) => attempt.id)).toStrictEqual([id, id, id]);
    expect(reference.texts()).toStrictEqual(stored ? ['Its me'] : []);
  });
});

describe('a logging service that is exchanged at run time', () => {
  test('is taken as what it is, from reference to mlog and back', async () => {
    const reference = await startReferenceLogging();
    const port = portOf(reference.url);
    const facade = await serveOver(reference.url);
    expect(await postForm(facade.url, { txt: 'to the reference' })).toMatchObject({ status: 200 });
    expect(reference.texts()).toStrictEqual(['to the reference']);
    await reference.close();

    const ours = await sandbox.serve('logging', '--port', port);
    expect(await postForm(facade.url, { txt: 'to mlog' })).toMatchObject({ status: 200 });
    expect(await listed(facade)).toStrictEqual(['to mlog']);
    await ours.kill('SIGTERM');

    const another = await startReference({ port: Number(port) });
    expect(await postForm(facade.url, { txt: 'back again' })).toMatchObject({ status: 200 });
    expect(await listed(facade)).toStrictEqual(['back again']);
    expect(another.texts()).toStrictEqual(['back again']);
  });

  test('is spoken to in its own dialect once the old one failed', async () => {
    const reference = await startReferenceLogging();
    const port = portOf(reference.url);
    const facade = await serveOver(reference.url);
    expect(await postForm(facade.url, { txt: 'to the reference' })).toMatchObject({ status: 200 });
    await reference.close();
    await request(facade.url, { method: 'POST', body: 'txt=to nobody' });
    const ours = await sandbox.serve('logging', '--port', port);
    await postForm(facade.url, { id: 'one', txt: 'to mlog' });
    // Only mlog can tell a conflict from a repeat.
    expect(await postForm(facade.url, { id: 'one', txt: 'another' })).toMatchObject({
      status: 422,
    });
    expect(await getText(new URL('/logging', ours.url))).toBe('["to mlog"]\n');
  });
});
