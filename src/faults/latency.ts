import { performance } from '../clock.js';
import type { StreamTransform } from '../flow/types.js';
import { keepsLength } from '../stream/transforms.js';
import { checkNames, readMilliseconds, readSeed, refuse } from './arguments.js';
import { randomNumbers } from './random.js';
import { unlessAborted, waitUntil } from './waiting.js';

/** Octets that may be on their way at once. */
const WINDOW = 16 * 1024 * 1024;
/** What a piece takes besides its octets, more or less: small ones must not fill the memory. */
const OVERHEAD = 256;
/** Places of pieces that have arrived before the others move up. */
const SPENT = 1024;

/**
 * Makes everything arrive later, as a long way through a network does: each piece, and the end, comes `ms` after it
 * would have, in order. The pieces are under way at the same time, so that the rate stays what it was, as long as no
 * more than 16 MiB of them are; then the sender is stopped. The head goes at once. Content-Length stays.
 *
 * @param ms milliseconds, at least
 * @param jitter each piece takes up to so many milliseconds less or more; at most `ms`. None overtakes another.
 * Default 0
 * @param options `seed` of the jitter, which is the same for the same seed, in every message anew. Default 1
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/api/**', { response: latency(200, 50) });
 */
export function latency(ms: number, jitter = 0, options: { seed?: number } = {}): StreamTransform {
  const mean = readMilliseconds('latency', 'ms', ms);
  const spread = readMilliseconds('latency', 'jitter', jitter);
  if (spread > mean) refuse('latency', 'jitter', jitter, `no more than the latency itself, ${mean}`);
  checkNames('latency', options, ['seed']);
  const seed = readSeed('latency', options.seed ?? 1);
  return keepsLength(async function* (pieces, { signal }) {
    const random = randomNumbers(seed);
    const transit = new Transit(pieces, () => mean + spread * (2 * random() - 1));
    try {
      for (;;) {
        const next = transit.next ?? (await unlessAborted(transit.arrival(), signal));
        if (next.due > performance.now()) await waitUntil(next.due, signal);
        if ('error' in next) throw next.error;
        if (next.piece === undefined) return;
        transit.take();
        yield next.piece;
      }
    } finally {
      transit.close();
    }
  });
}

/** What is under way: a piece, the end (neither), or a failure. */
type Traveller = { due: number; piece?: Buffer } | { due: number; error: unknown };

/** Reads a body ahead and says of each piece when it has arrived. */
class Transit {
  readonly #travellers: Traveller[] = [];
  /** Where the first of them is. */
  #at = 0;
  readonly #source: AsyncIterator<Buffer>;
  /** Octets that are under way, with what they take. */
  #load = 0;
  #lastDue = 0;
  #closed = false;
  #wake: (() => void) | undefined;
  #goOn: (() => void) | undefined;

  constructor(
    pieces: AsyncIterable<Buffer>,
    private readonly delay: () => number,
  ) {
    this.#source = pieces[Symbol.asyncIterator]();
    this.#read().catch((error: unknown) => this.#add({ due: 0, error }));
  }

  /** The first, if there is one. */
  get next(): Traveller | undefined {
    return this.#travellers[this.#at];
  }

  /** Waits for the first. */
  async arrival(): Promise<Traveller> {
    for (;;) {
      const { next } = this;
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The first is there. */
  take(): void {
    const { next } = this;
    if (next === undefined || !('piece' in next) || next.piece === undefined) return;
    this.#at++;
    if (this.#at === this.#travellers.length || this.#at === SPENT) {
      this.#travellers.splice(0, this.#at);
      this.#at = 0;
    }
    this.#load -= next.piece.length + OVERHEAD;
    if (this.#load < WINDOW) this.#goOn?.();
  }

  /** Nobody waits any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#travellers.length = 0;
    this.#goOn?.();
    // It may be in the middle of a read: then it ends after that, and nobody waits for it.
    Promise.resolve(this.#source.return?.()).then(undefined, () => undefined);
  }

  async #read(): Promise<void> {
    while (!this.#closed) {
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#add({ due: 0 });
        return;
      }
      this.#load += value.length + OVERHEAD;
      this.#add({ due: 0, piece: value });
      if (this.#load < WINDOW) continue;
      await new Promise<void>((resolve) => {
        this.#goOn = resolve;
      });
      this.#goOn = undefined;
    }
  }

  #add(traveller: Traveller): void {
    if (this.#closed) return;
    traveller.due = Math.max(this.#lastDue, performance.now() + this.delay());
    this.#lastDue = traveller.due;
    this.#travellers.push(traveller);
    this.#wake?.();
  }
}
