import { beforeEach, describe, expect, it } from 'vitest';
import { createGrpcJournal } from '../../../src/grpc/client/journal.ts';
import { startReferenceServer, type ReferenceServer } from '../../support/grpc.ts';

describe('the texts of a journal over gRPC', () => {
  let server: ReferenceServer;

  beforeEach(async () => {
    server = await startReferenceServer();
    return () => server.close();
  });

  it('are those under way when it is closed, and none later', async () => {
    const journal = createGrpcJournal(server.url, 5_000);
    await journal.append([{ id: 'a', txt: 'x' }]);
    const texts = journal.texts();
    const closed = journal.close();
    await expect(journal.texts()).rejects.toMatchObject({ code: 'closed' });
    expect(await texts).toEqual(['x']);
    await closed;
    await expect(journal.texts()).rejects.toMatchObject({ code: 'closed' });
  });
});
