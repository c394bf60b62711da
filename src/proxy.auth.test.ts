import { describe, expect, it } from '@jest/globals';
import { secured } from './listen/testing/tunnels.js';
import type { ProxyOptions } from './options/types.js';
import { curl, noCurl } from './testing/curl.js';
import { sendCut } from './testing/cut.js';
import { ask } from './testing/http2.js';
import { http2Over } from './testing/http2-over.js';
import { RawOrigin, type RawPeer } from './testing/raw-peer.js';
import { testProxy } from './testing/test-proxy.js';
import { itUnless } from './testing/unless.js';
import { sendMany, standsStill } from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CHALLENGE = 'Basic realm="sluice", charset="UTF-8"';
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const RIGHT = `Proxy-Authorization: ${basic('me:pa:ss')}`;

/** A proxy that wants a name and password, and what it told `clientError`. */
function withAuth(
  options: ProxyOptions,
  play: (stage: Stage, errors: string[]) => Promise<void>,
): Promise<void> {
  return withProxy({ proxyAuth: 'me:pa:ss', ...options }, (stage) => {
    const errors: string[] = [];
    stage.proxy.on('clientError', (_client, error) => void errors.push(error.message));
    stage.proxy.mapHost('app.test', stage.origin.host);
    return play(stage, errors);
  });
}

const head = (line: string, ...fields: string[]) =>
  `${[line, 'Host: app.test', ...fields].join('\r\n')}\r\n\r\n`;
const get = (...fields: string[]) => head('GET http://app.test/path HTTP/1.1', ...fields);
const SEEN = 'GET /path HTTP/1.1\r\nHost: app.test\r\n\r\n';

/** Reads a challenge. */
async function challenged(peer: RawPeer, status = 407): Promise<string> {
  const answer = await peer.head();
  const field = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer).toContain(`\r\n${field}: ${CHALLENGE}\r\n`);
  const length = Number(/Content-Length: (\d+)/.exec(answer)?.[1]);
  expect((await peer.read(length)).toString()).toContain('this proxy wants a user name and password');
  return answer;
}

async function served(stage: Stage, peer: RawPeer, seen = SEEN): Promise<void> {
  const upstream = stage.origin.connections[0] ?? (await stage.origin.accept());
  expect(await upstream.head()).toBe(seen);
  await upstream.send(OK);
  expect((await peer.read(OK.length)).toString()).toBe(OK);
}

