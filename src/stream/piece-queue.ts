import { clearTimeout, setImmediate, setTimeout } from '../clock.js';
import { PIECE_SIZE } from '../flow/pieces.js';

/** A chunk larger than this is handed to a transform in pieces of this size. */
const MAX_CHUNK_PIECE = 1024 * 1024;
/** How long the rest of a piece is waited for, in milliseconds, before a transform gets it short. */
const SHORT_WAIT = 20;
/** Octets waiting at which the source is stopped, and at which it goes on. */
const HIGH_WATER = 256 * 1024;
const LOW_WATER = 64 * 1024;

/** The timers of a {@link PieceQueue}; tests hand in their own. */
export interface Clock {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  setImmediate(callback: () => void): unknown;
}

const REAL_CLOCK: Clock = {
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  setImmediate: (callback) => setImmediate(callback),
};

interface Waiter {
  resolve(result: IteratorResult<Buffer, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Cuts a body into the pieces a transform sees, for one consumer. Without chunks a piece ends on the grid of 4096
 * octets, except that a consumer that waits gets what there is after a short pause; chunks are assembled.
 */
export class PieceQueue implements AsyncIterableIterator<Buffer> {
  /** Told when the source should stop (`true`) or go on (`false`). */
  onFull: ((full: boolean) => void) | undefined;
  readonly #clock: Clock;
  readonly #ready: Buffer[] = [];
  #readyAt = 0;
  /** Parts of the piece that is being assembled. */
  #parts: Buffer[] = [];
  #assembled = 0;
  /** Octets the piece being assembled will have. */
  #wanted = PIECE_SIZE;
  #chunked = false;
  #chunkLeft = 0;
  /** Octets of the pieces that are ready. What is being assembled does not count: it must be able to get whole. */
  #waiting = 0;
  #full = false;
  #ended = false;
  #failure: { error: unknown } | undefined;
  #waiters: Waiter[] = [];
  #timer: unknown;
  #arrivals = 0;

  constructor(clock: Clock = REAL_CLOCK) {
    this.#clock = clock;
  }

  /** A chunk of `size` octets begins. */
  chunk(size: number): void {
    this.#chunked = true;
    this.#chunkLeft = size;
    this.#wanted = Math.min(size, MAX_CHUNK_PIECE);
  }

  /** @param bytes belong to the queue from now on */
  push(bytes: Buffer): void {
    if (this.#ended) return;
    this.#arrivals++;
    let at = 0;
    while (at < bytes.length) {
      const to = Math.min(bytes.length, at + this.#wanted - this.#assembled);
      const part = at === 0 && to === bytes.length ? bytes : bytes.subarray(at, to);
      this.#parts.push(part);
      this.#assembled += part.length;
      at = to;
      if (this.#assembled === this.#wanted) this.#completePiece();
    }
    this.#watch();
    if (!this.#full && this.#waiting > HIGH_WATER) this.#setFull(true);
  }

  end(): void {
    if (this.#assembled > 0) this.#completePiece();
    this.#ended = true;
    this.#stopTimer();
    this.#serve();
  }

  /** The pending `next()`, and each one after it, rejects with `error`. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#ended = true;
    this.#drop();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    const piece = this.#shift();
    if (piece !== undefined) return Promise.resolve({ value: piece, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#watch();
    });
  }

  /** The consumer wants no more: what comes is dropped. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#ended = true;
    this.#drop();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #completePiece(): void {
    const [only] = this.#parts;
    this.#ready.push(this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts));
    this.#waiting += this.#assembled;
    if (this.#chunked) {
      this.#chunkLeft -= this.#assembled;
      this.#wanted = Math.min(this.#chunkLeft, MAX_CHUNK_PIECE);
    } else {
      // After a short piece the next one ends on the grid again.
      this.#wanted = this.#assembled === this.#wanted ? PIECE_SIZE : this.#wanted - this.#assembled;
    }
    this.#parts = [];
    this.#assembled = 0;
    this.#serve();
  }

  #serve(): void {
    while (this.#waiters.length > 0) {
      const piece = this.#shift();
      if (piece === undefined && !this.#ended) return;
      const waiter = this.#waiters.shift();
      if (piece === undefined) waiter?.resolve({ value: undefined, done: true });
      else waiter?.resolve({ value: piece, done: false });
    }
  }

  #shift(): Buffer | undefined {
    const piece = this.#ready[this.#readyAt];
    if (piece === undefined) return undefined;
    this.#readyAt++;
    if (this.#readyAt === this.#ready.length) {
      this.#ready.length = 0;
      this.#readyAt = 0;
    }
    this.#waiting -= piece.length;
    if (this.#full && this.#waiting < LOW_WATER) this.#setFull(false);
    return piece;
  }

  #watch(): void {
    this.#stopTimer();
    if (this.#chunked || this.#assembled === 0 || this.#waiters.length === 0) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      const seen = this.#arrivals;
      // Timers run before the poll phase: octets may be waiting in the kernel. After a turn of the loop they are here.
      this.#clock.setImmediate(() => {
        if (this.#arrivals === seen && this.#waiters.length > 0 && this.#assembled > 0) this.#completePiece();
      });
    }, SHORT_WAIT);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #setFull(full: boolean): void {
    this.#full = full;
    this.onFull?.(full);
  }

  #drop(): void {
    this.#stopTimer();
    this.#ready.length = 0;
    this.#readyAt = 0;
    this.#parts = [];
    this.#assembled = 0;
    this.#waiting = 0;
    if (this.#full) this.#setFull(false);
  }
}
