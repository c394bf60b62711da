import type { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { StreamTransform } from '../flow/types.js';
import { decoded, keepsLength } from '../stream/transforms.js';
import { chunk, dechunk, octets, sha256 } from '../testing/bytes.js';
import { problemOf, withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';

const doubled: StreamTransform = async function* (pieces) {
  for await (const piece of pieces) yield Buffer.concat([piece, piece]);
};

const upperCase: StreamTransform = async function* (pieces) {
  for await (const piece of pieces) yield piece.toString('latin1').toUpperCase();
};

/** Each octet twice, in the pieces that `doubled` gets. */
function doubledPieces(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += 4096) {
    const piece = body.subarray(at, at + 4096);
    parts.push(piece, piece);
  }
  return Buffer.concat(parts);
}

describe('a transform that changes the length', () => {
  it('turns Content-Length into chunks for a 1.1 client, whose connection goes on', () =>
    withProxy({}, async ({ proxy, origin, exchange, over }) => {
      proxy.stream('**/a', { response: doubled });
      const { client, upstream } = await exchange(GET);
      const body = octets(10_000);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\nX-Kept: 1\r\n\r\n', body);
      const head = await client.head();
      expect(head).toMatch(/\r\nTransfer-Encoding: chunked\r\n/);
      expect(head).not.toMatch(/content-length/i);
      expect(dechunk(await client.read('\r\n0\r\n\r\n')).equals(doubledPieces(body))).toBe(true);
      const { response } = await over();
      expect(response?.transfer.received.pieces.sizes()).toEqual([4096, 4096, 1808]);
      expect(response?.transfer.received.sha256).toBe(sha256(body));
      expect(response?.transfer.sent.pieces.sizes()).toEqual([8192, 8192, 3616]);
      expect(response?.transfer.sent.bytes).toBe(20_000);
      expect(response?.transfer.sent.sha256).toBe(sha256(doubledPieces(body)));
      expect(response?.bodyStatus).toBe('streamed');
      await client.send(`GET http://${origin.host}/b HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await upstream.head()).toMatch(/^GET \/b /);
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      expect(await client.head()).toMatch(/^HTTP\/1.1 204/);
    }));

  it('ends the connection for a 1.0 client', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: doubled });
      const { client, upstream } = await exchange(
        'GET http://{origin}/a HTTP/1.0\r\nHost: {origin}\r\nConnection: keep-alive',
      );
      const body = octets(5000);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: keep-alive\r\n\r\n', body);
      const head = await client.head();
      expect(head).not.toMatch(/content-length|transfer-encoding/i);
      expect((await client.rest()).equals(doubledPieces(body))).toBe(true);
      expect(client.ended).toBe('fin');
      expect((await over()).error).toBeUndefined();
    }));

  it('makes an upload chunked', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**', { request: doubled });
      const body = octets(5000);
      const { client, upstream, head } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 5000',
        body,
      );
      expect(head).toMatch(/\r\nTransfer-Encoding: chunked\r\n/);
      expect(head).not.toMatch(/content-length/i);
      expect(dechunk(await upstream.read('\r\n0\r\n\r\n')).equals(doubledPieces(body))).toBe(true);
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      await client.head();
      const { request } = await over();
      expect(request.transfer.sent.pieces.sizes()).toEqual([8192, 1808]);
      expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
    }));

  it('keeps trailers and the fields of a 206', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.stream('**', { response: doubled });
      const { client, upstream } = await exchange(GET);
      await upstream.send(
        'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/9\r\nTransfer-Encoding: chunked\r\n\r\n',
        '3;x=y\r\nabc\r\n0;last\r\nX-Sum: 1\r\n\r\n',
      );
      expect(await client.head()).toMatch(
        /^HTTP\/1.1 206 Partial Content\r\nContent-Range: bytes 0-2\/9\r\n/,
      );
      expect((await client.read('X-Sum: 1\r\n\r\n')).toString()).toBe(
        '6\r\nabcabc\r\n0;last\r\nX-Sum: 1\r\n\r\n',
      );
    }));

  it('skips empty pieces, and can drop, add and end-flush', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', {
        response: async function* (pieces) {
          yield 'head;';
          for await (const _ of pieces) yield '';
          yield new Uint8Array(0);
          yield 'tail';
        },
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ndiscarded');
      await client.head();
      expect(dechunk(await client.read('0\r\n\r\n')).toString()).toBe('head;tail');
      expect((await over()).response?.transfer.sent.pieces.sizes()).toEqual([5, 4]);
    }));

  it('leaves text/event-stream and other content types to flow through it live', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.stream('**', { response: upperCase });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
      await client.head();
      // Two octets of an unfinished piece: after the pause they go through all the same.
      expect((await client.read('AB\r\n')).toString()).toBe('2\r\nAB\r\n');
      await upstream.send('cd');
      expect((await client.read('0\r\n\r\n')).toString()).toBe('2\r\nCD\r\n0\r\n\r\n');
    }));

  it('gets chunks whole, up to 1 MiB', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const sizes: number[] = [];
      proxy.stream('**', {
        response: async function* (pieces) {
          for await (const piece of pieces) {
            sizes.push(piece.length);
            yield piece;
          }
        },
      });
      const { client, upstream } = await exchange(GET);
      const chunks = [700_000, 5, 2_500_000].map((size) => chunk(octets(size)));
      const wire = Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
      const sending = upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', wire);
      await client.head();
      expect(dechunk(await client.read('\r\n0\r\n\r\n')).equals(dechunk(wire))).toBe(true);
      await sending;
      const mib = 1024 * 1024;
      expect(sizes).toEqual([700_000, 5, mib, mib, 2_500_000 - 2 * mib]);
      const { response } = await over();
      expect(response?.transfer.received.pieces.sizes()).toEqual([700_000, 5, 2_500_000]);
      expect(response?.transfer.sent.pieces.sizes()).toEqual(sizes);
    }));

  it('is told flow, message and a signal', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const seen: unknown[] = [];
      proxy.stream('**', {
        response: (pieces, { flow, message, signal }) => {
          seen.push(flow.request.path, 'status' in message && message.status, signal.aborted);
          return pieces;
        },
      });
      const { upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok');
      await over();
      expect(seen).toEqual(['/a', 201, false]);
    }));
});

describe('keepsLength', () => {
  it('keeps Content-Length', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: keepsLength(upperCase) });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde');
      expect(await client.head()).toMatch(/\r\nContent-Length: 5\r\n/);
      expect((await client.read(5)).toString()).toBe('ABCDE');
      const { response } = await over();
      expect(response?.complete).toBe(true);
      expect(response?.transfer.sent.sha256).toBe(sha256('ABCDE'));
    }));

  for (const [what, transform] of [
    ['more', doubled],
    ['fewer', async function* () {}],
  ] as [string, StreamTransform][]) {
    it(`aborts with LENGTH_BROKEN when ${what} octets come out`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks }) => {
        let returned = 0;
        proxy.stream('**', {
          response: keepsLength((pieces, context) => {
            const iterator = transform(pieces, context)[Symbol.asyncIterator]();
            const watched = {
              next: () => iterator.next(),
              return: () => {
                returned++;
                return Promise.resolve({ done: true as const, value: undefined });
              },
            };
            return { [Symbol.asyncIterator]: () => watched };
          }),
        });
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde');
        expect(await client.head()).toMatch(/\r\nContent-Length: 5\r\n/);
        expect((await client.rest()).length).toBeLessThan(5);
        const flow = await over();
        expect(flow.error?.code).toBe('LENGTH_BROKEN');
        expect(flow.error?.message).toMatch(/keepsLength.*of 5/);
        expect(flow.response?.complete).toBe(false);
        expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'error']);
        expect(await upstream.ending).not.toBeUndefined();
        // One that ended by itself has nothing to clean up.
        expect(returned).toBe(what === 'more' ? 1 : 0);
        expect(String(await problemOf(proxy))).toMatch(/keepsLength/);
      }));
  }
});

describe('decoded', () => {
  it('shows the content of a gzip body and encodes what comes out', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: decoded(upperCase) });
      const content = 'hello, world. '.repeat(3000);
      const { client, upstream } = await exchange(GET);
      const zipped = gzipSync(content);
      await upstream.send(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`,
        zipped,
      );
      expect(await client.head()).toMatch(/\r\nContent-Encoding: gzip\r\n/);
      const out = dechunk(await client.read('\r\n0\r\n\r\n'));
      expect(gunzipSync(out).toString()).toBe(content.toUpperCase());
      const { received, sent } = (await over()).response?.transfer ?? {};
      expect(received?.decoded).toEqual({ bytes: content.length, sha256: sha256(content) });
      expect(sent?.decoded).toEqual({ bytes: content.length, sha256: sha256(content.toUpperCase()) });
      expect(sent?.sha256).toBe(sha256(out));
    }));

  it('fails the message for content that is not what Content-Encoding says', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: decoded(upperCase) });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip');
      await client.rest();
      expect((await over()).error?.code).toBe('TRANSFORM_FAILED');
      await expect(proxy.verify()).rejects.toThrow('incorrect header check');
    }));

  it('does not mind a transform that never looks at content that breaks off', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      const blind = decoded(async function* (pieces) {
        await new Promise((resolve) => (pieces as unknown as Readable).once('close', resolve));
        yield 'blind';
      });
      proxy.stream('**', { response: blind });
      const { client, upstream } = await exchange(GET);
      const zipped = gzipSync('content').subarray(0, -9);
      const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`;
      await upstream.send(head, zipped);
      await client.head();
      expect(gunzipSync(dechunk(await client.read('\r\n0\r\n\r\n'))).toString()).toBe('blind');
      expect((await over()).error).toBeUndefined();
    }));
});
