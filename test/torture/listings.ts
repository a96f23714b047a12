import { startFollower } from '../support/events.ts';
import { callOwn, openRead, type Page, type ReferenceClient } from '../support/grpc.ts';
import { readEntries, type StoredEntry } from '../support/writers.ts';
import type { Clients } from './clients.ts';
import type { Tally } from './proof.ts';
import type { Scene, Server } from './scene.ts';

/** What can be wrong with what is read back. */
export const listFaults = ['other text', 'other list', 'not found'] as const;

/** The services of a scene, and the clients that ask them. */
export type Place = {
  scene: Scene;
  server: Server;
  /** A facade that speaks gRPC to the logging service. */
  grpcFacade: Server;
  clients: Clients;
  grpc: ReferenceClient;
};

/** Returns all entries, of which there are `count`. */
type List = (place: Place, count: number) => Promise<StoredEntry[]>;

const lists: Record<string, List> = {
  'mlog list --json': async ({ scene, server }) => {
    const { stdout } = await scene.run(['list', '--json', '--url', server.facade]);
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as StoredEntry);
  },
  'gRPC Read': async ({ grpc }) => {
    const entries: StoredEntry[] = [];
    const pages = openRead(grpc.client, { after: 0 }) as AsyncIterable<Page>;
    for await (const page of pages) entries.push(...page.entries);
    return entries;
  },
  'NDJSON of a facade over gRPC': ({ grpcFacade }) => readEntries(grpcFacade.facade, '/'),
  'events of logging': ({ server }, count) => followTo(count, `${server.logging}/logging`),
  'events of a facade over gRPC': ({ grpcFacade }, count) => followTo(count, grpcFacade.facade),
};

const followTo = async (count: number, url: string): Promise<StoredEntry[]> => {
  const { entries, reach, close } = startFollower(url, 'after');
  await reach(count).finally(close);
  return [...entries];
};

/**
 * Every way to list must return what was sent: as entries, one by one, as texts, and by command.
 */
export const compareLists = async (
  sent: ReadonlyMap<string, string>,
  place: Place,
  tally: Pick<Tally<never, (typeof listFaults)[number]>, 'found'>,
): Promise<void> => {
  const { server, grpcFacade, clients, grpc } = place;
  const entries = await readEntries(server.logging);
  const found = new Map(entries.map(({ id, txt }) => [id, txt]));
  for (const [id, txt] of sent) {
    const there = found.get(id);
    if (there === undefined) tally.found('not found', JSON.stringify(id));
    else if (there !== txt) tally.found('other text', JSON.stringify([txt, there]));
  }
  const inOrder = JSON.stringify(entries.map(({ txt }) => txt));
  const { text } = await clients.get(`${server.logging}/logging`);
  if (text !== `${inOrder}\n`) tally.found('other list', 'GET /logging');

  const facade = await clients.get(server.facade);
  const [logged] = JSON.parse(facade.text) as string[];
  if (logged !== `logging-service: ${inOrder}\n`) tally.found('other list', 'GET / of the facade');
  const plain = await clients.get(grpcFacade.facade);
  if (plain.text !== `${inOrder}\n`) tally.found('other list', 'GET / of a facade over gRPC');

  const whole = JSON.stringify(entries);
  for (const [name, list] of Object.entries(lists)) {
    const listed = JSON.stringify(await list(place, entries.length));
    if (listed !== whole) tally.found('other list', name);
  }
  for (const { id, txt } of entries.filter((_, index) => index % 20 === 0)) {
    const one = await clients.get(`${server.logging}/logging?id=${encodeURIComponent(id)}`);
    if ((JSON.parse(one.text) as StoredEntry).txt !== txt) tally.found('not found', one.text);
    const same = await callOwn<StoredEntry>(grpc.client, 'Get', { id }).catch(() => undefined);
    if (same?.txt !== txt) tally.found('not found', `gRPC Get: ${JSON.stringify(id)}`);
  }
};
