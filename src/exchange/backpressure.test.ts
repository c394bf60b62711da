import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { StreamTransform } from '../flow/types.js';
import { octets, sha256 } from '../testing/bytes.js';
import type { RawPeer } from '../testing/raw-peer.js';
import { withProxy } from '../testing/with-proxy.js';

const MIB = 1024 * 1024;
const SIZE = 32 * MIB;
/** What the kernel's buffers of two connections and the proxy's own may hold together. */
const BOUND = 20 * MIB;
const BODY = octets(SIZE);

const asIs: StreamTransform = async function* (pieces) {
  yield* pieces;
};

/** Sends it all; resolves when the kernel has taken it. */
async function sendAll(peer: RawPeer, body: Buffer): Promise<void> {
  for (let at = 0; at < body.length; at += MIB) await peer.send(body.subarray(at, at + MIB));
}

/** Waits until `count` stands still for many turns of the event loop, in all of which something could have been read. */
async function standstill(count: () => number): Promise<void> {
  for (let seen = -1, quiet = 0; quiet < 300; ) {
    await new Promise((resolve) => setImmediate(resolve));
    quiet = count() === seen && seen > 0 ? quiet + 1 : 0;
    seen = count();
  }
}

/** The body in a 1.1 message that was transformed: chunks. */
function bodyOf(message: Buffer, chunked: boolean): Buffer {
  const start = message.indexOf('\r\n\r\n') + 4;
  if (!chunked) return message.subarray(start);
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const line = message.indexOf('\r\n', at);
    const size = Number.parseInt(message.toString('latin1', at, line), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(message.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}

const CASES: [what: string, transform: boolean | StreamTransform, encoding: string, body: Buffer][] = [
  ['untouched', true, '', BODY],
  ['through a transform', asIs, '', BODY],
  ['with the digest of its content', true, 'Content-Encoding: gzip\r\n', gzipSync(BODY, { level: 0 })],
];

describe('a receiver that stalls', () => {
  for (const [what, stream, encoding, body] of CASES) {
    it(`stops the origin: a response ${what}`, () =>
      withProxy({}, async ({ proxy, exchange, over, eventually }) => {
        proxy.stream('**', { response: stream });
        const { client, upstream } = await exchange(
          'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: close',
        );
        client.pause();
        await upstream.send(
          `HTTP/1.1 200 OK\r\nConnection: close\r\n${encoding}Content-Length: ${body.length}\r\n\r\n`,
        );
        const sending = sendAll(upstream, body);
        await eventually(() => proxy.flows.last?.response !== undefined, 'the head');
        const { received } = proxy.flows.last?.response?.transfer ?? {};
        await standstill(() => received?.bytes ?? 0);
        expect(received?.bytes).toBeLessThan(BOUND);
        expect(upstream.socket.writableLength).toBeGreaterThan(0);
        client.resume();
        await sending;
        const got = bodyOf(await client.rest(), typeof stream === 'function');
        expect(got.length).toBe(body.length);
        const { response, error } = await over();
        expect(error).toBeUndefined();
        expect(response?.transfer.sent.sha256).toBe(sha256(got));
        expect(response?.transfer.sent.bytes).toBe(body.length);
        if (encoding !== '')
          expect(response?.transfer.received.decoded).toEqual({ bytes: SIZE, sha256: sha256(BODY) });
      }));

    it(`stops the client: a request ${what}`, () =>
      withProxy({}, async ({ proxy, exchange, over, eventually }) => {
        proxy.stream('**', { request: stream });
        const { client, upstream } = await exchange(
          `POST http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${encoding}Content-Length: ${body.length}`,
        );
        upstream.pause();
        const before = upstream.total;
        const sending = sendAll(client, body);
        const { received } = proxy.flows.last?.request.transfer ?? {};
        await standstill(() => received?.bytes ?? 0);
        expect(received?.bytes).toBeLessThan(BOUND);
        expect(client.socket.writableLength).toBeGreaterThan(0);
        upstream.resume();
        await sending;
        await eventually(() => upstream.total - before >= body.length, 'the whole body');
        if (stream !== true) await upstream.read('\r\n0\r\n\r\n');
        await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
        await client.head();
        const { request, error } = await over();
        expect(error).toBeUndefined();
        expect(request.transfer.sent.sha256).toBe(sha256(body));
      }));
  }

  it('stops the origin when it is the transform', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      proxy.stream('**', {
        response: async function* (pieces) {
          await held;
          let octets = 0;
          for await (const piece of pieces) octets += piece.length;
          yield String(octets);
        },
      });
      const { client, upstream } = await exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      const sending = upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`, BODY);
      await eventually(() => proxy.flows.last?.response !== undefined, 'the head');
      const { received } = proxy.flows.last?.response?.transfer ?? {};
      await standstill(() => received?.bytes ?? 0);
      // Nothing went on to the client, so this is what the proxy itself holds, and one read.
      expect(received?.bytes).toBeLessThan(2 * MIB);
      release();
      await client.head();
      expect((await client.read('\r\n0\r\n\r\n')).toString()).toBe(`8\r\n${SIZE}\r\n0\r\n\r\n`);
      await sending;
      expect((await over()).error).toBeUndefined();
    }));
});
