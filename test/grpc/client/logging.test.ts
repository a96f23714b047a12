import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from 'vitest';
import { openGrpcLogging } from '../../../src/grpc/client/logging.ts';
import { startReferenceServer, type ReferenceServer } from '../../support/grpc.ts';
import { grpcAddress } from '../../support/address.ts';

describe('the list of a service over gRPC', () => {
  let server: ReferenceServer;

  beforeEach(async () => {
    server = await startReferenceServer();
    return () => server.close();
  });

  it('is that of the texts alone where the service has no entries, and ends with the journal', async () => {
    const { journal, list } = openGrpcLogging(grpcAddress(server.url), { timeoutMs: 5_000 });
    await journal.append([{ id: 'a', txt: 'x' }]);
    expect(await text((await list()).chunks)).toBe('["x"]\n');
    const closed = journal.close();
    await expect(list()).rejects.toMatchObject({ code: 'closed' });
    await closed;
    await expect(list()).rejects.toMatchObject({ code: 'closed' });
  });
});
