import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { request } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Services } from '../support/sandbox.ts';

/** Serves an empty page, and returns its origin on a name that is this machine to the browser. */
const servePage = async () => {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<title>A page</title><p>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
  return { origin: `http://app.example:${port}`, local: `http://localhost:${port}`, close };
};

const missing = browserMissing();

describe.skipIf(missing !== undefined)(`a page in a real browser ${missing ?? ''}`, () => {
  let browser: Browser;
  let site: Awaited<ReturnType<typeof servePage>>;
  let sandbox: Sandbox;
  let page: Page;
  beforeAll(async () => {
    browser = await openBrowser();
    site = await servePage();
    return async () => {
      await browser.close();
      await site.close();
    };
  });
  beforeEach(async () => {
    sandbox = await openSandbox();
    page = await browser.newPage();
    return async () => {
      await page.close();
      await sandbox.close();
    };
  });

  const stored = async (services: Services): Promise<string> =>
    (await request(`${services.logging.url}/logging`)).text.trim();

  /** Runs `body`, in which `url` is an address, and returns what it returns, or how it failed. */
  const run = (url: string, body: string): Promise<unknown> =>
    page.evaluate(
      `(async (url) => { try { ${body} } catch (error) { return error.name } })('${url}')`,
    );

  const readList = 'return await (await fetch(url)).text()';
  const sendForm = `const body = new URLSearchParams({ id: 'evil', txt: 'evil' });
    await fetch(url, { method: 'POST', mode: 'no-cors', body }); return 'sent'`;
  const sendText = `const headers = { 'content-type': 'text/plain' };
    await fetch(url, { method: 'POST', mode: 'no-cors', headers, body: 'evil' }); return 'sent'`;
  const sendJson = `const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' };
    const reply = await fetch(url, { method: 'POST', headers, body: '{"txt":"by a page"}' });
    return reply.status`;
  const submitForm = `const form = document.createElement('form');
    Object.assign(form, { method: 'POST', action: url, target: 'sink' });
    form.innerHTML = '<input name=id value=evil><input name=txt value=evil>';
    const sink = Object.assign(document.createElement('iframe'), { name: 'sink' });
    document.body.append(sink, form);
    form.submit()`;
  const follow = `return await new Promise((resolve) => {
      const source = new EventSource(url);
      const end = (what) => { source.close(); resolve(what) };
      source.onmessage = ({ data }) => end(data);
      source.onerror = () => end('refused');
    })`;

  test.each(['app.example', 'localhost'] as const)(
    'of %s, another origin, stores nothing and reads nothing',
    async (name) => {
      const services = await sandbox.serveAll();
      await request(services.facade.url, {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: 'ours',
      });
      await page.goto(name === 'localhost' ? site.local : site.origin);
      const facade = `http://localhost:${portOf(services.facade.url)}/`;
      const logging = `http://localhost:${portOf(services.logging.url)}/logging`;
      for (const url of [facade, logging]) {
        expect(await run(url, readList)).toBe('TypeError');
        // The browser sends all of these but the last; what it hands on of a reply differs.
        for (const send of [sendForm, sendText, sendJson]) await run(url, send);
        const answered = page.waitForResponse(url);
        await run(url, submitForm);
        expect((await answered).status()).toBe(403);
        expect(await run(`${url}?after=0`, follow)).toBe('refused');
      }
      expect(await stored(services)).toBe('["ours"]');
    },
  );

  test('whose own name was rebound to this machine gets nothing', async () => {
    const services = await sandbox.serveAll();
    for (const role of ['facade', 'logging', 'messages'] as const) {
      const url = `http://app.example:${portOf(services[role].url)}/`;
      expect((await page.goto(url))?.status(), role).toBe(421);
      await run(url, sendForm);
    }
    expect(await stored(services)).toBe('[]');
  });

  test('of an allowed origin sends, reads, and follows', async () => {
    const services = await sandbox.serveAll('--allow-origin', site.origin);
    await page.goto(site.origin);
    const url = `http://localhost:${portOf(services.facade.url)}/`;
    expect(await run(url, sendJson)).toBe(200);
    expect(
      await run(url, `return (await fetch(url + '?after=0')).headers.get('mlog-last-seq')`),
    ).toBe('1');
    expect(await run(`${url}?after=0`, follow)).toContain('by a page');
    expect(await stored(services)).toBe('["by a page"]');
  });

  test('of the service itself, as it is answered, sends', async () => {
    const services = await sandbox.serveAll();
    const url = `http://localhost:${portOf(services.facade.url)}/`;
    await page.goto(url);
    expect(await run(url, sendJson)).toBe(200);
    expect(await run(`${url}?after=0`, follow)).toContain('by a page');
  });
});
