import { setTimeout as sleep } from 'node:timers/promises';
import { type Proxy, startProxy } from '../support/proxy.ts';
import type { Random } from './random.ts';
import type { Scene, Server } from './scene.ts';

const progressTimeoutMs = 60_000;

/** Settings for a facade that waits only briefly, so that faults show sooner. */
export const hasty: readonly string[] = ['--retry-delay-ms', '100', '--attempt-timeout-ms', '1000'];

/** The wire from the facade to the logging service. */
export type Wire = 'HTTP' | 'gRPC';

/** A facade, and the networks around it that can be disturbed. */
export type Way = {
  facade: Server;
  /** The network in front of the facade. */
  entrance: Proxy;
  /** The network between the facade and the logging service. */
  passage: Proxy;
};

/** The services of a scene: one journal, reached in one or more ways. */
export type Services = { logging: Server; messages: Server; ways: readonly Way[] };

/** The severity of the disturbance. */
export type Severity = {
  killEveryMs: number;
  /** Each kill hits one of these at random. */
  killed: readonly ('facade' | 'logging' | 'messages')[];
  pauseMaxMs: number;
  /** The longest time between two pauses. */
  calmMaxMs: number;
  delayMaxMs: number;
};

/**
 * Starts separate services, with a facade per wire, over networks that lose replies and
 * connections.
 */
export const serveThroughChaos = async (
  scene: Scene,
  isLost: () => boolean,
  { wires, facadeArgs = [] }: { wires: readonly Wire[]; facadeArgs?: readonly string[] },
): Promise<Services> => {
  const faults = { dropReply: isLost, resetConnection: isLost };
  const logging = await scene.serve('logging');
  const messages = await scene.serve('messages');

  const openWay = async (wire: Wire): Promise<Way> => {
    // gRPC has one connection for everything, so it must also be reset during use.
    const passage = await (wire === 'HTTP'
      ? startProxy(logging.logging, faults)
      : startProxy(logging.grpc, { ...faults, resetRequest: isLost }));
    scene.defer(passage.close);
    const below = ['--logging', passage.url, '--messages', messages.messages];
    const facade = await scene.serve('facade', { args: [...below, ...facadeArgs] });
    const entrance = await startProxy(facade.facade, faults);
    scene.defer(entrance.close);
    return { facade, entrance, passage };
  };
  const ways: Way[] = [];
  for (const wire of wires) ways.push(await openWay(wire));
  return { logging, messages, ways };
};

const networksOf = ({ ways }: Services): Proxy[] =>
  ways.flatMap(({ entrance, passage }) => [entrance, passage]);

/**
 * Pauses and delays the networks and kills the services until the time is over. Counts what it did.
 */
export const disturb = async (
  services: Services,
  { killEveryMs, killed, pauseMaxMs, calmMaxMs, delayMaxMs }: Severity,
  {
    random,
    isOver,
    did,
  }: { random: Random; isOver: () => boolean; did: (what: 'kills' | 'pauses') => void },
): Promise<void> => {
  const networks = networksOf(services);
  const pauseNow = async (): Promise<void> => {
    while (!isOver()) {
      const proxy = random.pick(networks);
      proxy.faults.paused = true;
      await sleep(random.whole(Math.min(1000, pauseMaxMs / 2), pauseMaxMs));
      proxy.faults.paused = false;
      did('pauses');
      await sleep(random.whole(1000, calmMaxMs));
    }
  };
  const delayNow = async (): Promise<void> => {
    while (!isOver()) {
      for (const { faults } of networks) {
        // A constant delay of 3 s would leave little to happen in between.
        faults.delayMs = random.chance(0.5) ? random.whole(0, 20) : random.whole(0, delayMaxMs);
      }
      await sleep(random.whole(200, 2000));
    }
  };
  const killOne = async (server: Server): Promise<Server> => {
    await server.kill();
    did('kills');
    const next = await server.again();
    await next.ready;
    return next;
  };
  const killNow = async (): Promise<void> => {
    while (!isOver()) {
      await sleep(killEveryMs);
      const role = random.pick(killed);
      if (role === 'facade') {
        const way = random.pick(services.ways);
        way.facade = await killOne(way.facade);
      } else {
        services[role] = await killOne(services[role]);
      }
    }
  };
  await Promise.all([pauseNow(), delayNow(), killNow()]);
};

/** Repairs the networks and waits until this many more messages succeed. */
export const calmDown = async (
  services: Services,
  progress: (more: number) => Promise<void>,
  more: number,
): Promise<void> => {
  for (const { faults } of networksOf(services)) {
    Object.assign(faults, { delayMs: 0, paused: false });
    faults.dropReply = () => false;
    faults.resetConnection = () => false;
    faults.resetRequest = () => false;
  }
  const deadline = performance.now() + progressTimeoutMs;
  // An attempt that began during the disturbance may take its whole time.
  while (
    !(await progress(more).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > deadline) throw new Error('Nothing gets through after the chaos');
  }
};
