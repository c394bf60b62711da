import { describe, expect, it } from '@jest/globals';
import { chunk, LAST_CHUNK, octets, sha256 } from '../testing/bytes.js';
import { ask, CODE, Http2Server, openHttp2 } from '../testing/http2.js';
import { withProxy } from '../testing/with-proxy.js';
import { cutAfter, stallAfter } from './offset.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const POST = 'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 10000';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n';
const body = octets(10_000);

describe('stallAfter', () => {
  it('passes so many octets and no more, until the client gives up', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      proxy.stream('**', { response: stallAfter(5000) });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      expect((await client.read(5000)).equals(body.subarray(0, 5000))).toBe(true);
      const { response } = proxy.flows.last ?? {};
      await eventually(() => response?.transfer.received.bytes === 10_000, 'everything to have come');
      expect(client.unread.length).toBe(0);
      client.destroy();
      await upstream.ending;
      const { error } = await over();
      expect(error?.code).toBe('CLIENT_ABORTED');
      expect(response?.transfer.sent.bytes).toBe(5000);
      await proxy.verify();
    }));

  it('stops the sender: what it does not read is not taken', () =>
    withProxy({}, async ({ proxy, exchange, eventually }) => {
      proxy.stream('**', { request: stallAfter(0) });
      const { client, upstream } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 1000000000',
      );
      const all = Buffer.alloc(100 * 1024 * 1024);
      client.socket.write(all);
      const { request } = proxy.flows.last ?? {};
      await eventually(() => (request?.transfer.received.bytes ?? 0) >= 256 * 1024, 'the queue to fill');
      // Whatever else is under way, the kernel holds: the proxy reads no more of it.
      await eventually(() => client.socket.writableLength > 0, 'the socket to be full');
      expect(request?.transfer.received.bytes).toBeLessThan(1024 * 1024);
      expect(request?.transfer.sent.bytes).toBe(0);
      expect(upstream.unread.length).toBe(0);
    }));

  it('stalls a body of exactly that size before its end', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.stream('**', { response: stallAfter(10_000) });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', chunk(body), LAST_CHUNK);
      await client.head();
      await client.read(chunk(body).length);
      expect(proxy.flows.last?.response?.complete).toBe(false);
    }));

  it('lets a shorter one pass', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: stallAfter(10_001) });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body);
      await client.head();
      expect((await client.read(10_000)).equals(body)).toBe(true);
      expect((await over()).error).toBeUndefined();
    }));
});

describe('cutAfter', () => {
  it('ends a response early, well-formed, and the origin is cut off', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: cutAfter('4k') });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body.subarray(0, 5000));
      const head = await client.head();
      expect(head).not.toMatch(/content-length/i);
      expect((await client.read('\r\n0\r\n\r\n')).toString('latin1')).toBe(
        `1000\r\n${body.toString('latin1', 0, 4096)}\r\n0\r\n\r\n`,
      );
      await upstream.ending;
      const { response, error } = await over();
      expect(error).toBeUndefined();
      expect(response?.complete).toBe(true);
      expect(response?.transfer.sent).toMatchObject({ bytes: 4096, sha256: sha256(body.subarray(0, 4096)) });
      expect(client.ended).toBeUndefined();
    }));

  it('ends a request early: the origin can answer it, and the client is let send the rest', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { request: cutAfter(5000) });
      const { client, upstream, head } = await exchange(POST, body.subarray(0, 6000));
      expect(head).toMatch(/\r\nTransfer-Encoding: chunked\r\n/);
      await upstream.read('\r\n0\r\n\r\n');
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      expect(await client.head()).toMatch(/^HTTP\/1.1 204/);
      await client.send(body.subarray(6000));
      const flow = await over();
      expect(flow.error).toBeUndefined();
      expect(flow.request.transfer.sent.bytes).toBe(5000);
      expect(flow.request.transfer.received.bytes).toBe(10_000);
    }));

  it('makes an empty body of any, at 0, and leaves a shorter one whole', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: cutAfter(0), times: 1 });
      const empty = await exchange(GET);
      await empty.upstream.send(OK);
      await empty.client.head();
      expect((await empty.client.read(5)).toString()).toBe('0\r\n\r\n');
      expect((await over()).response?.complete).toBe(true);
      proxy.stream('**', { response: cutAfter(10_001) });
      const whole = await exchange(GET);
      await whole.upstream.send(OK, body);
      await whole.client.head();
      await whole.client.read('\r\n0\r\n\r\n');
      expect((await over(2)).response?.transfer.sent.sha256).toBe(sha256(body));
    }));

  it('ends a stream of HTTP/2 in good order', () =>
    withProxy({}, async (stage) => {
      const origin = await Http2Server.listen((stream) => {
        stream.respond({ ':status': 200, 'content-length': 10_000 });
        stream.end(body);
      });
      try {
        stage.proxy.stream('**', { response: cutAfter(5000) });
        const answer = await ask(await openHttp2(stage, origin.host), { ':path': '/a' });
        expect(answer.code).toBe(CODE.NO_ERROR);
        expect(answer.headers['content-length']).toBeUndefined();
        expect(answer.body.equals(body.subarray(0, 5000))).toBe(true);
      } finally {
        origin.close();
      }
    }));
});
