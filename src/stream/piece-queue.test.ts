import { describe, it } from 'node:test';
import { expect } from 'expect';
import { octets } from '../testing/bytes.js';
import { type Clock, PieceQueue } from './piece-queue.js';

/** A clock that only goes on when told to. */
class TestClock implements Clock {
  #now = 0;
  #timers = new Map<number, { at: number; callback: () => void }>();
  #immediates: (() => void)[] = [];
  #last = 0;

  setTimeout(callback: () => void, ms: number): number {
    this.#last++;
    this.#timers.set(this.#last, { at: this.#now + ms, callback });
    return this.#last;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  setImmediate(callback: () => void): void {
    this.#immediates.push(callback);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Timers only, as in an event loop before it polls. */
  advance(ms: number): void {
    this.#now += ms;
    for (const [timer, { at, callback }] of this.#timers) {
      if (at > this.#now) continue;
      this.#timers.delete(timer);
      callback();
    }
  }

  immediates(): void {
    for (const callback of this.#immediates.splice(0)) callback();
  }

  pass(ms: number): void {
    this.advance(ms);
    this.immediates();
  }
}

function setUp() {
  const clock = new TestClock();
  const queue = new PieceQueue(clock);
  const pieces: (Buffer | 'end' | Error)[] = [];
  return {
    clock,
    queue,
    pieces,
    /** Asks for a piece; what comes is in `pieces`. */
    async ask() {
      try {
        const { value } = await queue.next();
        pieces.push(value ?? 'end');
      } catch (error) {
        pieces.push(error as Error);
      }
    },
    sizes: () => pieces.map((piece) => (Buffer.isBuffer(piece) ? piece.length : piece)),
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function all(queue: PieceQueue): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of queue) pieces.push(piece);
  return pieces;
}

describe('a piece queue without chunks', () => {
  it('cuts on the grid of 4096, whatever it is given', async () => {
    const body = octets(10_000);
    for (const step of [1, 7, 1000, 4095, 4096, 4097, 10_000]) {
      const { queue } = setUp();
      for (let at = 0; at < body.length; at += step) queue.push(Buffer.from(body.subarray(at, at + step)));
      queue.end();
      const pieces = await all(queue);
      expect(pieces.map((piece) => piece.length)).toEqual([4096, 4096, 1808]);
      expect(Buffer.concat(pieces).equals(body)).toBe(true);
    }
  });

  it('gives a waiting consumer what there is after 20 ms without octets, and the next piece ends on the grid', async () => {
    const { clock, queue, ask, sizes } = setUp();
    ask();
    queue.push(octets(100));
    clock.pass(19);
    await settled();
    expect(sizes()).toEqual([]);
    clock.pass(1);
    await settled();
    expect(sizes()).toEqual([100]);
    ask();
    ask();
    queue.push(octets(5000));
    await settled();
    expect(sizes()).toEqual([100, 3996]);
    clock.pass(20);
    await settled();
    expect(sizes()).toEqual([100, 3996, 1004]);
    ask();
    queue.push(octets(4096));
    await settled();
    expect(sizes()).toEqual([100, 3996, 1004, 3092]);
  });

  it('starts the wait anew with each octet', async () => {
    const { clock, queue, ask, sizes } = setUp();
    ask();
    for (let i = 0; i < 5; i++) {
      queue.push(octets(10));
      clock.pass(19);
    }
    await settled();
    expect(sizes()).toEqual([]);
    clock.pass(1);
    await settled();
    expect(sizes()).toEqual([50]);
  });

  it('looks again after the event loop has polled: octets may have been in the kernel', async () => {
    const { clock, queue, ask, sizes } = setUp();
    ask();
    queue.push(octets(10));
    clock.advance(20);
    queue.push(octets(4086));
    clock.immediates();
    await settled();
    expect(sizes()).toEqual([4096]);
    ask();
    queue.push(octets(10));
    clock.advance(20);
    queue.push(octets(5));
    clock.immediates();
    await settled();
    expect(sizes()).toEqual([4096]);
    clock.pass(20);
    await settled();
    expect(sizes()).toEqual([4096, 15]);
  });

  it('leaves a piece to fill up while nobody waits, and no timer behind', async () => {
    const { clock, queue, ask, sizes } = setUp();
    queue.push(octets(100));
    expect(clock.pending).toBe(0);
    clock.pass(1000);
    ask();
    clock.pass(19);
    await settled();
    expect(sizes()).toEqual([]);
    queue.push(octets(3996));
    await settled();
    expect(sizes()).toEqual([4096]);
    expect(clock.pending).toBe(0);
    ask();
    queue.push(octets(1));
    expect(clock.pending).toBe(1);
    queue.end();
    expect(clock.pending).toBe(0);
    await settled();
    expect(sizes()).toEqual([4096, 1]);
  });

  it('serves several requests in order', async () => {
    const { queue, ask, pieces } = setUp();
    ask();
    ask();
    ask();
    const body = octets(9000);
    queue.push(body);
    queue.end();
    await settled();
    expect(pieces).toEqual([body.subarray(0, 4096), body.subarray(4096, 8192), body.subarray(8192)]);
    ask();
    ask();
    await settled();
    expect(pieces.slice(3)).toEqual(['end', 'end']);
  });
});

describe('a piece queue with chunks', () => {
  it('assembles each chunk, never early', async () => {
    const { clock, queue, ask, sizes } = setUp();
    ask();
    queue.chunk(5000);
    queue.push(octets(4999));
    clock.pass(1000);
    await settled();
    expect(sizes()).toEqual([]);
    queue.push(octets(1));
    await settled();
    expect(sizes()).toEqual([5000]);
    ask();
    queue.chunk(1);
    queue.push(octets(1));
    await settled();
    expect(sizes()).toEqual([5000, 1]);
  });

  it('hands over one of more than 1 MiB in pieces of that', async () => {
    const { queue } = setUp();
    const mib = 1024 * 1024;
    const body = octets(2 * mib + 10);
    queue.chunk(body.length);
    for (let at = 0; at < body.length; at += 65_536) queue.push(Buffer.from(body.subarray(at, at + 65_536)));
    queue.chunk(3);
    queue.push(octets(3));
    queue.end();
    const pieces = await all(queue);
    expect(pieces.map((piece) => piece.length)).toEqual([mib, mib, 10, 3]);
    expect(Buffer.concat(pieces.slice(0, 3)).equals(body)).toBe(true);
  });
});

describe('a piece queue that fills up', () => {
  it('stops its source over 256 KiB and lets it go on under 64 KiB', async () => {
    const { queue } = setUp();
    const told: boolean[] = [];
    queue.onFull = (full) => told.push(full);
    for (let i = 0; i < 5; i++) queue.push(octets(65_536));
    queue.push(octets(65_536));
    expect(told).toEqual([true]);
    let left = 6 * 65_536;
    while (left >= 65_536) {
      expect(told).toEqual([true]);
      left -= (await queue.next()).value?.length ?? 0;
    }
    expect(told).toEqual([true, false]);
  });

  it('never stops it for a chunk that is not whole yet', () => {
    const { queue } = setUp();
    const told: boolean[] = [];
    queue.onFull = (full) => told.push(full);
    queue.chunk(1024 * 1024);
    for (let i = 0; i < 15; i++) queue.push(octets(65_536));
    expect(told).toEqual([]);
    queue.push(octets(65_536));
    expect(told).toEqual([true]);
  });

  it('lets it go on when the consumer wants no more, and drops what comes', async () => {
    const { queue, ask, pieces } = setUp();
    const told: boolean[] = [];
    queue.onFull = (full) => told.push(full);
    queue.push(octets(300_000));
    await queue.return();
    queue.push(octets(300_000));
    expect(told).toEqual([true, false]);
    await ask();
    expect(pieces).toEqual(['end']);
  });
});

describe('a piece queue that fails', () => {
  it('rejects every pending next() and each one after it, and drops what was ready', async () => {
    const { clock, queue, ask, pieces } = setUp();
    const error = new Error('aborted');
    ask();
    ask();
    queue.push(octets(10));
    queue.fail(error);
    queue.fail(new Error('a second one'));
    await settled();
    expect(pieces).toEqual([error, error]);
    queue.push(octets(5000));
    queue.end();
    await ask();
    expect(pieces).toEqual([error, error, error]);
    expect(clock.pending).toBe(0);
  });
});
