import { setTimeout as sleep } from 'node:timers/promises';
import { type Proxy, startProxy } from '../support/proxy.ts';
import type { Random } from './random.ts';
import type { Scene, Server } from './scene.ts';

const progressTimeoutMs = 60_000;

/** The services of a scene, and the networks between them that can be made bad. */
export type Services = {
  logging: Server;
  facade: Server;
  messages: Server;
  /** In front of the facade. */
  entrance: Proxy;
  /** In front of the logging service. */
  passage: Proxy;
};

/** How bad it gets. */
export type Severity = {
  killEveryMs: number;
  /** Each kill is of one of these, by chance. */
  killed: readonly ('facade' | 'logging' | 'messages')[];
  pauseMaxMs: number;
  /** Between two pauses. */
  calmMaxMs: number;
  delayMaxMs: number;
};

/** Starts the services apart, with networks that lose replies and connections. */
export const serveThroughChaos = async (
  scene: Scene,
  isLost: () => boolean,
  facadeArgs: readonly string[] = [],
): Promise<Services> => {
  const faults = { dropReply: isLost, resetConnection: isLost };
  const logging = await scene.serve('logging');
  const messages = await scene.serve('messages');
  const passage = await startProxy(logging.logging, faults);
  scene.defer(passage.close);
  const below = ['--logging', passage.url, '--messages', messages.messages];
  const facade = await scene.serve('facade', { args: [...below, ...facadeArgs] });
  const entrance = await startProxy(facade.facade, faults);
  scene.defer(entrance.close);
  return { logging, facade, messages, entrance, passage };
};

/** Pauses and delays the networks and kills the services, until it is over; counts what it did. */
export const disturb = async (
  services: Services,
  { killEveryMs, killed, pauseMaxMs, calmMaxMs, delayMaxMs }: Severity,
  {
    random,
    isOver,
    did,
  }: { random: Random; isOver: () => boolean; did: (what: 'kills' | 'pauses') => void },
): Promise<void> => {
  const pauseNow = async (): Promise<void> => {
    while (!isOver()) {
      const proxy = random.pick([services.entrance, services.passage]);
      proxy.faults.paused = true;
      await sleep(random.whole(Math.min(1000, pauseMaxMs / 2), pauseMaxMs));
      proxy.faults.paused = false;
      did('pauses');
      await sleep(random.whole(1000, calmMaxMs));
    }
  };
  const delayNow = async (): Promise<void> => {
    while (!isOver()) {
      for (const { faults } of [services.entrance, services.passage]) {
        // Were it 3 s all the time, hardly anything would happen to what is between.
        faults.delayMs = random.chance(0.5) ? random.whole(0, 20) : random.whole(0, delayMaxMs);
      }
      await sleep(random.whole(200, 2000));
    }
  };
  const killNow = async (): Promise<void> => {
    while (!isOver()) {
      await sleep(killEveryMs);
      const role = random.pick(killed);
      await services[role].kill();
      did('kills');
      services[role] = await services[role].again();
      await services[role].ready;
    }
  };
  await Promise.all([pauseNow(), delayNow(), killNow()]);
};

/** Mends the networks and waits until so many more messages get through. */
export const calmDown = async (
  { entrance, passage }: Services,
  progress: (more: number) => Promise<void>,
  more: number,
): Promise<void> => {
  for (const { faults } of [entrance, passage]) {
    Object.assign(faults, { delayMs: 0, paused: false });
    faults.dropReply = () => false;
    faults.resetConnection = () => false;
  }
  const deadline = performance.now() + progressTimeoutMs;
  // An attempt that began in the chaos may take its whole time.
  while (
    !(await progress(more).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > deadline) throw new Error('Nothing gets through after the chaos');
  }
};
