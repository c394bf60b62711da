import { describe, expect, it } from '@jest/globals';
import { openTls, TlsOrigin } from '../listen/testing/tunnels.js';
import { problemOf, type Stage, withProxy } from '../testing/with-proxy.js';

/** Sends a request of its own connection; gives the head that the origin saw. */
async function ask(stage: Stage, path: string, fields = '', answer = ''): Promise<string> {
  const { head, upstream, client } = await stage.exchange(
    `GET http://{origin}${path} HTTP/1.1\r\nHost: {origin}${fields}`,
  );
  const response = `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n${answer}\r\n`;
  await upstream.send(response);
  await client.head();
  return head;
}

const fieldOf = (head: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1];

describe('stickyCookie', () => {
  it('adds what was set to requests that have no cookie, on the record too', () =>
    withProxy({ stickyCookie: '**' }, async (stage) => {
      const set = 'Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/; HttpOnly\r\n';
      expect(fieldOf(await ask(stage, '/login', '', set), 'cookie')).toBeUndefined();
      expect(fieldOf(await ask(stage, '/next'), 'cookie')).toBe('a=1; b=2');
      expect(stage.proxy.flows.last?.request.headers.get('cookie')).toBe('a=1; b=2');
      expect(fieldOf(await ask(stage, '/own', '\r\nCookie: mine=1'), 'cookie')).toBe('mine=1');
      await ask(stage, '/logout', '', 'Set-Cookie: a=; Path=/; Max-Age=0\r\n');
      expect(fieldOf(await ask(stage, '/after'), 'cookie')).toBe('b=2');
    }));

  it('remembers of flows that match, and adds to requests that match', () =>
    withProxy({ stickyCookie: { path: '/api/**' } }, async (stage) => {
      await ask(stage, '/other', '', 'Set-Cookie: other=1; Path=/\r\n');
      await ask(stage, '/api/login', '', 'Set-Cookie: api=1; Path=/\r\n');
      expect(fieldOf(await ask(stage, '/other'), 'cookie')).toBeUndefined();
      expect(fieldOf(await ask(stage, '/api/next'), 'cookie')).toBe('api=1');
    }));

  it('looks at requests, also where it remembers: a query of headers means theirs', () =>
    withProxy({ stickyCookie: { headers: { 'x-user': 'me' } } }, async (stage) => {
      await ask(stage, '/', '\r\nX-User: me', 'Set-Cookie: a=1\r\n');
      await ask(stage, '/', '\r\nX-User: you', 'Set-Cookie: b=2\r\nX-User: me\r\n');
      expect(fieldOf(await ask(stage, '/', '\r\nX-User: me'), 'cookie')).toBe('a=1');
      expect(fieldOf(await ask(stage, '/', '\r\nX-User: you'), 'cookie')).toBeUndefined();
    }));

  it('adds to streamed requests, and remembers of streamed responses and handshakes', () =>
    withProxy({ stickyCookie: /127/ }, async (stage) => {
      stage.proxy.stream('**');
      await ask(stage, '/', '', 'Set-Cookie: a=1\r\n');
      const { head, upstream } = await stage.exchange(
        'POST http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 5',
        'hel',
      );
      expect(fieldOf(head, 'cookie')).toBe('a=1');
      // Known as soon as the head is there, though the response never ends.
      await upstream.send('HTTP/1.1 200 OK\r\nSet-Cookie: b=2\r\nContent-Length: 9\r\n\r\n');
      await stage.proxy.waitForResponse({ method: 'POST' });
      expect(fieldOf(await ask(stage, '/'), 'cookie')).toBe('a=1; b=2');
    }));

  it('takes a match that answers late, and hooks that run after it', () =>
    withProxy({ stickyCookie: (flow) => Promise.resolve(flow.request.path !== '/no') }, async (stage) => {
      stage.proxy.on('requestHeaders', ({ request }) => {
        if (request.path === '/edited')
          request.headers.set('Cookie', `${request.headers.get('Cookie')}; c=3`);
      });
      await ask(stage, '/', '', 'Set-Cookie: a=1\r\n');
      expect(fieldOf(await ask(stage, '/edited'), 'cookie')).toBe('a=1; c=3');
      expect(fieldOf(await ask(stage, '/no'), 'cookie')).toBeUndefined();
    }));

  it('fails flows, and the test, with what its function throws', () =>
    withProxy(
      {
        stickyCookie: () => {
          throw new Error('mine');
        },
      },
      async (stage) => {
        const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
        await upstream.send('HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n');
        expect(await client.head()).toContain('502 Bad Gateway');
        expect((await stage.over()).error?.code).toBe('HOOK_FAILED');
        expect(String(await problemOf(stage.proxy))).toContain('mine');
      },
    ));

  it('keeps secure cookies to TLS', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      const hosts = { 'app.test': origin.host };
      await withProxy({ hosts, upstreamCa: origin.ca, stickyCookie: '**' }, async (stage) => {
        const peer = await openTls(stage, 'app.test');
        await peer.send('GET /a HTTP/1.1\r\nHost: app.test\r\n\r\n');
        const upstream = await origin.accept();
        await upstream.head();
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=1; Secure\r\n\r\n');
        await peer.head();
        await peer.send('GET /b HTTP/1.1\r\nHost: app.test\r\n\r\n');
        expect(fieldOf(await upstream.head(), 'cookie')).toBe('s=1');
        stage.proxy.mapHost('app.test', stage.origin.host);
        await (await stage.client()).send('GET http://app.test:443/ HTTP/1.1\r\nHost: app.test:443\r\n\r\n');
        expect(fieldOf(await (await stage.origin.accept()).head(), 'cookie')).toBeUndefined();
      });
    } finally {
      origin.close();
    }
  });
});

describe('stickyAuth', () => {
  it('adds what a host was given to requests that have none', () =>
    withProxy({ stickyAuth: '**', hosts: { '*.test': '127.0.0.1' } }, async (stage) => {
      expect(fieldOf(await ask(stage, '/first'), 'authorization')).toBeUndefined();
      await ask(stage, '/login', '\r\nAuthorization: Basic bWU6b25l');
      expect(fieldOf(await ask(stage, '/next'), 'authorization')).toBe('Basic bWU6b25l');
      await ask(stage, '/login', '\r\nAuthorization: Bearer two');
      expect(fieldOf(await ask(stage, '/next'), 'authorization')).toBe('Bearer two');
      const { port } = stage.origin;
      const { head } = await stage.exchange(
        `GET http://other.test:${port}/ HTTP/1.1\r\nHost: other.test:${port}`,
      );
      expect(fieldOf(head, 'authorization')).toBeUndefined();
    }));

  it('minds its match on either side', () =>
    withProxy({ stickyAuth: { path: '/api/**' } }, async (stage) => {
      await ask(stage, '/other', '\r\nAuthorization: Bearer other');
      expect(fieldOf(await ask(stage, '/api/a'), 'authorization')).toBeUndefined();
      await ask(stage, '/api/login', '\r\nAuthorization: Bearer api');
      expect(fieldOf(await ask(stage, '/api/b'), 'authorization')).toBe('Bearer api');
      expect(fieldOf(await ask(stage, '/other'), 'authorization')).toBeUndefined();
    }));

  it('is not there unless it is asked for, and neither is stickyCookie', () =>
    withProxy({}, async (stage) => {
      await ask(stage, '/', '\r\nAuthorization: Bearer me', 'Set-Cookie: a=1\r\n');
      const head = await ask(stage, '/');
      expect([fieldOf(head, 'authorization'), fieldOf(head, 'cookie')]).toEqual([undefined, undefined]);
    }));
});
