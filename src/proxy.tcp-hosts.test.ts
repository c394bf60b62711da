import type tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { openSocks } from './listen/testing/socks.js';
import { openTls, openTunnel, secured } from './listen/testing/tunnels.js';
import { RawOrigin } from './testing/raw-peer.js';
import { hooksOf, openPlain, PLAIN, said, withTlsOrigin } from './testing/tcp.js';
import { standsStill } from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';
import { CHROMIUM_HELLO } from './tls/testing/hellos.js';

/** Runs `play` with a chained proxy, which answers CONNECT when it is told to. */
async function withChained(play: (stage: Stage, chained: RawOrigin) => Promise<void>): Promise<void> {
  const chained = await RawOrigin.listen();
  const upstream = { server: `http://${chained.host}` };
  try {
    await withProxy({ tcpHosts: ['^db[.]test:'], upstream }, (stage) => play(stage, chained));
  } finally {
    chained.close();
  }
}

describe('a TLS connection that tcpHosts names', () => {
  it('is intercepted and recorded as a TCP flow, also where HTTP is spoken in it', () =>
    withTlsOrigin({}, {}, async (stage, origin) => {
      const hooks = hooksOf(stage);
      const peer = await openTls(stage, 'db.test');
      const upstream = await origin.accept();
      await upstream.send('hello, who is there?');
      await peer.read(20);
      await peer.send('GET / HTTP/1.1\r\n\r\n');
      await upstream.read(18);
      const [flow] = [...stage.proxy.tcpFlows];
      expect(flow).toMatchObject({
        id: '1',
        type: 'tcp',
        client: { tunnel: 'db.test:443', tls: true, sni: 'db.test' },
        server: { address: '127.0.0.1', port: origin.port, tls: true, reused: false },
        received: { client: 18, server: 20 },
        truncated: false,
        warnings: [],
      });
      expect(said(flow?.messages ?? [])).toEqual([
        'server: hello, who is there?',
        'client: GET / HTTP/1.1\r\n\r\n',
      ]);
      expect(origin.names).toEqual(['db.test']);
      expect([flow?.endedAt, hooks]).toEqual([undefined, ['tcpStart']]);
      upstream.end();
      expect(await peer.ending).toBe('fin');
      await peer.send('still here');
      expect((await upstream.read(10)).toString()).toBe('still here');
      peer.end();
      expect(await upstream.ending).toBe('fin');
      await stage.eventually(() => hooks.length === 2, 'tcpEnd');
      expect(hooks).toEqual(['tcpStart', 'tcpEnd undefined']);
      expect(flow?.endedAt).toBeGreaterThanOrEqual(flow?.startedAt ?? Number.NaN);
      expect([stage.proxy.flows.length, stage.hooks]).toEqual([0, []]);
      stage.proxy.tcpFlows.clear();
      expect(stage.proxy.tcpFlows).toHaveLength(0);
    }));

  it('agrees on the protocol that the origin chooses, of those that the client offers', () =>
    withTlsOrigin({}, { ALPNProtocols: ['postgresql'] }, async (stage) => {
      const tunnel = await openTunnel(stage, 'db.test:443');
      const options = { servername: 'db.test', ca: stage.proxy.ca.cert };
      const peer = await secured(tunnel, { ...options, ALPNProtocols: ['mqtt', 'postgresql'] });
      expect((peer.socket as tls.TLSSocket).alpnProtocol).toBe('postgresql');
    }));

  it('agrees on none where the origin does not', () =>
    withTlsOrigin({}, {}, async (stage) => {
      const tunnel = await openTunnel(stage, 'db.test:443');
      const options = { servername: 'db.test', ca: stage.proxy.ca.cert };
      const peer = await secured(tunnel, { ...options, ALPNProtocols: ['h2', 'http/1.1'] });
      expect((peer.socket as tls.TLSSocket).alpnProtocol).toBe(false);
    }));

  it('may be named by its server name, and is left alone if ignoreHosts names it too', async () => {
    for (const ignored of [false, true]) {
      const ignoreHosts = ignored ? ['^db[.]test:'] : [];
      await withTlsOrigin({ ignoreHosts }, {}, async (stage, origin) => {
        for (const authority of [`127.0.0.1:${origin.port}`, 'db.test:443']) {
          const tunnel = await openTunnel(stage, authority);
          const ca = ignored ? origin.ca : stage.proxy.ca.cert;
          const peer = await secured(tunnel, { servername: 'db.test', ca });
          await peer.send('hello');
          await (await origin.accept()).read(5);
        }
        expect(stage.proxy.tcpFlows).toHaveLength(ignored ? 0 : 2);
      });
    }
  });

  it('may be plain on the way to its origin, which may speak before TLS is there', () =>
    withTlsOrigin({}, {}, async (stage) => {
      stage.proxy.mapHost('db.test', `http://${stage.origin.host}`);
      const opening = openTls(stage, 'db.test');
      const upstream = await stage.origin.accept();
      await upstream.send('220 ready');
      expect((await (await opening).read(9)).toString()).toBe('220 ready');
      const flow = stage.proxy.tcpFlows.last;
      expect(flow).toMatchObject({ client: { tls: true }, server: { tls: false } });
      expect(said(flow?.messages ?? [])).toEqual(['server: 220 ready']);
    }));

  it('passes on a reset as a reset, from either end', () =>
    withTlsOrigin({}, {}, async (stage, origin) => {
      const hooks = hooksOf(stage);
      const first = await openTls(stage, 'db.test');
      // Before that the handshake is not over at both ends.
      await first.send('hello');
      await (await origin.accept()).read(5);
      origin.reset();
      expect(await first.ending).toBe('rst');
      const tunnel = await openTunnel(stage, 'db.test:443');
      const second = await secured(tunnel, { servername: 'db.test', ca: stage.proxy.ca.cert });
      const upstream = await origin.accept();
      await second.send('hello');
      await upstream.read(5);
      tunnel.reset();
      expect(await upstream.ending).toBe('rst');
      await stage.eventually(() => hooks.length === 4, 'tcpEnd');
      const errors = stage.proxy.tcpFlows.map(({ error }) => error?.code);
      expect(errors).toEqual(['ORIGIN_CLOSED', 'CLIENT_ABORTED']);
    }));

  it('whose origin resets it as soon as it is there is a flow that failed', () =>
    withTlsOrigin({}, {}, async (stage, origin) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (_client, error) => void errors.push(error.message));
      const times = 20;
      for (let i = 0; i < times; i++) {
        const opening = openTls(stage, 'db.test');
        await origin.accept();
        origin.reset();
        await opening.then(
          ({ ending }) => ending,
          () => undefined,
        );
      }
      const failed = () => stage.proxy.tcpFlows.filter(({ error }) => error !== undefined);
      await stage.eventually(() => failed().length === times, 'all to have failed');
      expect(new Set(failed().map(({ error }) => error?.code))).toEqual(new Set(['ORIGIN_CLOSED']));
      expect(errors).toEqual([]);
    }));

  it('may be killed as soon as it is there', () =>
    withTlsOrigin({}, {}, async (stage) => {
      stage.proxy.on('tcpStart', (flow) => flow.kill());
      const peer = await openTls(stage, 'db.test');
      await peer.ending;
      expect(stage.proxy.tcpFlows.last?.error?.code).toBe('KILLED');
    }));

  it('to an origin whose certificate is not trusted is a flow that failed, and the client is cut off', () =>
    withTlsOrigin({ upstreamCa: [] }, {}, async (stage) => {
      const hooks = hooksOf(stage);
      const tunnel = await openTunnel(stage, 'db.test:443');
      await expect(secured(tunnel, { servername: 'db.test', ca: stage.proxy.ca.cert })).rejects.toThrow();
      await stage.eventually(() => hooks.length === 2, 'tcpEnd');
      expect(hooks).toEqual(['tcpStart', 'tcpEnd ORIGIN_TLS']);
      const flow = stage.proxy.tcpFlows.last;
      expect([flow?.client.sni, flow?.server, flow?.messages]).toEqual(['db.test', undefined, []]);
    }));

  it('of a client with which TLS fails is none: clientError tells', () =>
    withTlsOrigin({ verifyUpstream: false, tcpHosts: ['^app[.]test:'] }, {}, async (stage, origin) => {
      const told = new Promise<string>((resolve) => {
        stage.proxy.on('clientError', (_client, error) => resolve(error.message));
      });
      const peer = await openTunnel(stage, 'db.test:443');
      await peer.send(CHROMIUM_HELLO);
      await peer.read(1);
      await peer.send('this is no TLS');
      expect(await told).toMatch(/ssl/i);
      expect(stage.proxy.tcpFlows).toHaveLength(0);
      // Its origin's connection is not left behind.
      await (await origin.accept()).ending;
    }));
});

