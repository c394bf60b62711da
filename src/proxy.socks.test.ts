import { describe, expect, it } from '@jest/globals';
import {
  credentials,
  GREETING,
  GREETING_PASSWORD,
  openSocks,
  replyOf,
  SUCCEEDED,
  toAddress,
  toName,
} from './listen/testing/socks.js';
import { secured, TlsOrigin } from './listen/testing/tunnels.js';
import { curl, noCurl } from './testing/curl.js';
import { sendCut } from './testing/cut.js';
import { http2Over } from './testing/http2-over.js';
import { RawOrigin, type RawPeer } from './testing/raw-peer.js';
import { withTlsServer } from './testing/tls-server.js';
import { itUnless } from './testing/unless.js';
import { fromClient, readFrame, SWITCHED, TEXT, UPGRADE } from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const SOCKS = { mode: 'socks5' } as const;
const GET = 'GET /path HTTP/1.1\r\nHost: app.test\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Has a request answered by the origin, over the one connection to it. */
async function exchange(stage: Stage, peer: RawPeer, accept = () => stage.origin.accept()): Promise<RawPeer> {
  await peer.send(GET);
  const upstream = await accept();
  expect(await upstream.head()).toBe(GET);
  await upstream.send(OK);
  expect((await peer.read(OK.length)).toString()).toBe(OK);
  return upstream;
}

describe('SOCKS5', () => {
  it('connects to a name, and HTTP in it becomes exchanges', () =>
    withProxy(SOCKS, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const peer = await stage.client();
      await peer.send(GREETING);
      expect((await peer.read(2)).toString('hex')).toBe('0500');
      await peer.send(toName('App.test', 80));
      expect((await peer.read(10)).toString('hex')).toBe(SUCCEEDED);
      await exchange(stage, peer);
      // The connection that was made for the answer served the request.
      expect(stage.origin.connections).toHaveLength(1);
      const flow = await stage.over();
      expect(flow.request.url).toBe('http://app.test/path');
      expect(flow.client).toMatchObject({ tunnel: 'app.test:80', tls: false });
      expect(flow.server).toMatchObject({ port: stage.origin.port, tls: false, reused: false });
      expect(stage.proxy.server).toBe(`socks5://127.0.0.1:${stage.proxy.port}`);
    }));

  it('connects to addresses', () =>
    withProxy(SOCKS, async (stage) => {
      const { origin, proxy } = stage;
      proxy.mapHost('[2001:db8::ab:1]:80', origin.host);
      const v6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0, 1];
      const ways: [Buffer, string][] = [
        [toAddress([127, 0, 0, 1], origin.port), origin.host],
        [toAddress(v6, 80), '[2001:db8::ab:1]:80'],
        // A name that is an address, as some clients write it.
        [toName('127.0.0.1', origin.port), origin.host],
      ];
      for (const [i, [request, tunnel]] of ways.entries()) {
        const peer = await stage.client();
        await peer.send(GREETING, request);
        expect((await peer.read(12)).toString('hex')).toBe(`0500${SUCCEEDED}`);
        await exchange(stage, peer);
        expect((await stage.over(i + 1)).client.tunnel).toBe(tunnel);
      }
      expect(origin.connections).toHaveLength(ways.length);
    }));

  it('is understood however it is cut, with what follows', () =>
    withProxy({ ...SOCKS, proxyAuth: 'me:se:cret' }, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const peer = await stage.client();
      const all = Buffer.concat([
        GREETING_PASSWORD,
        credentials('me', 'se:cret'),
        toName('app.test', 80),
        Buffer.from(GET),
      ]);
      await sendCut(peer, all);
      expect((await peer.read(14)).toString('hex')).toBe(`05020100${SUCCEEDED}`);
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe(GET);
      await upstream.send(OK);
      await peer.read(OK.length);
      expect(stage.proxy.flows).toHaveLength(1);
    }));

  it('may come in one segment with what follows', () =>
    withProxy(SOCKS, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const peer = await stage.client();
      await peer.send(GREETING, toName('app.test', 80), GET, GET);
      await peer.read(12);
      const upstream = await stage.origin.accept();
      for (let i = 0; i < 2; i++) {
        expect(await upstream.head()).toBe(GET);
        await upstream.send(OK);
        expect((await peer.read(OK.length)).toString()).toBe(OK);
      }
      expect(stage.origin.connections).toHaveLength(1);
    }));
});

