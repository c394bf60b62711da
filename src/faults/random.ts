/**
 * Numbers from 0 up to, not including, 1 that look random and are the same for the same seed, on every machine and in
 * every version: Mulberry32, a 32-bit generator by Tommy Ettinger that is in the public domain. Its state counts up in
 * steps of an odd constant, so that it takes every value once before it repeats; what it gives is that state, mixed.
 * Good enough to be unlucky with, useless for secrets.
 */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