describe('a connection without TLS that tcpHosts names', () => {
  it('is recorded at the first octet, whatever it begins', () =>
    withProxy(PLAIN, async (stage) => {
      await openTunnel(stage, stage.origin.host, 'G');
      const upstream = await stage.origin.accept();
      expect((await upstream.read(1)).toString()).toBe('G');
      const [flow] = [...stage.proxy.tcpFlows];
      expect(flow).toMatchObject({ client: { tls: false }, server: { tls: false } });
      expect(said(flow?.messages ?? [])).toEqual(['client: G']);
    }));

  it('has an id of its own among all flows', () =>
    withProxy(PLAIN, async (stage) => {
      await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      const { flow } = await openPlain(stage);
      expect([stage.proxy.flows.last?.id, flow.id]).toEqual(['1', '2']);
    }));

  it('may begin with the server, and what that says first is recorded', () =>
    withProxy(PLAIN, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      const upstream = await stage.origin.accept();
      await upstream.send('220 ready\r\n');
      await peer.read(11);
      await peer.send('EHLO me\r\n');
      await upstream.read(9);
      const [flow] = [...stage.proxy.tcpFlows];
      expect(said(flow?.messages ?? [])).toEqual(['server: 220 ready\r\n', 'client: EHLO me\r\n']);
    }));

  it('may be one of SOCKS', () =>
    withProxy({ ...PLAIN, mode: 'socks5' }, async (stage) => {
      const peer = await openSocks(stage, '127.0.0.1', stage.origin.port);
      const upstream = await stage.origin.accept();
      await upstream.send('220 ready');
      await peer.read(9);
      const flow = stage.proxy.tcpFlows.last;
      expect(said(flow?.messages ?? [])).toEqual(['server: 220 ready']);
      expect(flow?.server?.port).toBe(stage.origin.port);
    }));

  it('passes on an end as an end, and what was said before it', () =>
    withProxy(PLAIN, async (stage) => {
      const { peer, upstream, flow } = await openPlain(stage);
      await peer.send('the end');
      peer.end();
      expect((await upstream.rest()).toString()).toBe('the end');
      expect(upstream.ended).toBe('fin');
      await upstream.send('answer');
      upstream.end();
      expect((await peer.rest()).toString()).toBe('answer');
      expect(peer.ended).toBe('fin');
      await stage.eventually(() => flow.endedAt !== undefined, 'the end');
      expect(flow.error).toBeUndefined();
    }));

  it('passes on an end that came before the origin was there', () =>
    withChained(async (stage, chained) => {
      const peer = await openTunnel(stage, 'db.test:1', 'the end');
      peer.end();
      const origin = await chained.accept();
      await origin.head();
      // By then the end has come.
      await stage.eventually(() => peer.socket.writableFinished, 'the end to be sent');
      await standsStill(stage, () => peer.total);
      await origin.send('HTTP/1.1 200 OK\r\n\r\nhello');
      expect((await origin.rest()).toString()).toBe('the end');
      expect(origin.ended).toBe('fin');
      expect((await peer.read(5)).toString()).toBe('hello');
      const flow = stage.proxy.tcpFlows.last;
      expect(said(flow?.messages ?? []).sort()).toEqual(['client: the end', 'server: hello']);
      expect(flow?.server?.via).toBe(chained.host);
    }));

  it('of a client that left before the origin was there is a flow that failed', () =>
    withChained(async (stage, chained) => {
      const hooks = hooksOf(stage);
      const lost = new Promise((resolve) => stage.proxy.on('clientDisconnect', resolve));
      const peer = await openTunnel(stage, 'db.test:1', 'hello');
      const origin = await chained.accept();
      await origin.head();
      peer.reset();
      await lost;
      await origin.send('HTTP/1.1 200 OK\r\n\r\n');
      expect(await origin.ending).toBe('rst');
      expect(origin.unread).toHaveLength(0);
      await stage.eventually(() => hooks.length === 2, 'tcpEnd');
      expect(hooks).toEqual(['tcpStart', 'tcpEnd CLIENT_ABORTED']);
    }));

  it('whose origin was still being connected to when the proxy was closed failed for that', () =>
    withChained(async (stage, chained) => {
      const hooks = hooksOf(stage);
      await openTunnel(stage, 'db.test:1', 'hello');
      await (await chained.accept()).head();
      await stage.proxy.close();
      await stage.eventually(() => hooks.length === 2, 'tcpEnd');
      expect(hooks).toEqual(['tcpStart', 'tcpEnd PROXY_CLOSED']);
    }));

  it('passes on a reset as a reset, from either end', () =>
    withProxy(PLAIN, async (stage) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (_client, error) => void errors.push(error.message));
      const first = await openPlain(stage);
      first.upstream.reset();
      expect(await first.peer.ending).toBe('rst');
      expect(first.flow.error).toMatchObject({
        code: 'ORIGIN_CLOSED',
        message: expect.stringMatching(/ECONNRESET/),
      });
      const second = await openPlain(stage);
      second.peer.reset();
      expect(await second.upstream.ending).toBe('rst');
      expect(second.flow.error).toMatchObject({ code: 'CLIENT_ABORTED' });
      // The flow has told it.
      expect(errors).toEqual([]);
    }));

  it('to an origin that cannot be reached is a flow that failed', () =>
    withProxy({ tcpHosts: [':1$'] }, async (stage) => {
      const hooks = hooksOf(stage);
      const peer = await openTunnel(stage, '127.0.0.1:1', '\x00');
      expect(await peer.ending).toBe('rst');
      await stage.eventually(() => hooks.length === 2, 'tcpEnd');
      expect(hooks).toEqual(['tcpStart', 'tcpEnd ORIGIN_UNREACHABLE']);
    }));

  it('in absolute form is an ordinary flow', () =>
    withProxy(PLAIN, async (stage) => {
      await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      expect([stage.proxy.flows.length, stage.proxy.tcpFlows.length]).toEqual([1, 0]);
    }));
});
