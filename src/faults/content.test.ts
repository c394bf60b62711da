import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { StreamTransform, TransformContext } from '../flow/types.js';
import { isLengthKept, keepsLength } from '../stream/transforms.js';
import { octets } from '../testing/bytes.js';
import { problemOf, withProxy } from '../testing/with-proxy.js';
import { compose } from './compose.js';
import { corrupt } from './corrupt.js';
import { cutAfter, stallAfter } from './offset.js';
import { randomNumbers } from './random.js';
import { slice } from './slice.js';
import { tee } from './tee.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n';
const body = octets(10_000);

/** Offsets at which two bodies of the same size differ, and by which bits. */
function differences(a: Buffer, b: Buffer): [offset: number, mask: number][] {
  expect(a.length).toBe(b.length);
  const found: [number, number][] = [];
  for (const [i, octet] of a.entries()) if (octet !== b[i]) found.push([i, octet ^ (b[i] ?? 0)]);
  return found;
}

async function run(transform: StreamTransform, size = body.length, step = 4096): Promise<Buffer> {
  const source = (async function* () {
    for (let at = 0; at < size; at += step) yield body.subarray(at, Math.min(size, at + step));
  })();
  const context = { signal: new AbortController().signal } as TransformContext;
  const parts: Uint8Array[] = [];
  for await (const part of transform(source, context)) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}

describe('corrupt', () => {
  it('flips a bit in each run of octets, the same for the same seed however the body is cut', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const original = octets(10_000);
      proxy.stream('**', { response: corrupt({ every: 1000, seed: 7 }) });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      const got = await client.read(10_000);
      const hits = differences(original, got);
      expect(hits.map(([offset]) => Math.floor(offset / 1000))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      for (const [, mask] of hits) expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(mask);
      const { transfer } = (await over()).response ?? {};
      expect(transfer?.sent.sha256).not.toBe(transfer?.received.sha256);
      for (const step of [1, 777, 10_000]) {
        expect((await run(corrupt({ every: 1000, seed: 7 }), 10_000, step)).equals(got)).toBe(true);
      }
      expect((await run(corrupt({ every: 1000, seed: 8 }))).equals(got)).toBe(false);
      // Its pieces are not its own to change.
      expect(body.equals(original)).toBe(true);
    }));

  it('never leaves an octet that it hits as it was', async () => {
    const damaged = await run(corrupt({ every: 1 }));
    expect(differences(body, damaged).length).toBe(10_000);
  });

  it('flips a bit of the octet at an offset', async () => {
    for (const at of [0, 4095, 4096, 9999]) {
      expect(differences(body, await run(corrupt({ at }))).map(([offset]) => offset)).toEqual([at]);
    }
    expect((await run(corrupt({ at: 10_000 }))).equals(body)).toBe(true);
  });

  it('is of Mulberry32', () => {
    // Of another implementation of it.
    const random = randomNumbers(1);
    expect([random(), random(), random()].map((x) => Math.floor(x * 2 ** 32))).toEqual([
      2_693_262_067, 11_749_833, 2_265_367_787,
    ]);
  });
});

/** A writable that takes what it is given when it is told to. */
class Slow extends Writable {
  readonly got: Buffer[] = [];
  readonly #pending: (() => void)[] = [];
  finishing: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.got.push(bytes);
    this.#pending.push(done);
  }

  override _final(done: () => void): void {
    this.finishing = done;
  }

  take(): void {
    this.#pending.shift()?.();
  }
}

/** One that keeps everything. */
function keeper(): Writable & { all: () => Buffer } {
  const parts: Buffer[] = [];
  const writable = new Writable({
    write: (bytes: Buffer, _encoding, done) => {
      parts.push(bytes);
      done();
    },
  });
  return Object.assign(writable, { all: () => Buffer.concat(parts) });
}

