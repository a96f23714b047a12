import pino from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { withObserver } from '../../src/journal/wrap/observe.ts';
import { createDiagnostics } from '../../src/ops/diagnostics.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { message } from '../contract/journal-contract.ts';

describe('the diagnostics of the logging role', () => {
  let lines: Record<string, unknown>[];
  let journal: Journal;

  beforeEach(() => {
    lines = [];
    const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
    const formatters = { level: (label: string) => ({ level: label }) };
    const diagnostics = createDiagnostics(pino({ formatters }, { write }));
    journal = withObserver(openMemoryJournal(), diagnostics);
  });

  it('tell up to four messages one by one, in the words of the reference', async () => {
    const messages = [message('a'), message('b'), message('c'), message('a')];
    const results = await journal.append(messages);
    expect(results.map(({ status }) => status)).toEqual([
      'logged',
      'logged',
      'logged',
      'duplicate',
    ]);
    expect(lines).toMatchObject([
      { level: 'info', msg: `Message: ${message('a').txt}` },
      { level: 'info', msg: `Message: ${message('b').txt}` },
      { level: 'info', msg: `Message: ${message('c').txt}` },
      { level: 'info', msg: 'Duplicate message detected: a' },
    ]);
  });

  it('tell five messages in one line, with counts', async () => {
    const messages = [message('a'), message('b'), message('c'), message('b'), message('d')];
    await journal.append(messages);
    expect(lines).toMatchObject([{ level: 'info', logged: 4, duplicate: 1, conflict: 0 }]);
    expect(lines[0]!['msg']).toContain('5');
  });

  it('warn of a conflict, alone and among many', async () => {
    await journal.append([message('a')]);
    await journal.append([{ id: 'a', txt: 'another' }]);
    expect(lines[1]).toMatchObject({
      level: 'warn',
      msg: expect.stringMatching(/^Duplicate message detected: a\b/),
    });
    await journal.append(['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, txt: 'another' })));
    expect(lines.slice(2)).toMatchObject([{ level: 'warn', logged: 4, duplicate: 0, conflict: 1 }]);
  });

  it('cut a long text, which the journal keeps whole', async () => {
    const txt = `begin ${'x'.repeat(100_000)}`;
    await journal.append([{ id: 'long', txt }]);
    expect(lines).toHaveLength(1);
    expect(lines[0]!['msg']).toMatch(/^Message: begin x+/);
    expect(String(lines[0]!['msg']).length).toBeLessThan(1_000);
    expect(await journal.get('long')).toMatchObject({ txt });
  });

  it('say nothing of what was not kept', async () => {
    await journal.close();
    await expect(journal.append([message('a')])).rejects.toMatchObject({ code: 'closed' });
    expect(lines).toEqual([]);
  });
});
