import { describe, expect, it } from '@jest/globals';
import type { ClientInfo } from './index.js';
import { openSocks } from './listen/testing/socks.js';
import { openTls, openTunnel, secured, TlsOrigin } from './listen/testing/tunnels.js';
import { withProxy } from './testing/with-proxy.js';
import { CHROMIUM_HELLO } from './tls/testing/hellos.js';

const GET = 'GET /path HTTP/1.1\r\nHost: app.test\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Where a stage's origin is. */
const ORIGIN = '^127[.]0[.]0[.]1:';

describe('a tunnel that ignoreHosts names', () => {
  it('is TLS between client and origin, without a flow or hook', async () => {
    const origin = await TlsOrigin.listen('pinned.test');
    try {
      // A map of names leads there all the same, but its scheme has no say: TLS is the client's.
      for (const scheme of ['', 'http://', 'https://']) {
        const hosts = { 'pinned.test': `${scheme}${origin.host}` };
        await withProxy({ ignoreHosts: [/^pinned[.]test:443$/], hosts }, async (stage) => {
          const tunnel = await openTunnel(stage, 'pinned.test:443');
          // The proxy's CA would not do.
          const peer = await secured(tunnel, { servername: 'pinned.test', ca: origin.ca });
          await peer.send(GET);
          const upstream = await origin.accept();
          expect(await upstream.head()).toBe(GET);
          await upstream.send(OK);
          expect((await peer.read(OK.length)).toString()).toBe(OK);
          expect([stage.proxy.flows.length, stage.proxy.tcpFlows.length, stage.hooks]).toEqual([0, 0, []]);
        });
      }
    } finally {
      origin.close();
    }
  });

  it('passes what comes with CONNECT, and a server that speaks first', () =>
    withProxy({ ignoreHosts: [ORIGIN] }, async (stage) => {
      const { host } = stage.origin;
      await openTunnel(stage, host, GET);
      expect(await (await stage.origin.accept()).head()).toBe(GET);
      const silent = await openTunnel(stage, host);
      await (await stage.origin.accept()).send('220 ready\r\n');
      expect((await silent.read('\r\n')).toString()).toBe('220 ready\r\n');
      expect(stage.proxy.flows).toHaveLength(0);
    }));

  it('has its octets counted', () =>
    withProxy({ ignoreHosts: [ORIGIN] }, async (stage) => {
      const clients: ClientInfo[] = [];
      stage.proxy.on('clientDisconnect', (client) => void clients.push(client));
      const { host } = stage.origin;
      const peer = await openTunnel(stage, host, '12345');
      const upstream = await stage.origin.accept();
      await upstream.read(5);
      await peer.send('678');
      await upstream.read(3);
      const size = 3 * 1024 * 1024;
      await Promise.all([upstream.send(Buffer.alloc(size)), peer.read(size)]);
      peer.end();
      await upstream.ending;
      upstream.end();
      await stage.eventually(() => clients.length === 1, 'clientDisconnect');
      expect(clients[0]).toMatchObject({ tunnel: host, tls: false, passthrough: { up: 8, down: size } });
    }));

  it('is found by text without regard to case, by a RegExp as it says, and as often as it is looked for', async () => {
    const lists: [list: (RegExp | string)[], ignored: boolean][] = [
      [['^127[.]0.0.1:[0-9]+$'], true],
      [['nothing', '0[.]1:'], true],
      [['^LOCALHOST:'], false],
      [[/0[.]1:/g], true],
      [[/^127/y], true],
      [[/:80$/], false],
    ];
    for (const [ignoreHosts, ignored] of lists) {
      await withProxy({ ignoreHosts }, async (stage) => {
        for (let i = 0; i < 2; i++) {
          await openTunnel(stage, stage.origin.host, GET);
          const upstream = await stage.origin.accept();
          expect(await upstream.head()).toBe(GET);
        }
        expect([ignoreHosts, stage.proxy.flows.length]).toEqual([ignoreHosts, ignored ? 0 : 2]);
      });
    }
    await withProxy({ ignoreHosts: ['LOCALHOST:'] }, async (stage) => {
      await openTunnel(stage, `LocalHost:${stage.origin.port}`, '\x16');
      expect((await (await stage.origin.accept()).read(1)).toString()).toBe('\x16');
    });
  });

  it('may be named by the server name in its hello, whichever address it leads to', async () => {
    const origin = await TlsOrigin.listen('pinned.test');
    try {
      const ignoreHosts = [new RegExp(`^pinned[.]test:${origin.port}$`)];
      await withProxy({ ignoreHosts, upstreamCa: origin.ca }, async (stage) => {
        const tunnel = await openTunnel(stage, origin.host);
        const peer = await secured(tunnel, { servername: 'PINNED.test', ca: origin.ca });
        await peer.send(GET);
        expect(await (await origin.accept()).head()).toBe(GET);
        expect(stage.proxy.flows).toHaveLength(0);
        // Another name at the same address is not left alone.
        const other = await secured(await openTunnel(stage, origin.host), {
          servername: 'other.test',
          ca: stage.proxy.ca.cert,
        });
        await other.send('GET / HTTP/1.1\r\nHost: other.test\r\n\r\n');
        await stage.proxy.waitForRequest({ host: 'other.test' });
      });
    } finally {
      origin.close();
    }
  });

  it('may be named by a hello that comes octet by octet', async () => {
    await withProxy({ ignoreHosts: ['^app[.]test:'] }, async (stage) => {
      const [first = 0, ...others] = CHROMIUM_HELLO;
      const peer = await openTunnel(stage, stage.origin.host, Buffer.from([first]));
      for (const octet of others) await peer.send(Buffer.from([octet]));
      const upstream = await stage.origin.accept();
      expect((await upstream.read(CHROMIUM_HELLO.length)).equals(CHROMIUM_HELLO)).toBe(true);
    });
  });

  it('may be one of SOCKS, and its server may speak first', () =>
    withProxy({ ignoreHosts: [ORIGIN], mode: 'socks5' }, async (stage) => {
      const peer = await openSocks(stage, '127.0.0.1', stage.origin.port);
      const upstream = await stage.origin.accept();
      await upstream.send('220 ready');
      expect((await peer.read(9)).toString()).toBe('220 ready');
      await peer.send(GET);
      expect(await upstream.head()).toBe(GET);
      expect(stage.proxy.flows).toHaveLength(0);
    }));

  it('passes on an end as an end, and a reset as a reset', () =>
    withProxy({ ignoreHosts: [ORIGIN] }, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      const upstream = await stage.origin.accept();
      peer.end();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('still talking');
      await peer.read(13);
      upstream.reset();
      expect(await peer.ending).toBe('rst');
    }));

  it('to an origin that cannot be reached is closed, and told to clientError', () =>
    withProxy({ ignoreHosts: [':1$'] }, async (stage) => {
      const told = new Promise<string>((resolve) => {
        stage.proxy.on('clientError', (_client, error) => resolve(error.message));
      });
      const peer = await openTunnel(stage, '127.0.0.1:1');
      expect(await told).toBe('127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1');
      await peer.ending;
    }));

  it('that leads back here through a map of names is closed, and told', () =>
    withProxy({ ignoreHosts: ['loop'] }, async (stage) => {
      stage.proxy.mapHost('loop.test', `127.0.0.1:${stage.proxy.port}`);
      const told = new Promise<string>((resolve) => {
        stage.proxy.on('clientError', (_client, error) => resolve(error.message));
      });
      const peer = await openTunnel(stage, 'loop.test:443');
      expect(await told).toContain('is this proxy itself');
      await peer.ending;
    }));
});

describe('what is not a tunnel to a host of ignoreHosts', () => {
  it('is recorded: requests in absolute form, and other tunnels', () =>
    withProxy({ ignoreHosts: [ORIGIN] }, async (stage) => {
      await stage.exchange('GET http://{origin}/plain HTTP/1.1\r\nHost: {origin}');
      stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
      const peer = await openTls(stage, 'app.test');
      await peer.send(GET);
      await (await stage.origin.accept()).head();
      expect(stage.proxy.flows.map(({ request }) => request.path)).toEqual(['/plain', '/path']);
    }));

  it('has its octets counted too, where they pass unrecorded', () =>
    withProxy({}, async (stage) => {
      const left = new Promise<ClientInfo>((resolve) => {
        stage.proxy.on('clientDisconnect', resolve);
      });
      const peer = await openTunnel(stage, stage.origin.host, '\x00\x01');
      const upstream = await stage.origin.accept();
      await upstream.read(2);
      peer.end();
      await upstream.ending;
      upstream.end();
      expect((await left).passthrough).toEqual({ up: 2, down: 0 });
    }));
});
