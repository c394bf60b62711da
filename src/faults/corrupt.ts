import type { StreamTransform } from '../flow/types.js';
import type { Size } from '../size.js';
import { keepsLength } from '../stream/transforms.js';
import { checkNames, readPositiveSize, readSeed, readSize, refuse } from './arguments.js';
import { randomNumbers } from './random.js';

/** Which octets {@link corrupt} damages: one of `every` so many, or the one `at` an offset. */
export type Corruption =
  | { every: Size; at?: undefined; seed?: number }
  | { at: Size; every?: undefined; seed?: number };

/**
 * Flips single bits, as a broken line does where nobody checks. With `every`: one bit in each run of so many octets, at a
 * place that the seed decides; a run that the body's end cuts short may get off, and with it a body that is shorter than
 * `every`. With `at`: one bit of the octet at that offset, from 0. An octet that is hit always changes. Which ones are
 * depends on the seed and their offsets alone, not on how the body is cut. Content-Length stays.
 *
 * @param options octets, or digits with `k`, `m` or `g`; `seed`: a whole number, default 1
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/app.zip', { response: corrupt({ every: '64k', seed: 7 }) });
 */
export function corrupt(options: Corruption): StreamTransform {
  checkNames('corrupt', options, ['every', 'at', 'seed']);
  const { every, at } = options;
  const seed = readSeed('corrupt', options.seed ?? 1);
  if ((every === undefined) === (at === undefined)) {
    refuse('corrupt', 'options', options, 'either { every } or { at }');
  }
  if (every !== undefined) {
    const run = readPositiveSize('corrupt', 'every', every);
    return damaging(() => hitsEvery(run, randomNumbers(seed)));
  }
  const offset = readSize('corrupt', at ?? 0);
  return damaging(() => hitAt(offset, randomNumbers(seed)));
}

/** A bit to flip. */
interface Hit {
  offset: number;
  mask: number;
}

function* hitsEvery(run: number, random: () => number): Generator<Hit, undefined> {
  for (let start = 0; ; start += run) {
    yield { offset: start + Math.floor(random() * run), mask: 1 << Math.floor(random() * 8) };
  }
}

function* hitAt(offset: number, random: () => number): Generator<Hit, undefined> {
  yield { offset, mask: 1 << Math.floor(random() * 8) };
}

function damaging(hits: () => Generator<Hit, undefined>): StreamTransform {
  return keepsLength(async function* (pieces) {
    const planned = hits();
    let hit = planned.next().value;
    let at = 0;
    for await (const piece of pieces) {
      const end = at + piece.length;
      if (hit === undefined || hit.offset >= end) {
        at = end;
        yield piece;
        continue;
      }
      // Others may keep the piece as it was.
      const damaged = Buffer.from(piece);
      for (; hit !== undefined && hit.offset < end; hit = planned.next().value) {
        damaged[hit.offset - at] = (damaged[hit.offset - at] ?? 0) ^ hit.mask;
      }
      at = end;
      yield damaged;
    }
  });
}
