import { describe, expect, it } from '@jest/globals';
import { performance } from '../clock.js';
import type { TransformContext } from '../flow/types.js';
import { octets } from '../testing/bytes.js';
import { withProxy } from '../testing/with-proxy.js';
import { latency } from './latency.js';
import { slice } from './slice.js';
import { Line, throttle } from './throttle.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const body = octets(10_000);

/** What a transform is told, without a message. */
function contextOf(signal = new AbortController().signal): TransformContext {
  return { signal } as TransformContext;
}

/** Pieces, one octet each, that are counted as they are taken. */
function pieces(count: number, taken: { count: number; returned?: boolean } = { count: 0 }) {
  return (async function* () {
    try {
      for (let i = 0; i < count; i++) {
        taken.count++;
        yield Buffer.from([i]);
      }
    } finally {
      taken.returned = true;
    }
  })();
}

async function gather(source: AsyncIterable<Uint8Array | string>): Promise<(Uint8Array | string)[]> {
  const all: (Uint8Array | string)[] = [];
  for await (const piece of source) all.push(piece);
  return all;
}

describe('latency', () => {
  it('makes a body arrive later by that much at least, and keeps its length', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.stream('**', { response: latency(150, 50, { seed: 3 }) });
      const { client, upstream } = await exchange(GET);
      const began = performance.now();
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      expect((await client.read(10_000)).equals(body)).toBe(true);
      expect(performance.now() - began).toBeGreaterThanOrEqual(100);
    }));

  it('has pieces under way at the same time, in order', async () => {
    const taken = { count: 0 };
    const output = latency(60, 60)(pieces(200, taken), contextOf())[Symbol.asyncIterator]();
    const first = output.next();
    let arrived = false;
    first.then(() => {
      arrived = true;
    });
    // No piece waits until another has arrived.
    while (taken.count < 200) await new Promise((resolve) => setImmediate(resolve));
    expect(arrived).toBe(false);
    const rest = await gather({ [Symbol.asyncIterator]: () => output });
    const all = [(await first).value, ...rest];
    expect(all.map((piece) => piece[0])).toEqual(Array.from({ length: 200 }, (_, i) => i % 256));
  });

  it('has no more than 16 MiB under way', async () => {
    const mib = Buffer.alloc(1024 * 1024);
    let taken = 0;
    const large = (async function* () {
      for (; taken < 100; taken++) yield mib;
    })();
    const abort = new AbortController();
    const arrival = latency(3_600_000)(large, contextOf(abort.signal))[Symbol.asyncIterator]().next();
    // Reading goes on without a pause: all that is read is read within a turn.
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBeGreaterThanOrEqual(15);
    expect(taken).toBeLessThanOrEqual(16);
    abort.abort(new Error('enough'));
    await expect(arrival).rejects.toThrow('enough');
  });

  it('passes on what its source throws after what came before it', async () => {
    const failing = (async function* () {
      yield Buffer.from('a');
      throw new Error('my own');
    })();
    const seen: unknown[] = [];
    await expect(async () => {
      for await (const piece of latency(5)(failing, contextOf())) seen.push(piece.toString());
    }).rejects.toThrow('my own');
    expect(seen).toEqual(['a']);
  });

  it('ends its source when it is ended', async () => {
    const taken = { count: 0, returned: false };
    for await (const _ of latency(1)(pieces(1000, taken), contextOf())) break;
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken.returned).toBe(true);
  });
});

describe('throttle', () => {
  it('lets no more octets pass than its rate, in slices of a twentieth of a second', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: throttle('32k') });
      const { client, upstream } = await exchange(GET);
      const began = performance.now();
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      let read = 0;
      for (const part of [2000, 4000, 4000]) {
        await client.read(part);
        read += part;
        expect(performance.now() - began).toBeGreaterThanOrEqual((read * 1000) / 32_768);
      }
      const { transfer } = (await over()).response ?? {};
      expect(Math.max(...(transfer?.sent.pieces.sizes() ?? []))).toBeLessThanOrEqual(32_768 / 20);
      expect(transfer?.sent.sha256).toBe(transfer?.received.sha256);
    }));

  it('takes as long as its rate says, however late its timers are', () => {
    const line = new Line(1000);
    let now = 5000;
    // 100 slices of 50 octets at 1000 octets a second: 5 seconds. Each timer is up to 40 ms late.
    for (let i = 0; i < 100; i++) now = Math.max(now, line.send(50, now)) + (i % 5) * 10;
    expect(now).toBeGreaterThanOrEqual(10_000);
    expect(now).toBeLessThanOrEqual(10_040);
  });

  it('makes up for no more than a twentieth of a second', () => {
    const line = new Line(1000);
    expect(line.send(50, 1000)).toBe(1050);
    // A second in which nothing came.
    expect(line.send(50, 2050)).toBe(2050);
    expect(line.send(50, 2050)).toBe(2100);
  });
});

describe('slice', () => {
  it('cuts anew, with Content-Length and the order kept', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: slice(3000) });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      expect((await client.read(10_000)).equals(body)).toBe(true);
      expect((await over()).response?.transfer.sent.pieces.sizes()).toEqual([3000, 3000, 3000, 1000]);
    }));

  for (const [size, count] of [
    [1, 10_000],
    [4096, 3],
    [4097, 3],
    ['1m', 1],
  ] as const) {
    it(`makes ${count} pieces of 10000 octets by ${size}`, async () => {
      const source = async function* () {
        for (let at = 0; at < body.length; at += 777) yield body.subarray(at, at + 777);
      };
      const cut = (await gather(slice(size)(source(), contextOf()))) as Buffer[];
      expect(cut.length).toBe(count);
      expect(Buffer.concat(cut).equals(body)).toBe(true);
    });
  }

  it('waits between pieces', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.stream('**', { response: slice(4000, 50) });
      const { client, upstream } = await exchange(GET);
      const began = performance.now();
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', body);
      await client.head();
      expect((await client.read(10_000)).equals(body)).toBe(true);
      expect(performance.now() - began).toBeGreaterThanOrEqual(100);
    }));

  it('does not wait before the first', async () => {
    const abort = new AbortController();
    const output = slice(1, 3_600_000)(pieces(3), contextOf(abort.signal))[Symbol.asyncIterator]();
    expect((await output.next()).value).toEqual(Buffer.from([0]));
    abort.abort();
  });
});

describe('waits', () => {
  for (const [name, fault] of [
    ['latency', latency(3_600_000)],
    ['throttle', throttle(1)],
    ['slice', slice(1, 3_600_000)],
  ] as const) {
    it(`of ${name} end with the message`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**', { response: fault });
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', body);
        await client.head();
        client.reset();
        expect((await over()).error?.code).toBe('CLIENT_ABORTED');
        await upstream.ending;
        await proxy.verify();
      }));

    it(`of ${name} reject at once with the reason, and leave no timer behind`, async () => {
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const before = timers();
      const abort = new AbortController();
      const output = fault(pieces(3), contextOf(abort.signal))[Symbol.asyncIterator]();
      const all = (async () => {
        for (;;) if ((await output.next()).done) return;
      })();
      setImmediate(() => abort.abort(new Error('the reason')));
      await expect(all).rejects.toThrow('the reason');
      expect(timers()).toBe(before);
    });
  }
});
