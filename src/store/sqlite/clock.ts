import { uptime } from 'node:os';
import { toDuration } from '../../quantity.ts';

/** Two clocks in milliseconds: the wall clock can be set, the steady one only advances. */
export interface Clocks {
  readonly wall: () => number;
  readonly steady: () => number;
}

/** The steady clock is the machine's: `performance.now()` stops while a laptop sleeps. */
const systemClocks: Clocks = { wall: () => Date.now(), steady: () => uptime() * 1_000 };

/** How far the clocks may drift apart between two looks. NTP moves a clock by less. */
const driftMaxMs = 60_000;
const driftMinMs = 1_000;

/**
 * Tells which entries are older than an age, as long as the wall clock can be trusted. After a jump
 * of the wall clock, entries may carry times from before and after it. Nothing counts as too old
 * then until the age has passed on the steady clock, since every entry from before the jump is that
 * old by then.
 */
export class AgeClock {
  readonly #age: number;
  readonly #clocks: Clocks;
  readonly #warn: (warning: string) => void;
  #wall: number;
  #steady: number;
  #waitsUntil = 0;

  /** `newestAt` is the time of the newest entry; undefined if there is none. */
  constructor(
    age: number,
    newestAt: number | undefined,
    warn: (warning: string) => void,
    clocks = systemClocks,
  ) {
    this.#age = age;
    this.#warn = warn;
    this.#clocks = clocks;
    this.#wall = clocks.wall();
    this.#steady = clocks.steady();
    const gap = this.#wall - (newestAt ?? this.#wall);
    if (gap > age) this.#wait(`The newest message is ${toDuration(gap)} old by the clock`);
  }

  /**
   * Returns the present and the time before which entries are too old; undefined while removal
   * waits.
   */
  look(): { readonly oldest: number; readonly now: number } | undefined {
    const [wall, steady] = [this.#clocks.wall(), this.#clocks.steady()];
    const jump = wall - this.#wall - (steady - this.#steady);
    this.#wall = wall;
    this.#steady = steady;
    const driftMs = Math.min(driftMaxMs, Math.max(driftMinMs, this.#age / 10));
    if (Math.abs(jump) > driftMs) {
      const direction = jump > 0 ? 'ahead' : 'back';
      this.#wait(`The clock jumped ${toDuration(Math.abs(jump))} ${direction}`);
    }
    return steady < this.#waitsUntil ? undefined : { oldest: wall - this.#age, now: wall };
  }

  #wait(reason: string): void {
    this.#waitsUntil = this.#steady + this.#age;
    this.#warn(
      `${reason}: no message is removed for its age within the next ${toDuration(this.#age)}.`,
    );
  }
}
