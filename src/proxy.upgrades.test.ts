import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { openTls, openTunnel, TlsOrigin } from './listen/testing/tunnels.js';
import { holdIn, type Stage, withProxy } from './testing/with-proxy.js';

// Of WebSockets, what passes is tested in proxy.websocket-*.test.ts; here it is a tunnel.
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: other';
const SWITCHED = `HTTP/1.1 101 Switching Protocols\r\nUPGRADE: other\r\nConnection: Upgrade\r\n\r\n`;

/** A WebSocket server that greets at once, with the very packet that holds its 101, and echoes. */
async function withEcho(server: http.Server, play: (port: number) => Promise<void>): Promise<void> {
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.send('welcome');
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await play((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  }
}

/** Exchanges messages of all sizes, both kinds, and closes with a code. */
async function converses(socket: WebSocket): Promise<void> {
  const received: (string | Buffer)[] = [];
  socket.on('message', (data: Buffer, isBinary) => received.push(isBinary ? data : data.toString()));
  await once(socket, 'open');
  const big = Buffer.alloc(200_000, 'b');
  socket.send('hello');
  socket.send(big);
  while (received.length < 3) await once(socket, 'message');
  expect(received).toEqual(['welcome', 'hello', big]);
  socket.close(4001, 'done');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([4001, 'done']);
}

/** A connection for `ws` to speak over, where it does not know of proxies. */
const over = (socket: tls.TLSSocket | import('node:net').Socket) => ({
  createConnection: () => socket.removeAllListeners('data'),
});

describe('upgrades', () => {
  it('a WebSocket in absolute form', () =>
    withEcho(http.createServer(), (port) =>
      withProxy({}, async (stage) => {
        const peer = new WebSocket(`ws://127.0.0.1:${stage.proxy.port}/`, {
          headers: { Host: `127.0.0.1:${port}` },
          finishRequest: (request) => {
            request.path = `http://127.0.0.1:${port}/chat`;
            request.end();
          },
        });
        await converses(peer);
        await switched(stage, `ws://127.0.0.1:${port}/chat`);
      }),
    ));

  it('a WebSocket through CONNECT', () =>
    withEcho(http.createServer(), (port) =>
      withProxy({}, async (stage) => {
        const { socket } = await openTunnel(stage, `127.0.0.1:${port}`);
        await converses(new WebSocket(`ws://127.0.0.1:${port}/chat`, over(socket)));
        await switched(stage, `ws://127.0.0.1:${port}/chat`);
      }),
    ));

  it('a WebSocket over TLS', async () => {
    const origin = await TlsOrigin.listen('app.test');
    const server = http.createServer();
    try {
      await withEcho(server, () =>
        withProxy({ hosts: { 'app.test': origin.host }, upstreamCa: origin.ca }, async (stage) => {
          const { socket } = await openTls(stage, 'app.test');
          const client = new WebSocket('ws://app.test/chat', over(socket));
          server.emit('connection', (await origin.accept()).socket.removeAllListeners('data'));
          await converses(client);
          await switched(stage, 'wss://app.test/chat');
        }),
      );
    } finally {
      origin.close();
    }
  });

  it('octets that come with the 101 are not lost, from either side', () =>
    withProxy({}, async (stage) => {
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head, 'too early');
      await upstream.send(SWITCHED, 'at once');
      const expected = `${SWITCHED}at once`;
      expect((await client.read(expected.length)).toString()).toBe(expected);
      expect((await upstream.read(9)).toString()).toBe('too early');
      client.end();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('bye');
      upstream.end();
      expect((await client.rest()).toString()).toBe('bye');
    }));

  it('octets that come with the 101 wait for an asynchronous hook', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('responseHeaders', async (flow) => {
        await new Promise((resolve) => setImmediate(resolve));
        flow.response.headers.set('X-Seen', 'yes');
      });
      stage.proxy.on('response', () => new Promise((resolve) => setImmediate(resolve)));
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(SWITCHED, 'at once');
      expect(await client.head()).toContain('X-Seen: yes\r\n');
      expect((await client.read(7)).toString()).toBe('at once');
    }));

  it('a hook can answer in place of the 101', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('responseHeaders', (flow) => flow.respond({ status: 403, body: 'no' }));
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(SWITCHED);
      expect(await client.head()).toContain('403 Forbidden');
      expect((await client.read(2)).toString()).toBe('no');
      await upstream.ending;
      expect((await stage.over()).response?.status).toBe(403);
    }));

  it('an edit after the 101 has gone out only warns', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('response', ({ response }) => response.headers.set('X-Late', 'yes'));
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(SWITCHED);
      expect(await client.head()).not.toContain('X-Late');
      const { response, warnings } = await stage.over();
      expect(response?.headers.has('x-late')).toBe(false);
      expect(warnings).toEqual([expect.stringContaining('response.headers was edited after the head')]);
    }));

  it('a client that resets while a hook runs on the 101 ends the upgrade', () =>
    withProxy({}, async (stage) => {
      const { reached, go } = holdIn(stage.proxy, 'response');
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(SWITCHED);
      await reached;
      client.reset();
      // The proxy has seen the reset before it serves this.
      await stage.exchange('GET http://{origin}/2 HTTP/1.1\r\nHost: {origin}');
      go();
      await upstream.ending;
    }));

  it('a hook that throws after the 101 has gone out takes both connections with it', () =>
    withProxy({}, async (stage) => {
      const { go } = holdIn(stage.proxy, 'response');
      stage.proxy.on('response', () => {
        throw new Error('mine');
      });
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(SWITCHED);
      // Node takes a reset that comes with the octets before it for an orderly end.
      await client.head();
      go();
      expect(await client.ending).toBe('rst');
      await upstream.ending;
      expect((await stage.over()).error?.code).toBe('HOOK_FAILED');
      await expect(stage.proxy.verify()).rejects.toThrow('mine');
    }));

  it('a hook that runs on the 101 when the proxy is closed leaves no flow behind', () =>
    withProxy({}, async (stage) => {
      const { reached } = holdIn(stage.proxy, 'response');
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { upstream } = await stage.exchange(head);
      await upstream.send(SWITCHED);
      await reached;
      await stage.proxy.close();
      expect(stage.proxy.flows.last?.error?.code).toBe('PROXY_CLOSED');
    }));

  it('a 101 before the request has come to its end is refused', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: true });
      const head = `POST http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 9\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head, 'half');
      await upstream.send(SWITCHED);
      expect(await client.head()).toContain('502 Bad Gateway');
      await upstream.ending;
      expect((await stage.over()).error?.code).toBe('ORIGIN_PROTOCOL');
    }));

  it('a refused upgrade is relayed, and the connection goes on', () =>
    withProxy({}, async (stage) => {
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      const refusal = 'HTTP/1.1 426 Upgrade Required\r\nUpgrade: foo\r\nContent-Length: 2\r\n\r\nno';
      await upstream.send(refusal);
      expect((await client.read(refusal.length)).toString()).toBe(refusal);
      await client.send(`GET http://${stage.origin.host}/2 HTTP/1.1\r\nHost: ${stage.origin.host}\r\n\r\n`);
      expect(await upstream.head()).toContain('GET /2');
      expect((await stage.over()).response?.text()).toBe('no');
    }));

  it('a 101 that nobody asked for is refused', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send(SWITCHED);
      expect(await client.head()).toContain('502 Bad Gateway');
      expect((await stage.over()).error?.code).toBe('ORIGIN_PROTOCOL');
    }));
});

async function switched(stage: Stage, url: string): Promise<void> {
  const flow = await stage.over();
  expect(flow.error).toBeUndefined();
  expect(flow.request.url).toBe(url);
  expect(flow.response?.status).toBe(101);
}
