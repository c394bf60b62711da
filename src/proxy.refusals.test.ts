import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { openTunnel } from './listen/testing/tunnels.js';
import { RawPeer } from './testing/raw-peer.js';
import { testProxy } from './testing/test-proxy.js';
import { withProxy } from './testing/with-proxy.js';

const HOST = 'Host: {origin}\r\n';
const POST = `POST http://{origin}/x HTTP/1.1\r\n${HOST}`;
const chunked = (body: string) => `${POST}Transfer-Encoding: chunked\r\n\r\n${body}`;

/** Requests that different parsers read differently, and what they are answered. */
const REQUESTS: Record<string, [request: string, status: number]> = {
  'Content-Length and Transfer-Encoding': [
    `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  'differing Content-Lengths': [`${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
  'a Content-Length that is none': [`${POST}Content-Length: +3\r\n\r\nabc`, 400],
  'a length over 2^53': [`${POST}Content-Length: 9007199254740993\r\n\r\n`, 413],
  'an unknown last transfer coding': [`${POST}Transfer-Encoding: chunked, gzip\r\n\r\n`, 400],
  'Transfer-Encoding in HTTP/1.0': [
    `POST http://{origin}/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  'a bare LF': [`GET http://{origin}/ HTTP/1.1\n${HOST}\r\n`, 400],
  'a bare CR': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`, 400],
  'a NUL': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`, 400],
  'a space before the colon': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}X : a\r\n\r\n`, 400],
  'a folded line': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`, 400],
  'a line without a colon': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}X\r\n\r\n`, 400],
  'no Host': ['GET http://{origin}/ HTTP/1.1\r\n\r\n', 400],
  'two Hosts': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400],
  'a Host that is none': ['GET http://{origin}/ HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  'a Host with a path': ['GET http://{origin}/ HTTP/1.1\r\nHost: a.test/x\r\n\r\n', 400],
  'a Host with userinfo': ['GET http://{origin}/ HTTP/1.1\r\nHost: me@a.test\r\n\r\n', 400],
  'a space in the target': [`GET http://{origin}/a b HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a fragment in the target': [`GET http://{origin}/a#b HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a fragment right after the authority': [`GET http://{origin}#b HTTP/1.1\r\n${HOST}\r\n`, 400],
  'userinfo in the target': [`GET http://me:too@{origin}/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a target without a host': [`GET http:///x HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a port that is none': [`GET http://a.test:99999/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  'another scheme': [`GET ftp://{origin}/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a target that is no URL': [`GET x HTTP/1.1\r\n${HOST}\r\n`, 400],
  'an asterisk for GET': [`GET * HTTP/1.1\r\n${HOST}\r\n`, 400],
  'HTTP/2 in so many words': [`GET http://{origin}/ HTTP/2.0\r\n${HOST}\r\n`, 505],
  'no HTTP at all': ['\x16\x03\x01 not a request\r\n\r\n', 400],
  'a head over 64 KiB': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}X: ${'x'.repeat(64 * 1024)}\r\n\r\n`, 431],
  'over 256 fields': [`GET http://{origin}/ HTTP/1.1\r\n${HOST}${'X: 1\r\n'.repeat(256)}\r\n`, 431],
  'CONNECT with Content-Length': [`CONNECT {origin} HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`, 400],
  'CONNECT with Transfer-Encoding': [
    `CONNECT {origin} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    400,
  ],
  'CONNECT without a port': [`CONNECT a.test HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a chunk size that is none': [chunked('xyz\r\n'), 400],
  'a chunk size with a sign': [chunked('+3\r\nabc\r\n0\r\n\r\n'), 400],
  'a chunk longer than it says': [chunked('3\r\nabcd\r\n0\r\n\r\n'), 400],
  'a chunk line with a bare LF': [chunked('3\nabc\r\n0\r\n\r\n'), 400],
  'a chunk size over 2^53': [chunked('ffffffffffffff\r\n'), 413],
  'a chunk line over 4 KiB': [chunked(`3;${'x'.repeat(4096)}\r\nabc\r\n0\r\n\r\n`), 431],
  'trailers over 16 KiB': [chunked(`0\r\nX: ${'x'.repeat(16 * 1024)}\r\n\r\n`), 431],
  'Content-Length among the trailers': [chunked('0\r\nContent-Length: 3\r\n\r\n'), 400],
};

