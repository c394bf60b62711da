import { describe, expect, it } from '@jest/globals';
import { TlsOrigin } from './listen/testing/tunnels.js';
import { RawOrigin } from './testing/raw-peer.js';
import { holdIn, withProxy } from './testing/with-proxy.js';

const get = (host: string, path: string) => `GET http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

describe("a client's connection", () => {
  it('carries requests to different origins, one after another', () =>
    withProxy({}, async ({ client, origin, proxy }) => {
      const other = await RawOrigin.listen();
      try {
        const peer = await client();
        for (const [target, path] of [
          [origin, '/1'],
          [other, '/2'],
          [origin, '/3'],
        ] as const) {
          await peer.send(get(target.host, path));
          const upstream = target.connections.length > 0 ? target.connections[0] : await target.accept();
          expect(await upstream?.head()).toBe(`GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\n\r\n`);
          await upstream?.send(answer(path));
          expect((await peer.read(answer(path).length)).toString()).toBe(answer(path));
        }
        await proxy.idle({ quiet: 0 });
        expect(proxy.flows.map((flow) => [flow.request.path, flow.client.id, flow.server?.reused])).toEqual([
          ['/1', 1, false],
          ['/2', 1, false],
          ['/3', 1, true],
        ]);
      } finally {
        other.close();
      }
    }));

  it('may be pipelined: heads are read one by one, and responses stay in order', () =>
    withProxy({}, async (stage) => {
      const { origin, proxy } = stage;
      const peer = await stage.client();
      const heads = [get(origin.host, '/1'), get(origin.host, '/2'), get(origin.host, '/3')];
      await peer.send(...heads);
      const upstream = await origin.accept();
      expect(await upstream.head()).toContain('GET /1 ');
      // The second is not even looked at while the first is going on.
      expect(proxy.flows).toHaveLength(1);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\non');
      expect(proxy.flows).toHaveLength(1);
      await upstream.send('e');
      expect(await upstream.head()).toContain('GET /2 ');
      expect(proxy.flows).toHaveLength(2);
      await upstream.send(answer('two'));
      expect(await upstream.head()).toContain('GET /3 ');
      await upstream.send(answer('three'));
      const expected = answer('one') + answer('two') + answer('three');
      expect((await peer.read(expected.length)).toString()).toBe(expected);
      expect(origin.connections).toHaveLength(1);
    }));

  it('pipelined requests with bodies do not run into each other', () =>
    withProxy({}, async ({ client, origin, proxy }) => {
      proxy.respond('**', (flow) => ({ body: `${flow.request.method} ${flow.request.text()}` }));
      const peer = await client();
      const host = `Host: ${origin.host}\r\n`;
      await peer.send(
        `POST http://${origin.host}/ HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nfirst`,
        `PUT http://${origin.host}/ HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\n`,
        `DELETE http://${origin.host}/ HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
      );
      const all = (await peer.rest()).toString();
      expect(all.split(/HTTP\/1\.1 200 OK\r\n.*?\r\n\r\n/s)).toEqual([
        '',
        'POST first',
        'PUT second',
        'DELETE ',
      ]);
      expect(peer.ended).toBe('fin');
    }));

  it('is closed when it idles, but never within an exchange', () =>
    withProxy({ timeouts: { idle: 40 } }, async (stage) => {
      const { client, upstream } = await stage.exchange(
        'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: keep-alive',
      );
      const idler = await stage.client();
      // It connected later, so whenever its time is up the exchange has been waiting longer.
      expect(await idler.ending).toBe('fin');
      expect(client.ended).toBeUndefined();
      await upstream.send(answer('late'));
      expect((await client.rest()).toString()).toBe(answer('late'));
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('is closed after a response that says so', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
      upstream.end();
      expect((await client.rest()).toString()).toContain('\r\n\r\nok');
      expect(client.ended).toBe('fin');
    }));

  it('a client that goes away takes its exchange with it', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      client.reset();
      await upstream.ending;
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
    }));

  it('tells hooks of clients that come and go', () =>
    withProxy({}, async ({ proxy, client, eventually }) => {
      const seen: string[] = [];
      proxy.on('clientConnect', ({ id, address }) => void seen.push(`connect ${id} ${address}`));
      proxy.on('clientDisconnect', ({ id }) => void seen.push(`disconnect ${id}`));
      const peer = await client();
      await eventually(() => seen.length === 1, 'clientConnect');
      peer.end();
      await eventually(() => seen.length === 2, 'clientDisconnect');
      const [, id] = seen[0]?.split(' ') ?? [];
      expect(seen).toEqual([`connect ${id} 127.0.0.1`, `disconnect ${id}`]);
    }));
});

describe('a reset that comes while the response waits for a hook', () => {
  it('does not undo a response that was whole', () =>
    withProxy({}, async (stage) => {
      const { reached, go } = holdIn(stage.proxy, 'response');
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
      await reached;
      upstream.end();
      upstream.destroy();
      // The proxy has the end of the connection before it has an answer to this.
      const second = await stage.exchange('GET http://{origin}/2 HTTP/1.1\r\nHost: {origin}');
      expect(second.head).toContain('GET /2');
      go();
      expect((await client.rest()).toString()).toContain(
        '200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
      );
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('is told once a paused response goes on', () =>
    withProxy({}, async (stage) => {
      const { reached, go } = holdIn(stage.proxy, 'responseHeaders');
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok');
      await reached;
      upstream.reset();
      go();
      expect(await client.head()).toContain('502 Bad Gateway');
      expect((await stage.over()).error?.code).toBe('ORIGIN_CLOSED');
    }));

  it('is told once a paused response goes on, also where TLS reads ahead', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ upstreamCa: origin.ca, hosts: { 'app.test': origin.host } }, async (stage) => {
        const { reached, go } = holdIn(stage.proxy, 'responseHeaders');
        const client = await stage.client();
        await client.send('GET https://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n');
        const upstream = await origin.accept();
        await upstream.head();
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok');
        await reached;
        origin.reset();
        // The proxy has the reset before it has an answer to this.
        await stage.exchange('GET http://{origin}/2 HTTP/1.1\r\nHost: {origin}');
        go();
        expect(await client.head()).toContain('502 Bad Gateway');
        expect((await stage.over()).error?.code).toBe('ORIGIN_CLOSED');
      });
    } finally {
      origin.close();
    }
  });
});
