import { describe, it } from 'node:test';
import { expect } from 'expect';
import * as faults from '../faults.js';

const { compose, corrupt, cutAfter, hold, latency, resetAfter, slice, stallAfter, tee, throttle } = faults;

/** What is wrong on purpose has no type. */
const wrong = (value: unknown) => value as never;

const REFUSED: [name: string, make: () => unknown, says: RegExp][] = [
  ['latency', () => latency(-1), /ms -1 .* milliseconds from 0/],
  ['latency', () => latency(wrong('100')), /ms "100"/],
  ['latency', () => latency(2 ** 31), /ms 2147483648/],
  ['latency', () => latency(10, 11), /jitter 11 .* no more than the latency itself, 10/],
  ['latency', () => latency(10, 1, { seed: 0.5 }), /seed 0.5 .* a whole number/],
  ['latency', () => latency(10, 1, wrong({ sed: 1 })), /option "sed" .*\{ seed \}/],
  ['throttle', () => throttle('1mb'), /"1mb" is not a size/],
  ['throttle', () => throttle(0), /rate 0 .* at least 1/],
  ['slice', () => slice(0), /bytes 0 .* at least 1/],
  ['slice', () => slice(1, Number.NaN), /delay NaN/],
  ['stallAfter', () => stallAfter(-1), /-1 is not a size/],
  ['cutAfter', () => cutAfter(wrong(undefined)), /undefined is not a size/],
  ['resetAfter', () => resetAfter('1.5m'), /"1.5m" is not a size/],
  ['hold', () => hold(''), /"" is not a size/],
  ['hold', () => hold(1, { timeout: -1 }), /timeout -1 .* milliseconds from 0/],
  ['hold', () => hold(1, wrong({ time: 1 })), /option "time" .*\{ timeout \}/],
  ['corrupt', () => corrupt(wrong({})), /either \{ every \} or \{ at \}/],
  ['corrupt', () => corrupt(wrong({ every: 1, at: 1 })), /either \{ every \} or \{ at \}/],
  ['corrupt', () => corrupt(wrong(undefined)), /\{ every, at, seed \}/],
  ['corrupt', () => corrupt({ every: 0 }), /every 0 .* at least 1/],
  ['corrupt', () => corrupt({ at: -1 }), /-1 is not a size/],
  ['corrupt', () => corrupt({ at: 1, seed: wrong('a') }), /seed "a"/],
  ['tee', () => tee(wrong('file.bin')), /"file.bin" .* a Writable/],
  ['compose', () => compose(slice(1), wrong(true)), /transform true .* functions/],
];

describe('a fault that is asked for wrongly', () => {
  for (const [name, make, says] of REFUSED) {
    it(`is refused when it is made: ${make.toString().replace('() => ', '')}`, () => {
      let thrown: unknown;
      try {
        make();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ name: 'SluiceError', code: 'BAD_OPTION' });
      expect((thrown as Error).message).toMatch(new RegExp(`^${name}: `));
      expect((thrown as Error).message).toMatch(says);
    });
  }

  it('is tried for each of them', () => {
    expect([...new Set(REFUSED.map(([name]) => name))].sort()).toEqual(Object.keys(faults).sort());
  });
});