describe('a request is refused, recorded and never forwarded', () => {
  for (const [what, [request, status]] of Object.entries(REQUESTS)) {
    it(what, () =>
      withProxy({}, async ({ client, origin, proxy, hooks }) => {
        const peer = await client();
        await peer.send(request.replaceAll('{origin}', origin.host));
        expect((await peer.rest()).toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*\r\nContent`));
        expect(peer.ended).toBe('fin');
        expect(proxy.flows).toHaveLength(1);
        expect(proxy.flows.last?.error?.code).toBe('CLIENT_PROTOCOL');
        expect(hooks.at(-1)).toBe('error');
        expect(hooks).not.toContain('request');
        expect(origin.connections).toHaveLength(0);
      }),
    );
  }

  it('within a tunnel too, with the URL as far as it is known', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      await peer.send('GET /a#b HTTP/1.1\r\nHost: a.test\r\n\r\n');
      expect(await peer.head()).toContain('400 Bad Request');
      expect(stage.proxy.flows.last?.request.url).toBe(`http://${stage.origin.host}/a#b`);
      expect(stage.origin.connections).toHaveLength(0);
    }));

  it('in plain text, in which what it quotes is short and harmless', () =>
    withProxy({}, async ({ client }) => {
      const peer = await client();
      await peer.send(`GET /<script>\x9b31m${'x'.repeat(10_000)} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      const head = await peer.head();
      expect(head).toContain('\r\nContent-Type: text/plain; charset=utf-8\r\n');
      expect(head).toContain('\r\nX-Content-Type-Options: nosniff\r\n');
      const body = (await peer.rest()).toString();
      expect(head).toContain(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`);
      expect(body).toContain('asked for /<script>\\x9b31mxxx');
      expect(body).toMatch(/^[\x20-\x7e]+\u2026\n$/);
      expect(body.length).toBeLessThanOrEqual(1002);
    }));

  it('whatever else was pipelined behind it', () =>
    withProxy({}, async ({ client, origin, proxy }) => {
      const peer = await client();
      await peer.send(
        `POST http://${origin.host}/x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n`,
        `GET http://${origin.host}/ HTTP/1.1\r\nHost: ${origin.host}\r\n\r\n`,
      );
      await peer.rest();
      expect(proxy.flows).toHaveLength(1);
      expect(origin.connections).toHaveLength(0);
    }));

  it('and told by its first line, however it was cut', () =>
    withProxy({}, async ({ client, proxy }) => {
      const peer = await client();
      for (const octet of '\r\nPUT http://a.test/x HTTP/1.1\r\nBad Line\r\n\r\n') await peer.send(octet);
      await peer.rest();
      expect(proxy.flows.last?.request).toMatchObject({ method: 'PUT', url: 'http://a.test/x' });
    }));
});

/** Replies that are not HTTP, to GET. */
const RESPONSES: Record<string, string> = {
  'no HTTP': 'SSH-2.0-x\r\n\r\n',
  'another version': 'HTTP/2.0 200 OK\r\n\r\n',
  'a status that is none': 'HTTP/1.1 20 OK\r\n\r\n',
  'Content-Length and Transfer-Encoding':
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two Content-Lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
  'a bare LF': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'a folded line': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n',
  'a space before the colon': 'HTTP/1.1 200 OK\r\nX : a\r\n\r\n',
  'a bad chunk size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
  'a head over 64 KiB': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(64 * 1024)}\r\n\r\n`,
  'over 256 fields': `HTTP/1.1 200 OK\r\n${'X: 1\r\n'.repeat(257)}\r\n`,
};

describe('a response is refused with 502', () => {
  for (const [what, response] of Object.entries(RESPONSES)) {
    it(what, () =>
      withProxy({}, async (stage) => {
        const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
        await upstream.send(response);
        expect((await client.rest()).toString()).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n.*ORIGIN_PROTOCOL/s);
        expect((await stage.over()).error?.code).toBe('ORIGIN_PROTOCOL');
        await upstream.ending;
      }),
    );
  }

  it('over 1000 interim responses', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      const interim = 'HTTP/1.1 102 Processing\r\n\r\n';
      await upstream.send(interim.repeat(1001));
      expect((await client.read(interim.length * 1000)).toString()).toBe(interim.repeat(1000));
      expect(await client.head()).toContain('502 Bad Gateway');
      expect((await stage.over()).error?.code).toBe('ORIGIN_PROTOCOL');
    }));

  it('or a cut connection, with originErrors abort', () =>
    withProxy({ originErrors: 'abort' }, async (stage) => {
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send('SSH-2.0-x\r\n\r\n');
      expect(await client.rest()).toHaveLength(0);
    }));
});

describe('a request to the proxy itself', () => {
  const told = async (request: (port: number) => string, status: number, code: string) =>
    withProxy({}, async ({ client, proxy }) => {
      const peer = await client();
      await peer.send(request(proxy.port));
      expect(await peer.head()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(proxy.flows.map((flow) => flow.error?.code)).toEqual([code]);
    });

  for (const name of ['127.0.0.1', 'localhost', '[::1]', '127.9.9.9', 'any.localhost']) {
    it(`as ${name} in absolute form is 508`, () =>
      told((port) => `GET http://${name}:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`, 508, 'PROXY_LOOP'));
    it(`as ${name} by CONNECT is 508`, () =>
      told((port) => `CONNECT ${name}:${port} HTTP/1.1\r\nHost: x\r\n\r\n`, 508, 'PROXY_LOOP'));
  }

  it('in origin form is 508 when Host names it, else 400', async () => {
    await told((port) => `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`, 508, 'PROXY_LOOP');
    await told(() => 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n', 400, 'CLIENT_PROTOCOL');
    await told(() => 'GET / HTTP/1.0\r\n\r\n', 400, 'CLIENT_PROTOCOL');
    await told(() => 'OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n', 400, 'CLIENT_PROTOCOL');
  });

  it('by an address that leads to it is 508, within a tunnel too', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, `0.0.0.0:${stage.proxy.port}`);
      await peer.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
      expect(await peer.head()).toContain('508 Loop Detected');
    }));

  it('by a name that leads to it is 508', () =>
    withProxy({}, async ({ client, proxy }) => {
      proxy.mapHost('app.test', `127.0.0.1:${proxy.port}`);
      const peer = await client();
      await peer.send('GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n');
      expect(await peer.head()).toContain('508 Loop Detected');
    }));

  it('is not seen in a client whose port happens to be that of a connection elsewhere', () =>
    withProxy({}, async (stage) => {
      const { upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      const socket = net.connect({
        port: stage.proxy.port,
        host: '127.0.0.1',
        localAddress: '127.0.0.2',
        localPort: upstream.socket.remotePort ?? 0,
      });
      const client = new RawPeer('client of the same port', socket);
      try {
        await client.send(`GET http://${stage.origin.host}/2 HTTP/1.1\r\nHost: x\r\n\r\n`);
        expect(await (await stage.origin.accept()).head()).toContain('GET /2');
      } finally {
        client.destroy();
      }
    }));

  it('by a chained proxy that is itself, is told by its own port and does not go on for ever', async () => {
    const first = await testProxy();
    const { port } = first;
    await first.close();
    await withProxy({ port, upstream: { server: `http://127.0.0.1:${port}` } }, async ({ client, proxy }) => {
      const plain = await client();
      await plain.send('GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n');
      expect(await plain.head()).toContain('508 Loop Detected');
      expect(proxy.flows.map((flow) => flow.error?.code)).toEqual([undefined, 'PROXY_LOOP']);
      proxy.flows.clear();
      const secure = await client();
      await secure.send('GET https://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n');
      expect(await secure.head()).toContain('502 Bad Gateway');
      expect(proxy.flows.map((flow) => flow.error?.code)).toEqual(['UPSTREAM_PROXY', 'PROXY_LOOP']);
    });
  });
});