describe('proxyAuth', () => {
  it('has every request of a connection give name and password, and lets the connection go on', () =>
    withAuth({}, async (stage, errors) => {
      const peer = await stage.client();
      await peer.send(get());
      expect(await challenged(peer)).not.toContain('Connection');
      await peer.send(get(`Proxy-Authorization: ${basic('me:pass')}`));
      await challenged(peer);
      await peer.send(get(RIGHT));
      await served(stage, peer);
      await peer.send(get());
      await challenged(peer);
      await peer.send(get(RIGHT));
      await served(stage, peer);
      // Asking is no flow: it is told to clientError.
      expect(stage.proxy.flows).toHaveLength(2);
      expect(errors).toEqual([
        'a request was not let through: there is no proxy-authorization',
        expect.stringContaining('another user name or password'),
        'a request was not let through: there is no proxy-authorization',
      ]);
    }));

  it('is seen by nobody but the proxy', () =>
    withAuth({}, async (stage, errors) => {
      const seen: unknown[] = [];
      stage.proxy.on(
        'requestHeaders',
        ({ request }) => void seen.push(request.headers.get('proxy-authorization')),
      );
      const peer = await stage.client();
      await peer.send(get(RIGHT, 'Proxy-Connection: keep-alive'));
      await served(stage, peer, SEEN.replace('\r\n\r\n', '\r\nConnection: keep-alive\r\n\r\n'));
      const { request } = await stage.over();
      expect(seen).toEqual([undefined]);
      expect(JSON.stringify([...request.headers])).not.toContain('roxy-');
      expect(JSON.stringify([stage.proxy.har(), errors])).not.toContain(basic('me:pa:ss').slice(6));
    }));

  it('is not forwarded in a request that is refused as a loop either', () =>
    withAuth({}, async (stage) => {
      const own = `127.0.0.1:${stage.proxy.port}`;
      const peer = await stage.client();
      await peer.send(get(RIGHT).replaceAll('app.test', own));
      expect(await peer.head()).toMatch(/^HTTP\/1\.1 508 /);
      const { request, error } = await stage.over();
      expect(error?.code).toBe('PROXY_LOOP');
      expect(request.headers.has('proxy-authorization')).toBe(false);
    }));

  it('is not asked of a request that has come round to the proxy', async () => {
    // The port has to be known beforehand.
    const { port, close } = await testProxy().then((proxy) => ({
      port: proxy.port,
      close: () => proxy.close(),
    }));
    await close();
    await withAuth({ port, upstream: { server: `127.0.0.1:${port}` } }, async (stage, errors) => {
      const peer = await stage.client();
      await peer.send(get(RIGHT).replaceAll('app.test', 'other.test'));
      expect(await peer.head()).toMatch(/^HTTP\/1\.1 508 /);
      expect([stage.proxy.flows.length, errors]).toEqual([2, []]);
    });
  });

  it('is understood however requests and their bodies are cut, and passes over those', () =>
    withAuth({}, async (stage) => {
      const peer = await stage.client();
      const all = [
        `${head('POST http://app.test/path HTTP/1.1', 'Content-Length: 5')}body!`,
        `${head('POST http://app.test/path HTTP/1.1', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\nX: y\r\n\r\n`,
        get(RIGHT),
      ].join('');
      await sendCut(peer, all);
      await challenged(peer);
      await challenged(peer);
      await served(stage, peer);
      const again = await stage.client();
      await again.send(all);
      await challenged(again);
      await challenged(again);
      await served(stage, again);
    }));

  it('does not wait for a body that was offered with Expect, nor for another request of HTTP/1.0', () =>
    withAuth({}, async (stage) => {
      for (const ask of [
        head('POST http://app.test/ HTTP/1.1', 'Content-Length: 5', 'Expect: 100-continue'),
        head('GET http://app.test/ HTTP/1.0'),
        get('Connection: close'),
      ]) {
        const peer = await stage.client();
        await peer.send(ask);
        expect(await challenged(peer)).toContain('Connection: close');
        expect(await peer.ending).toBe('fin');
      }
      const old = await stage.client();
      await old.send(head('GET http://app.test/path HTTP/1.0', 'Connection: keep-alive'));
      expect(await challenged(old)).toContain('Connection: keep-alive');
      await old.send(head('GET http://app.test/path HTTP/1.0', RIGHT));
      await served(stage, old, SEEN.replace('1.1', '1.0'));
    }));

  it('does not read on while answers are not read', () =>
    withAuth({}, async (stage) => {
      const peer = await stage.client();
      peer.pause();
      const many = Buffer.from(get().repeat(2000));
      const flood = sendMany(peer, many, 400);
      const failed = flood.done.catch(() => undefined);
      await standsStill(stage, () => flood.sent);
      expect(flood.sent * many.length).toBeLessThan(24 * 1024 * 1024);
      peer.destroy();
      await failed;
    }));

  it('ends with a client that stops in a body', () =>
    withAuth({ timeouts: { idle: 50 } }, async (stage) => {
      const peer = await stage.client();
      await peer.send(head('POST http://app.test/ HTTP/1.1', 'Content-Length: 5'), 'bo');
      await challenged(peer);
      await peer.ending;
      const half = await stage.client();
      await half.send(get());
      half.end();
      await challenged(half);
      expect(await half.ending).toBe('fin');
    }));

  it('comes after what is wrong with a request', () =>
    withAuth({}, async (stage) => {
      for (const sent of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET http://app.test/ HTTP/1.1\r\n\r\n']) {
        const peer = await stage.client();
        await peer.send(sent);
        expect(await peer.head()).toMatch(/^HTTP\/1\.1 400 /);
      }
    }));

  it('is asked for over HTTP/2', () =>
    withAuth({}, async (stage) => {
      const { socket } = await stage.client();
      const session = await http2Over(socket);
      const fields = { ':method': 'POST', ':path': '/path', ':authority': 'app.test' };
      const refused = await ask(session, fields, 'body');
      expect([refused.status, refused.headers['proxy-authenticate']]).toEqual([407, CHALLENGE]);
      const answer = ask(session, {
        ':path': '/path',
        ':authority': 'app.test',
        'proxy-authorization': basic('me:pa:ss'),
      });
      let upstream = await stage.origin.accept();
      let seen = await upstream.head();
      if (seen.startsWith('PRI')) {
        // The origin speaks HTTP/1.1.
        upstream.end();
        upstream = await stage.origin.accept();
        seen = await upstream.head();
      }
      expect(seen).toBe('GET /path HTTP/1.1\r\nhost: app.test\r\n\r\n');
      await upstream.send(OK);
      expect((await answer).status).toBe(200);
      expect(stage.proxy.flows).toHaveLength(1);
      session.destroy();
    }));
});

