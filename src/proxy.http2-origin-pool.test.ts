import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { openTls } from './listen/testing/tunnels.js';
import { answerOf, ask, openHttp2 } from './testing/http2.js';
import { offered, type Protocols, TlsServer, withTlsServer } from './testing/tls-server.js';
import { type Stage, withProxy } from './testing/with-proxy.js';
import { loadCa } from './tls/ca.js';
import { caPem } from './tls/testing/pems.js';

const GET = { ':path': '/' };
const { ca } = TlsServer;
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

const open = (stage: Stage, name = 'app.test') => openHttp2(stage, `${name}:443`, { name });

/** One that speaks HTTP/1 in TLS, and says what was answered. */
async function askHttp1(stage: Stage, fields = ''): Promise<string> {
  const client = await openTls(stage, 'app.test');
  await client.send(`GET / HTTP/1.1\r\nHost: app.test\r\n${fields}\r\n`);
  await client.head();
  return (await client.read(3)).toString();
}

const body = async (session: ClientHttp2Session, path = '/') =>
  (await ask(session, { ':path': path })).body.toString();

describe('connections to origins over HTTP/2', () => {
  it('are one for all clients and all first requests at once, which the probe has made', () =>
    withTlsServer(['h2', 'http/1.1'], {}, async (stage, origin) => {
      const clients = await Promise.all([open(stage), open(stage), open(stage)]);
      expect(clients.map(({ alpnProtocol }) => alpnProtocol)).toEqual(['h2', 'h2', 'h2']);
      const asked = clients.flatMap((client) => [body(client), body(client), body(client)]);
      expect(await Promise.all(asked)).toEqual(Array(9).fill('2.0'));
      expect(origin.connections).toBe(1);
      const reused = stage.proxy.flows.map(({ server }) => server?.reused);
      expect(reused.sort()).toEqual([false, ...Array(8).fill(true)]);
    }));

  it('are for one name of TLS each', () =>
    withTlsServer(['h2'], {}, async (stage, origin) => {
      const [one, other] = [await open(stage), await open(stage, 'other.test')];
      await Promise.all([body(one), body(other), body(one, '/a')]);
      expect(origin.connections).toBe(2);
      expect(origin.asked.sort()).toEqual([
        'GET / over 2.0 as app.test',
        'GET / over 2.0 as other.test',
        'GET /a over 2.0 as app.test',
      ]);
    }));

  it('are made for clients of HTTP/1 where the origin speaks nothing else, once for all', () =>
    withTlsServer(['h2'], {}, async (stage, origin) => {
      expect(await Promise.all([askHttp1(stage), askHttp1(stage)])).toEqual(['2.0', '2.0']);
      const before = origin.connections;
      expect(await askHttp1(stage)).toBe('2.0');
      expect(origin.connections).toBe(before);
      expect(origin.asked).toHaveLength(3);
    }));

  it('are not made for clients of HTTP/1 where the origin has the choice', () =>
    withTlsServer(['h2', 'http/1.1'], {}, async (stage) => {
      expect(await body(await open(stage))).toBe('2.0');
      expect(await askHttp1(stage)).toBe('1.1');
    }));

  it('are not made with http2: false', () =>
    withTlsServer(['h2', 'http/1.1'], { http2: false }, async (stage, origin) => {
      expect(await offered(stage)).toBe('http/1.1');
      expect(await askHttp1(stage)).toBe('1.1');
      expect(origin.asked).toEqual(['GET / over 1.1 as app.test']);
    }));

  it('are not made with http2: false where the origin speaks nothing else, either', () =>
    withTlsServer(['h2'], { http2: false }, async (stage) => {
      await askHttp1(stage);
      const { error } = await stage.over();
      expect(error).toMatchObject({ code: 'ORIGIN_TLS', message: expect.stringMatching(/no application/) });
    }));

  it('never carry WebSocket handshakes, not even where that is all there is', () =>
    withTlsServer(['h2'], {}, async (stage, origin) => {
      expect(await askHttp1(stage)).toBe('2.0');
      await askHttp1(stage, UPGRADE);
      expect((await stage.over(2)).error?.code).toBe('ORIGIN_TLS');
      expect(origin.asked).toHaveLength(1);
    }));

  it('never carry WebSocket handshakes where there is a choice', () =>
    withTlsServer(['h2', 'http/1.1'], {}, async (stage, origin) => {
      expect(await body(await open(stage))).toBe('2.0');
      expect(await askHttp1(stage, UPGRADE)).toBe('1.1');
      expect(origin.asked).toEqual(['GET / over 2.0 as app.test', 'GET / over 1.1 as app.test']);
    }));

  it('are closed after timeouts.idle, those of probes too, and never while a stream is open', () =>
    withTlsServer(['h2'], { timeouts: { idle: 100 } }, async (stage, origin) => {
      await open(stage);
      expect(origin.connections).toBe(1);
      await stage.eventually(() => origin.open.size === 0, 'the unused connection to be closed');
      const client = await open(stage);
      const held = client.request({ ':path': '/held' });
      const answer = answerOf(held);
      await stage.eventually(() => origin.asked.length === 1, 'the request');
      // One of another name lives and dies meanwhile.
      const other = await open(stage, 'other.test');
      await body(other);
      await stage.eventually(() => origin.open.size === 1, 'the other connection to be closed');
      // The busy one is good for more.
      const { connections } = origin;
      await body(client);
      expect(origin.connections).toBe(connections);
      held.close();
      await answer;
      await stage.eventually(() => origin.open.size === 0, 'the last connection to be closed');
    }));

  it('are trusted only as verifyUpstream says', async () => {
    await withTlsServer(['h2'], { verifyUpstream: false, upstreamCa: [] }, async (stage) => {
      expect(await body(await open(stage))).toBe('2.0');
    });
    await withTlsServer(['h2'], { upstreamCa: [] }, async (stage) => {
      expect((await ask(await open(stage), GET)).status).toBe(502);
      expect((await stage.over()).error?.code).toBe('ORIGIN_TLS');
    });
  });

  it('end with the proxy, whatever is in flight', async () => {
    const origin = await TlsServer.listen(['h2']);
    const hosts = { 'app.test': origin.host, 'other.test': origin.host };
    try {
      await withProxy({ upstreamCa: ca, hosts }, async (stage) => {
        const client = await open(stage);
        await body(await open(stage, 'other.test'));
        client.request({ ':path': '/held' }).on('error', () => undefined);
        await stage.eventually(() => origin.asked.length === 2, 'the request');
        await stage.proxy.close();
        expect((await stage.over(2)).error?.code).toBe('PROXY_CLOSED');
        await stage.eventually(() => origin.open.size === 0, 'connections to be closed');
      });
    } finally {
      await origin.close();
    }
  });
});