describe('tee', () => {
  it('copies what passes, waits for a writable that is full, and for it to finish', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      const slow = new Slow();
      proxy.stream('**', { response: tee(slow) });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      const { response } = proxy.flows.last ?? {};
      for (const passed of [0, 4096, 8192]) {
        await eventually(() => slow.got.length === Math.ceil((passed + 1) / 4096), 'a piece to be written');
        expect(response?.transfer.sent.bytes).toBe(passed);
        slow.take();
        await eventually(
          () => response?.transfer.sent.bytes === Math.min(10_000, passed + 4096),
          'it to pass',
        );
      }
      expect((await client.read(10_000)).equals(body)).toBe(true);
      await eventually(() => slow.finishing !== undefined, 'the writable to be ended');
      expect(response?.complete).toBe(false);
      slow.finishing?.();
      expect((await over()).error).toBeUndefined();
      expect(Buffer.concat(slow.got).equals(body)).toBe(true);
    }));

  it('destroys the writable with the error of a message that fails', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const writable = keeper();
      const destroyed = new Promise<Error>((resolve) => writable.once('error', resolve));
      proxy.stream('**', { response: tee(writable) });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body.subarray(0, 5000));
      await client.head();
      await client.read(4096);
      upstream.reset();
      expect((await over()).error?.code).toBe('ORIGIN_CLOSED');
      expect(await destroyed).toMatchObject({ code: 'ORIGIN_CLOSED' });
      expect(writable.writableFinished).toBe(false);
      await proxy.verify();
    }));

  for (const [when, fail] of [
    ['in a write', () => new Writable({ write: (_bytes, _encoding, done) => done(new Error('disk full')) })],
    [
      'at its end',
      () => new Writable({ write: (_b, _e, done) => done(), final: (done) => done(new Error('disk full')) }),
    ],
    [
      'while it is waited for',
      () => {
        const full: Writable = new Writable({
          highWaterMark: 1,
          write: () => setImmediate(() => full.destroy(new Error('disk full'))),
        });
        return full;
      },
    ],
    [
      'before a message comes',
      () => {
        const full = new Writable();
        return full.destroy(new Error('disk full'));
      },
    ],
  ] as [string, () => Writable][]) {
    it(`fails the message, and the test, with a writable that fails ${when}`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**', { response: tee(fail()) });
        const { upstream } = await exchange(GET);
        await upstream.send(OK, body);
        const { error } = await over();
        expect(error).toMatchObject({ code: 'TRANSFORM_FAILED', message: 'disk full' });
        expect(await problemOf(proxy)).toBe(error?.cause);
      }));
  }

  it('fails a second message, and one whose writable is closed', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const closed = keeper();
      closed.destroy();
      const used = tee(keeper());
      await run(used);
      for (const [number, transform, why] of [
        [1, tee(closed), /its writable was closed/],
        [2, used, /has had a message already; give the rule times: 1/],
      ] as const) {
        proxy.stream('**', { response: transform });
        const { upstream } = await exchange(GET);
        await upstream.send(OK, body);
        const { error } = await over(number);
        expect(error?.code).toBe('TRANSFORM_FAILED');
        expect(error?.message).toMatch(why);
        await expect(proxy.verify()).rejects.toThrow(why);
      }
    }));

  it('ends the writable with what passed where the body is cut, also before the first octet', async () => {
    for (const size of [0, 1, 5000, 10_000]) {
      const writable = keeper();
      expect((await run(compose(tee(writable), cutAfter(size)))).length).toBe(size);
      expect(writable.writableFinished).toBe(true);
      expect(writable.all().length).toBeLessThanOrEqual(Math.ceil(size / 4096) * 4096);
      const after = keeper();
      await run(compose(cutAfter(size), tee(after)));
      expect(after.all().equals(body.subarray(0, size))).toBe(true);
    }
  });
});

const upperCase: StreamTransform = async function* (pieces) {
  for await (const piece of pieces) yield piece.toString('latin1').toUpperCase();
};

describe('compose', () => {
  it('goes from left to right, whatever is yielded', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      const tail: StreamTransform = async function* (pieces) {
        yield* pieces;
        yield '';
        yield new TextEncoder().encode('tail');
      };
      const copy = keeper();
      proxy.stream('**', { response: compose(tail, upperCase, slice(3), tee(copy)) });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhead');
      expect(await client.head()).not.toMatch(/content-length/i);
      expect((await client.read('\r\n0\r\n\r\n')).toString()).toBe(
        '3\r\nHEA\r\n3\r\nDTA\r\n2\r\nIL\r\n0\r\n\r\n',
      );
      expect(copy.all().toString()).toBe('HEADTAIL');
    }));

  it('keeps the length if all do', () => {
    expect(isLengthKept(compose())).toBe(true);
    expect(isLengthKept(compose(slice(1), corrupt({ at: 0 }), stallAfter(1)))).toBe(true);
    expect(isLengthKept(compose(slice(1), cutAfter(1)))).toBe(false);
    expect(isLengthKept(compose(slice(1), upperCase))).toBe(false);
    expect(isLengthKept(compose(keepsLength(upperCase)))).toBe(true);
  });

  it('of nothing passes everything', async () => {
    expect((await run(compose())).equals(body)).toBe(true);
  });

  it('hands what one throws through those after it, and ends those before', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const seen: string[] = [];
      const watching = (name: string): StreamTransform =>
        async function* (pieces) {
          try {
            yield* pieces;
          } catch (error) {
            seen.push(`${name} threw ${(error as Error).message}`);
            throw error;
          } finally {
            seen.push(`${name} ended`);
          }
        };
      const failing: StreamTransform = async function* (pieces) {
        for await (const piece of pieces) {
          yield piece;
          throw new Error('my own');
        }
      };
      proxy.stream('**', { response: compose(watching('first'), failing, watching('last')) });
      const { upstream } = await exchange(GET);
      await upstream.send(OK, body);
      expect((await over()).error).toMatchObject({ code: 'TRANSFORM_FAILED', message: 'my own' });
      expect(seen).toEqual(['first ended', 'last threw my own', 'last ended']);
      await expect(proxy.verify()).rejects.toThrow('my own');
    }));

  it('is aborted as a whole', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      const reasons: unknown[] = [];
      const waiting: StreamTransform = async function* (pieces, { signal }) {
        try {
          for await (const piece of pieces) {
            yield piece;
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
          }
        } finally {
          reasons.push(signal.reason.code);
        }
      };
      proxy.stream('**', { response: compose(waiting, slice(10), stallAfter('1m'), waiting) });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body);
      await client.head();
      await client.read(10);
      client.reset();
      await over();
      await eventually(() => reasons.length === 2, 'both to end');
      expect(reasons).toEqual(['CLIENT_ABORTED', 'CLIENT_ABORTED']);
    }));

  it('says what a transform should have been', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const nothing = (async () => undefined) as unknown as StreamTransform;
      proxy.stream('**', { response: compose(nothing, slice(1)) });
      const { upstream } = await exchange(GET);
      await upstream.send(OK, body);
      expect((await over()).error?.message).toMatch(/a transform must return an async iterable/);
      await expect(proxy.verify()).rejects.toThrow(/a transform must return an async iterable/);
    }));
});
