import { describe, expect, it } from '@jest/globals';
import type { StreamTransform } from '../flow/types.js';
import { dechunk, octets, sha256 } from '../testing/bytes.js';
import { problemOf, withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';

describe('a transform that ends early', () => {
  it('ends a response cleanly, and the origin is cut', () =>
    withProxy({}, async ({ proxy, origin, exchange, over, hooks }) => {
      proxy.stream('**/a', {
        response: async function* (pieces) {
          for await (const piece of pieces) {
            yield piece;
            return;
          }
        },
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n', octets(4096));
      await client.head();
      expect(dechunk(await client.read('\r\n0\r\n\r\n')).equals(octets(4096))).toBe(true);
      const { error, response } = await over();
      expect(error).toBeUndefined();
      expect(response?.complete).toBe(true);
      expect(response?.transfer.received.sha256).toBeUndefined();
      expect(response?.transfer.sent.sha256).toBe(sha256(octets(4096)));
      expect(response?.transfer.received.bytes).toBe(4096);
      expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
      await upstream.ending;
      // The client's connection goes on, over a fresh one to the origin.
      await client.send(`GET http://${origin.host}/b HTTP/1.1\r\nHost: x\r\n\r\n`);
      const next = await origin.accept();
      expect(await next.head()).toMatch(/^GET \/b /);
    }));

  it('ends an upload cleanly at the origin, and the rest of it is read and dropped', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**', {
        request: async function* (pieces) {
          for await (const piece of pieces) {
            yield piece;
            return;
          }
        },
      });
      const body = octets(500_000);
      const { client, upstream } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 500000',
        body.subarray(0, 4096),
      );
      expect(dechunk(await upstream.read('\r\n0\r\n\r\n')).equals(body.subarray(0, 4096))).toBe(true);
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      await client.head();
      expect(hooks).not.toContain('request');
      await client.send(body.subarray(4096));
      const { error, request } = await over();
      expect(error).toBeUndefined();
      expect(request.complete).toBe(true);
      expect(request.transfer.received.bytes).toBe(500_000);
      expect(request.transfer.sent.bytes).toBe(4096);
      expect(hooks).toEqual(['requestHeaders', 'responseHeaders', 'response', 'request']);
    }));

  it('ends an early answer while the upload still goes on', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', {
        request: true,
        response: async function* (pieces) {
          for await (const piece of pieces) {
            yield piece;
            return;
          }
        },
      });
      const { client, upstream } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 6',
        'abc',
      );
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n', octets(4096));
      await client.head();
      await client.read('\r\n0\r\n\r\n');
      await client.send('def');
      expect((await upstream.read(6)).toString()).toBe('abcdef');
      const { error, request } = await over();
      expect(error).toBeUndefined();
      expect(request.complete).toBe(true);
    }));
});

describe('a transform that fails', () => {
  for (const [when, makes] of [
    [
      'at once',
      () => {
        throw new Error('my own');
      },
    ],
    [
      'after a piece',
      async function* (pieces) {
        for await (const piece of pieces) {
          yield piece;
          throw new Error('my own');
        }
      },
    ],
  ] as [string, StreamTransform][]) {
    it(`aborts a response ${when}, and the error reaches the test`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks }) => {
        proxy.stream('**', { response: makes });
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', octets(5000));
        await client.head();
        const rest = (await client.rest()).toString('latin1');
        // Short: no last chunk, and no page of the proxy's in the middle of the body.
        expect(rest.endsWith('0\r\n\r\n')).toBe(false);
        expect(rest).not.toMatch(/HTTP|TRANSFORM/);
        const { error, response } = await over();
        expect(error?.code).toBe('TRANSFORM_FAILED');
        expect(error?.message).toBe('my own');
        expect(response?.bodyStatus).toBe('streamed');
        expect(response?.complete).toBe(false);
        expect(response?.transfer.sent.sha256).toBeUndefined();
        expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'error']);
        expect(await problemOf(proxy)).toBe(error?.cause);
        await upstream.ending;
      }));
  }

  it('aborts an upload: the origin sees it cut, the client gets a 502', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**', {
        request: async function* (pieces) {
          for await (const piece of pieces) {
            yield piece;
            throw new Error('my own');
          }
        },
      });
      const { client, upstream } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 10000',
        octets(5000),
      );
      expect((await upstream.rest()).toString('latin1').endsWith('0\r\n\r\n')).toBe(false);
      expect(await client.head()).toMatch(/^HTTP\/1.1 502 /);
      const { error, request } = await over();
      expect(error?.code).toBe('TRANSFORM_FAILED');
      expect(request.complete).toBe(false);
      expect(hooks).toEqual(['requestHeaders', 'error']);
      await expect(proxy.verify()).rejects.toThrow('my own');
    }));

  for (const [what, transform] of [
    [
      'a number',
      async function* () {
        yield 7;
      },
    ],
    ['no iterable', async () => undefined],
  ] as unknown as [string, StreamTransform][]) {
    it(`says so when it gives ${what}`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**', { response: transform });
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc');
        await client.rest();
        expect((await over()).error?.message).toMatch(/must yield|must return an async iterable/);
        await expect(proxy.verify()).rejects.toThrow(/must yield|must return an async iterable/);
      }));
  }
});

describe('an abort under a transform', () => {
  it('rejects the pending next(), aborts the signal and calls return()', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      const seen: string[] = [];
      proxy.stream('**', {
        response: (pieces, { signal }) => {
          signal.addEventListener('abort', () => seen.push(`signal ${signal.reason?.code}`));
          const source = pieces[Symbol.asyncIterator]();
          const iterator = {
            next: async () => {
              try {
                return await source.next();
              } catch (error) {
                const { code } = error as { code: string };
                seen.push(`next ${code} ${error instanceof Error}`);
                throw error;
              }
            },
            return: () => {
              seen.push('return');
              // Never settles: nobody may wait for it.
              return new Promise<never>(() => undefined);
            },
          };
          return { [Symbol.asyncIterator]: () => iterator };
        },
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', octets(4096));
      await client.head();
      await client.read(4096);
      upstream.reset();
      await client.rest();
      const { error } = await over();
      expect(error?.code).toBe('ORIGIN_CLOSED');
      await eventually(() => seen.length === 3, 'three things');
      expect(seen.sort()).toEqual(['next ORIGIN_CLOSED true', 'return', 'signal ORIGIN_CLOSED']);
    }));

  it('does not mind an iterator without return(), or one that throws from it', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const broken = [
        {},
        {
          return: () => {
            throw new Error('from return');
          },
        },
      ];
      proxy.stream('**', {
        response: (pieces) => {
          const source = pieces[Symbol.asyncIterator]();
          const iterator = { next: () => source.next(), ...broken.shift() };
          return { [Symbol.asyncIterator]: () => iterator };
        },
      });
      for (const number of [1, 2]) {
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
        await client.head();
        upstream.reset();
        await client.rest();
        expect((await over(number)).error?.code).toBe('ORIGIN_CLOSED');
      }
      await proxy.verify();
    }));
});