describe('fetch and env', () => {
  it('know what proxyAuth wants', () =>
    withProxy({ proxyAuth: 'm@e:pa:s/s' }, async ({ proxy, origin }) => {
      const answer = proxy.fetch(`http://${origin.host}/path`);
      const upstream = await origin.accept();
      expect(await upstream.head()).not.toMatch(/proxy/i);
      await upstream.send(OK);
      expect(await (await answer).text()).toBe('ok');
      expect(proxy.env.http_proxy).toBe(`http://m%40e:pa%3As%2Fs@127.0.0.1:${proxy.port}`);
      expect(proxy.server).not.toContain('@');
    }));

  it('are for mode regular', async () => {
    for (const mode of ['socks5', 'reverse:http://app.test'] as const) {
      await withProxy({ mode }, async ({ proxy }) => {
        expect(() => proxy.env).toThrow("give mode 'regular'");
        await expect(proxy.fetch('http://app.test/')).rejects.toMatchObject({ code: 'BAD_OPTION' });
      });
    }
  });
});

describe('proxyAuth for CONNECT', () => {
  const connect = (...fields: string[]) => head('CONNECT app.test:443 HTTP/1.1', ...fields);

  it('is asked for once: what comes in the tunnel was let in with it', () =>
    withAuth({}, async (stage, errors) => {
      stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
      const peer = await stage.client();
      await peer.send(connect());
      await challenged(peer);
      await peer.send(connect(`Proxy-Authorization: ${basic('you:pa:ss')}`));
      await challenged(peer);
      await peer.send(connect(RIGHT));
      expect(await peer.head()).toBe('HTTP/1.1 200 Connection established\r\n\r\n');
      const secure = await secured(peer, { servername: 'app.test', ca: stage.proxy.ca.cert });
      await secure.send(head('GET /path HTTP/1.1', 'Authorization: Bearer of-the-app'));
      await served(stage, secure, head('GET /path HTTP/1.1', 'Authorization: Bearer of-the-app'));
      expect(stage.proxy.flows).toHaveLength(1);
      expect(errors).toHaveLength(2);
    }));

  it('is not given to a chained proxy, which has its own', async () => {
    const chained = await RawOrigin.listen();
    try {
      const upstream = { server: chained.host, username: 'us', password: 'them' };
      await withProxy({ proxyAuth: 'me:pa:ss', upstream }, async (stage) => {
        const peer = await stage.client();
        await peer.send(get(RIGHT));
        const hop = await chained.accept();
        expect(await hop.head()).toBe(get(`Proxy-Authorization: ${basic('us:them')}`));
      });
    } finally {
      chained.close();
    }
  });
});

describe('proxyAuth in mode reverse:URL', () => {
  const REVERSE = { mode: 'reverse:http://app.test' } as const;

  it('is the authentication of an origin', () =>
    withAuth(REVERSE, async (stage, errors) => {
      const peer = await stage.client();
      await peer.send(head('GET /path HTTP/1.1'));
      await challenged(peer, 401);
      await peer.send(head('GET /path HTTP/1.1', RIGHT));
      await challenged(peer, 401);
      await peer.send(head('GET /path HTTP/1.1', `Authorization: ${basic('me:pa:ss')}`));
      await served(stage, peer);
      expect((await stage.over()).request.headers.has('authorization')).toBe(false);
      expect([stage.proxy.flows.length, errors.length]).toEqual([1, 2]);
    }));

  it('is asked for over TLS and HTTP/2 too', () =>
    withAuth(REVERSE, async (stage) => {
      const ca = stage.proxy.ca.cert;
      const secure = await secured(await stage.client(), { servername: 'app.test', ca });
      await secure.send(head('GET /path HTTP/1.1'));
      await challenged(secure, 401);
      const { socket } = await secured(await stage.client(), { servername: 'app.test', ca });
      const session = await http2Over(socket);
      const { status, headers } = await ask(session, { ':path': '/', ':authority': 'x' });
      expect([status, headers['www-authenticate']]).toEqual([401, CHALLENGE]);
      session.destroy();
      expect(stage.origin.connections).toHaveLength(0);
    }));
});

describe('curl', () => {
  itUnless(noCurl, 'gets through with -U, and not without', () =>
    withAuth({}, async (stage) => {
      const proxy = ['-x', `127.0.0.1:${stage.proxy.port}`];
      const url = 'http://app.test/path';
      const status = ['-o', '-', '-w', '%{http_code}'];
      expect(await curl(...proxy, ...status, url)).toMatchObject({ out: expect.stringMatching(/407$/) });
      const wrong = await curl(...proxy, ...status, '-U', 'me:pa', url);
      expect(wrong).toMatchObject({ out: expect.stringMatching(/407$/) });
      for (const how of [[], ['--proxy-anyauth'], ['--proxytunnel']]) {
        const done = curl(...proxy, ...how, '-U', 'me:pa:ss', url);
        const upstream = await stage.origin.accept();
        expect(await upstream.head()).not.toMatch(/proxy/i);
        await upstream.send(OK);
        expect(await done).toMatchObject({ code: 0, out: 'ok' });
        // The next one has a connection of its own.
        upstream.end();
        await upstream.ending;
      }
      expect(stage.proxy.flows).toHaveLength(3);
    }),
  );
});
