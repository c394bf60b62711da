import { performance } from '../clock.js';
import type { StreamTransform } from '../flow/types.js';
import type { Size } from '../size.js';
import { keepsLength } from '../stream/transforms.js';
import { readPositiveSize } from './arguments.js';
import { waitUntil } from './waiting.js';

/** Parts of a second that a slice takes. */
const SLICES = 20;
/** Milliseconds of sending that may be made up for when a timer came late. With a slice it is a tenth of a second. */
const CATCH_UP = 1000 / SLICES;

/**
 * Lets `rate` octets pass in a second, evenly, as a slow line does: `n` octets take at least `n / rate` seconds. They
 * leave in slices of a twentieth of a second; with what a late timer leaves to be made up for, never more than a tenth
 * of a second's worth at once. Time in which nothing comes is not made up for. Content-Length stays. It is the rate of
 * one body: two bodies under the same rule have a line each.
 *
 * @param rate octets per second, at least 1, or digits with `k`, `m` or `g`
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/video', { response: throttle('256k') });
 */
export function throttle(rate: Size): StreamTransform {
  const octets = readPositiveSize('throttle', 'rate', rate);
  const slice = Math.max(1, Math.floor(octets / SLICES));
  return keepsLength(async function* (pieces, { signal }) {
    const line = new Line(octets);
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += slice) {
        const part = piece.subarray(at, at + slice);
        const due = line.send(part.length, performance.now());
        if (due > performance.now()) await waitUntil(due, signal);
        yield part;
      }
    }
  });
}

/** When octets are through a line of a given rate. Times are in milliseconds. */
export class Line {
  /** When everything that was sent is through. */
  #free: number | undefined;

  /** @param rate octets per second */
  constructor(private readonly rate: number) {}

  /** Sends octets, and gives the time at which they are through. */
  send(octets: number, now: number): number {
    const start = Math.max(this.#free ?? now, now - CATCH_UP);
    const through = start + (octets * 1000) / this.rate;
    this.#free = through;
    return through;
  }
}
