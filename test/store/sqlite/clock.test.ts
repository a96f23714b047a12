import { beforeEach, describe, expect, it } from 'vitest';
import { AgeClock } from '../../../src/store/sqlite/clock.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

describe('the clock by which entries are too old', () => {
  let wall: number;
  let steady: number;
  let warnings: string[];

  beforeEach(() => {
    [wall, steady, warnings] = [Date.UTC(2026, 0, 1), 5_000, []];
  });

  function open(age: number, newestAt?: number): AgeClock {
    const clocks = { wall: () => wall, steady: () => steady };
    return new AgeClock(age, newestAt, (warning) => warnings.push(warning), clocks);
  }

  function pass(ms: number): void {
    wall += ms;
    steady += ms;
  }

  it('goes by the wall clock as long as both clocks go on together', () => {
    const clock = open(day, wall - hour);
    for (const ms of [1_000, minute, 30 * day, 1_000]) {
      pass(ms);
      expect(clock.look()).toEqual({ oldest: wall - day, now: wall });
    }
    wall += 50_000; // As NTP may do.
    expect(clock.look()).toBeDefined();
    expect(warnings).toEqual([]);
  });

  it.each([
    ['ahead', 11 * 365 * day],
    ['ahead', 2 * minute],
    ['back', -26 * 365 * day],
  ])('waits for the whole age after a jump %s, and says so once', (direction, jumpMs) => {
    const clock = open(day, wall);
    pass(1_000);
    wall += jumpMs;
    expect(clock.look()).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(`${direction}: no message is removed`)]);
    pass(day - 1);
    expect(clock.look()).toBeUndefined();
    pass(1);
    expect(clock.look()).toEqual({ oldest: wall - day, now: wall });
    expect(warnings).toHaveLength(1);
  });

  it('waits anew after a second jump, also one that sets the clock right again', () => {
    const clock = open(day, wall);
    wall += 365 * day;
    expect(clock.look()).toBeUndefined();
    pass(day / 2);
    wall -= 365 * day;
    expect(clock.look()).toBeUndefined();
    pass(day - 1);
    expect(clock.look()).toBeUndefined();
    pass(1);
    expect(clock.look()).toBeDefined();
  });

  it('waits where it would remove everything at the start: a clock may have been set meanwhile', () => {
    const clock = open(day, wall - 365 * day);
    expect(warnings).toEqual([
      'The newest message is 365d old by the clock: no message is removed for its age within the ' +
        'next 1d.',
    ]);
    expect(clock.look()).toBeUndefined();
    pass(day);
    expect(clock.look()).toBeDefined();
  });

  it('does not take a machine that sleeps for a clock that jumps', () => {
    const clock = open(day, wall);
    pass(10 * hour);
    expect(clock.look()).toBeDefined();
  });
});