describe('what an origin speaks', () => {
  it('is offered to clients, and the connection that was made to find out serves', () =>
    withTlsServer(['http/1.1'], {}, async (stage, origin) => {
      expect(await offered(stage)).toBe('http/1.1');
      expect(origin.connections).toBe(1);
      expect(await askHttp1(stage)).toBe('1.1');
      expect(origin.connections).toBe(1);
    }));

  it('is found out anew when the origin has changed its mind', async () => {
    let origin = await TlsServer.listen(['h2']);
    const { port } = origin;
    const become = async (...protocols: Protocols) => {
      await origin.close();
      origin = await TlsServer.listen(protocols, port);
    };
    try {
      await withProxy({ upstreamCa: ca, hosts: { 'app.test': origin.host } }, async (stage) => {
        const client = await open(stage);
        expect(await body(client)).toBe('2.0');
        await become('http/1.1');
        expect(await offered(stage)).toBe('http/1.1');
        // An older client has HTTP/2 all the same.
        expect(await body(client)).toBe('1.1');
        await become('h2');
        // Its refusal of HTTP/1.1 tells.
        expect(await askHttp1(stage)).toBe('2.0');
        expect(await offered(stage)).toBe('h2');
        await become('http/1.1');
        // It is asked for HTTP/2 once more, and over that connection for all the rest.
        expect([await askHttp1(stage), await askHttp1(stage)]).toEqual(['1.1', '1.1']);
        expect(origin.connections).toBe(1);
        // Whatever listens next, after nobody did, is a stranger.
        await origin.close();
        expect((await ask(client, GET)).status).toBe(502);
        await become('h2', 'http/1.1');
        expect(await offered(stage)).toBe('h2');
        expect(await body(client)).toBe('2.0');
      });
    } finally {
      await origin.close();
    }
  });
});

describe('an origin that agrees on HTTP/2 and does not speak it', () => {
  for (const [how, hangUp, why] of [
    ['hangs up', true, 'the connection was closed before HTTP/2 had begun'],
    ['says nothing', false, 'no settings of HTTP/2 within 300 ms (timeouts.connect)'],
  ] as const) {
    it(`but ${how} is found out before a request is sent`, async () => {
      const own = loadCa(caPem());
      const sockets = new Set<Socket>();
      const server = tls.createServer(
        { ...own.credentialsFor('app.test'), ALPNProtocols: ['h2'] },
        (socket) => {
          sockets.add(socket);
          socket.on('error', () => undefined);
          if (hangUp) socket.end();
        },
      );
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const hosts = { 'app.test': `127.0.0.1:${(server.address() as AddressInfo).port}` };
      try {
        await withProxy({ upstreamCa: own.cert, hosts, timeouts: { connect: 300 } }, async (stage) => {
          expect((await ask(await open(stage), GET)).status).toBe(502);
          expect((await stage.over()).error).toMatchObject({
            code: 'ORIGIN_CLOSED',
            message: `app.test:443: ${why}`,
          });
        });
      } finally {
        for (const socket of sockets) socket.destroy();
        server.close();
      }
    });
  }
});
