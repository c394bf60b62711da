import { once } from 'node:events';
import http from 'node:http';
import http2, { type ClientHttp2Session } from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { ask, FramePeer, headers, openHttp2, PREFACE, settings, TYPE } from './testing/http2.js';
import { offered, TlsServer, withTlsServer } from './testing/tls-server.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const GET = { ':path': '/' };
const { ca } = TlsServer;

const open = (stage: Stage, name = 'app.test') => openHttp2(stage, `${name}:443`, { name });

const body = async (session: ClientHttp2Session, path = '/') =>
  (await ask(session, { ':path': path })).body.toString();

describe('an origin without TLS', () => {
  /** One that speaks HTTP/1.1, and what it was asked. */
  async function withHttp1(play: (host: string, seen: string[]) => Promise<void>): Promise<void> {
    const seen: string[] = [];
    const server = http.createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.end(request.httpVersion);
    });
    const bad = new Set<unknown>();
    server.on('clientError', (_error, socket) => {
      // Told for each part of it.
      if (!bad.has(socket)) seen.push('nonsense');
      bad.add(socket);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await play(`127.0.0.1:${(server.address() as AddressInfo).port}`, seen);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it('is asked once whether it speaks HTTP/2, by a client that says so', () =>
    withHttp1((host, seen) =>
      withProxy({}, async (stage) => {
        const client = await openHttp2(stage, host);
        expect(await Promise.all([body(client), body(client)])).toEqual(['1.1', '1.1']);
        expect(await body(await openHttp2(stage, host))).toBe('1.1');
        expect(seen.filter((what) => what === 'nonsense')).toHaveLength(1);
      }),
    ));

  it('is not asked where a map or a hook has taken the TLS away', () =>
    withHttp1((host, seen) =>
      withTlsServer(['h2'], {}, async (stage) => {
        stage.proxy.mapHost('plain.test', `http://${host}`);
        const client = await open(stage);
        stage.proxy.on('requestHeaders', ({ request }) => {
          if (request.path === '/hook') request.url = `http://${host}/hook`;
          if (request.path === '/map') request.url = 'https://plain.test/map';
        });
        expect([await body(client, '/hook'), await body(client, '/map')]).toEqual(['1.1', '1.1']);
        expect(seen).toEqual(['GET /hook', 'GET /map']);
        // What was never TLS is what the client sees.
        expect(await offered(stage, 'plain.test')).toBe('http/1.1');
      }),
    ));

  it('that a map has taken the TLS from is asked for a client that speaks nothing but HTTP/2', async () => {
    const server = http2.createServer();
    server.on('stream', (stream) => {
      stream.respond();
      stream.end('2.0');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await withProxy({ hosts: { 'app.test': `http://127.0.0.1:${port}` } }, async (stage) => {
      const client = await openHttp2(stage, 'app.test:443', { name: 'app.test', protocols: ['h2'] });
      expect(await body(client)).toBe('2.0');
      expect(stage.proxy.flows.last?.request.url).toBe('https://app.test/');
    });
    server.close();
  });

  it('that says nothing is spoken to in HTTP/1.1 in the end', () =>
    withProxy({ timeouts: { connect: 100 } }, async (stage) => {
      const client = await openHttp2(stage, stage.origin.host);
      const asked = body(client);
      const silent = await stage.origin.accept();
      await silent.read(PREFACE);
      await silent.ending;
      const origin = await stage.origin.accept();
      expect(await origin.head()).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
      await origin.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      expect(await asked).toBe('ok');
    }));
});

describe('a request that a hook sends elsewhere', () => {
  it('goes over HTTP/2 there, if that is spoken', () =>
    withTlsServer(['h2', 'http/1.1'], {}, async (stage, origin) => {
      const client = await open(stage);
      stage.proxy.on('requestHeaders', ({ request }) => {
        request.url = 'https://other.test/there';
      });
      expect(await body(client)).toBe('2.0');
      expect(origin.asked).toEqual(['GET /there over 2.0 as other.test']);
      const flow = await stage.over();
      expect(flow.request.headers.get('host')).toBe('other.test');
      expect(flow.response?.httpVersion).toBe('2.0');
    }));
});

describe('through a chained proxy', () => {
  /** One that makes tunnels, and sends what the other end says first along with its answer. */
  async function withChained(
    reach: () => number,
    play: (server: string, asked: string[]) => Promise<void>,
  ): Promise<void> {
    const asked: string[] = [];
    const sockets = new Set<net.Socket>();
    const server = http.createServer();
    server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
      asked.push(request.url ?? '');
      sockets.add(socket);
      const onward = net.connect(reach(), '127.0.0.1');
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
      const begin = (first: string | Buffer) => {
        socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 Yes\r\n\r\n'), Buffer.from(first)]));
        onward.pipe(socket).pipe(onward);
      };
      if (request.url?.startsWith('early')) onward.once('data', begin);
      else onward.once('connect', () => begin(''));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await play(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  }

  it('HTTP/2 over TLS is one tunnel', async () => {
    const origin = await TlsServer.listen(['h2']);
    try {
      await withChained(
        () => origin.port,
        (server, asked) =>
          withProxy({ upstreamCa: ca, upstream: { server } }, async (stage) => {
            const client = await open(stage);
            expect(await Promise.all([body(client), body(client)])).toEqual(['2.0', '2.0']);
            expect(asked).toEqual(['app.test:443']);
            expect((await stage.over()).server?.via).toBe(server.replace('http://', ''));
          }),
      );
    } finally {
      await origin.close();
    }
  });

  for (const name of ['early.test', 'late.test']) {
    it(`HTTP/2 without TLS is, too, with the origin's first words ${name === 'early.test' ? 'in' : 'after'} the answer`, async () => {
      let reach = 0;
      await withChained(
        () => reach,
        (server, asked) =>
          withProxy({ upstream: { server } }, async (stage) => {
            reach = stage.origin.port;
            const client = await openHttp2(stage, `${name}:80`);
            const answers = [ask(client, GET), ask(client, GET)];
            const peer = await stage.origin.accept();
            await peer.send(settings());
            const origin = new FramePeer(peer);
            await peer.read(PREFACE);
            for (const stream of [1, 3]) {
              await origin.next(TYPE.HEADERS, stream);
              await origin.send(headers(stream, [[':status', '200']]));
            }
            expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
            expect(asked).toEqual([`${name}:80`]);
          }),
      );
    });
  }
});