describe('in a SOCKS5 connection', () => {
  it('TLS is taken off, over the connection that is there', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ ...SOCKS, upstreamCa: origin.ca }, async (stage) => {
        stage.proxy.mapHost('app.test', origin.host);
        const plain = await openSocks(stage, 'app.test', 443);
        const peer = await secured(plain, { servername: 'app.test', ca: stage.proxy.ca.cert });
        await exchange(stage, peer, () => origin.accept());
        const flow = await stage.over();
        expect(flow.request.url).toBe('https://app.test/path');
        expect(flow.client).toMatchObject({ tunnel: 'app.test:443', tls: true, sni: 'app.test' });
        expect(origin.names).toEqual(['app.test']);
      });
    } finally {
      origin.close();
    }
  });

  it('HTTP/2 is spoken as the origin speaks it, over that connection', () =>
    withTlsServer(['h2', 'http/1.1'], SOCKS, async (stage, origin) => {
      const { socket } = await openSocks(stage, 'app.test', 443);
      const session = await http2Over(socket, { ca: stage.proxy.ca.cert, servername: 'app.test' });
      const stream = session.request({ ':path': '/' });
      expect(Buffer.concat(await stream.toArray()).toString()).toBe('2.0');
      session.destroy();
      expect(origin.connections).toBe(1);
      expect(origin.asked).toEqual(['GET / over 2.0 as app.test']);
      expect((await stage.over()).request).toMatchObject({ url: 'https://app.test/', httpVersion: '2.0' });
    }));

  it('WebSockets are recorded', () =>
    withProxy(SOCKS, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const peer = await openSocks(stage, 'app.test', 80);
      await peer.send(`GET /live HTTP/1.1\r\nHost: app.test\r\n${UPGRADE}\r\n\r\n`);
      const upstream = await stage.origin.accept();
      await upstream.head();
      await upstream.send(`${SWITCHED}\r\n`);
      await peer.head();
      await peer.send(fromClient(TEXT, 'hello'));
      expect((await readFrame(upstream)).text).toBe('hello');
      const { websocket, request } = await stage.proxy.waitForWebSocket('ws://app.test/**');
      await websocket.waitForMessage('hello', { from: 'client' });
      expect(request.url).toMatch(/^ws:/);
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('anything else passes as it is, each end on its own', () =>
    withProxy(SOCKS, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const peer = await stage.client();
      await peer.send(GREETING, toName('app.test', 22), Buffer.from([0, 1, 2, 255]));
      await peer.read(12);
      const upstream = await stage.origin.accept();
      expect((await upstream.read(4)).toString('hex')).toBe('000102ff');
      peer.end();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('still talking');
      upstream.end();
      expect((await peer.rest()).toString()).toBe('still talking');
      expect(peer.ended).toBe('fin');
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('a client may have said all it has to say by then', () =>
    withProxy(SOCKS, async (stage) => {
      const peer = await stage.client();
      await peer.send(GREETING, toName('127.0.0.1', stage.origin.port), Buffer.from([0, 1]));
      peer.end();
      const upstream = await stage.origin.accept();
      expect((await upstream.rest()).toString('hex')).toBe('0001');
      await upstream.send('heard');
      upstream.end();
      expect((await peer.rest()).subarray(12).toString()).toBe('heard');
    }));

  it('a server that speaks first is heard, with what it said before it was asked', () =>
    withProxy(SOCKS, async (stage) => {
      const peer = await stage.client();
      await peer.send(GREETING, toName('127.0.0.1', stage.origin.port));
      const upstream = await stage.origin.accept();
      await upstream.send('220 mail');
      await peer.read(12);
      await upstream.send('.test ready\r\n');
      upstream.end();
      expect((await peer.rest()).toString()).toBe('220 mail.test ready\r\n');
      expect(peer.ended).toBe('fin');
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('requests do not go to a connection that was closed meanwhile', () =>
    withProxy(SOCKS, async (stage) => {
      const peer = await openSocks(stage, '127.0.0.1', stage.origin.port);
      const early = await stage.origin.accept();
      early.end();
      // The proxy has seen it.
      await early.ending;
      await exchange(stage, peer);
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('ignoreHosts and tcpHosts hold, over the connection that is there', async () => {
    const origin = await TlsOrigin.listen('app.test');
    const hosts = { 'app.test': origin.host };
    try {
      await withProxy({ ...SOCKS, hosts, ignoreHosts: ['^app[.]test:443$'] }, async (stage) => {
        const plain = await openSocks(stage, 'app.test', 443);
        // Nobody is between the two.
        const peer = await secured(plain, { servername: 'app.test', ca: origin.ca });
        await exchange(stage, peer, () => origin.accept());
        expect(stage.proxy.flows).toHaveLength(0);
      });
      const options = { ...SOCKS, tcpHosts: [/^127/] };
      await withProxy(options, async (stage) => {
        const peer = await openSocks(stage, '127.0.0.1', stage.origin.port);
        await exchange(stage, peer);
        expect(stage.proxy.flows).toHaveLength(0);
        expect(stage.origin.connections).toHaveLength(1);
      });
    } finally {
      origin.close();
    }
  });

  it('a mapped host may speak TLS where the client does not', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ ...SOCKS, upstreamCa: origin.ca }, async (stage) => {
        stage.proxy.mapHost('app.test', `https://${origin.host}`);
        await exchange(stage, await openSocks(stage, 'app.test', 80), () => origin.accept());
        expect((await stage.over()).server).toMatchObject({ tls: true, port: origin.port });
      });
    } finally {
      origin.close();
    }
  });

  it('what nobody used is closed with the client', () =>
    withProxy(SOCKS, async (stage) => {
      const peer = await openSocks(stage, '127.0.0.1', stage.origin.port);
      const upstream = await stage.origin.accept();
      peer.end();
      expect(await upstream.ending).toBe('fin');
      expect(stage.proxy.flows).toHaveLength(0);
    }));
});

describe('SOCKS5 through a chained proxy', () => {
  it('succeeds when the tunnel through it stands, and uses that for HTTP too', async () => {
    const upstream = await RawOrigin.listen();
    try {
      await withProxy({ ...SOCKS, upstream: { server: upstream.host } }, async (stage) => {
        const peer = await stage.client();
        await peer.send(GREETING, toName('app.test', 80));
        await peer.read(2);
        const chained = await upstream.accept();
        expect(await chained.head()).toBe('CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n');
        expect(peer.unread).toHaveLength(0);
        await chained.send('HTTP/1.1 200 OK\r\n\r\n');
        expect((await peer.read(10)).toString('hex')).toBe(SUCCEEDED);
        await exchange(stage, peer, async () => chained);
        expect((await stage.over()).server).toMatchObject({ via: upstream.host });
        expect(upstream.connections).toHaveLength(1);
      });
    } finally {
      upstream.close();
    }
  });

  it('fails when it refuses', async () => {
    const upstream = await RawOrigin.listen();
    try {
      await withProxy({ ...SOCKS, upstream: { server: upstream.host } }, async (stage) => {
        const peer = await stage.client();
        await peer.send(GREETING, toName('app.test', 80));
        const chained = await upstream.accept();
        await chained.head();
        await chained.send('HTTP/1.1 403 Forbidden\r\n\r\n');
        expect((await peer.rest()).toString('hex')).toBe(`0500${replyOf(1)}`);
        expect((await stage.over()).error?.code).toBe('UPSTREAM_PROXY');
      });
    } finally {
      upstream.close();
    }
  });
});

describe('curl', () => {
  itUnless(noCurl, 'goes through with --socks5-hostname, and with a password', async () => {
    await withProxy({ ...SOCKS, proxyAuth: 'me:pa:ss' }, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const proxy = `127.0.0.1:${stage.proxy.port}`;
      const done = curl('--socks5-hostname', proxy, '-U', 'me:pa:ss', 'http://app.test/path');
      const upstream = await stage.origin.accept();
      await upstream.head();
      await upstream.send(OK);
      expect(await done).toMatchObject({ code: 0, out: 'ok' });
      expect((await stage.over()).request.url).toBe('http://app.test/path');
      const refused = await curl('--socks5-hostname', proxy, '-U', 'me:pass', 'http://app.test/path');
      expect(refused).toMatchObject({ code: 97, out: '' });
    });
  });
});
