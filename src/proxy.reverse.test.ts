import { once } from 'node:events';
import type http2 from 'node:http2';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { secured, TlsOrigin } from './listen/testing/tunnels.js';
import type { ProxyOptions } from './options/types.js';
import { curl, noCurl } from './testing/curl.js';
import { sendCut } from './testing/cut.js';
import { ask, CODE, codeOf, FramePeer, TYPE } from './testing/http2.js';
import { http2Over } from './testing/http2-over.js';
import { RawPeer } from './testing/raw-peer.js';
import { type Protocols, type TlsServer, withTlsServer } from './testing/tls-server.js';
import { itUnless } from './testing/unless.js';
import { fromClient, readFrame, SWITCHED, TEXT, UPGRADE } from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const PLAIN: ProxyOptions = { mode: 'reverse:http://app.test:8080' };
const SECURE: ProxyOptions = { mode: 'reverse:https://app.test' };
const GET = 'GET /path?a HTTP/1.1\r\nHost: localhost:3000\r\nX-Last: 1\r\n\r\n';
/** What the origin sees of it. */
const SEEN = GET.replace('localhost:3000', 'app.test:8080');
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A proxy in front of an origin that it knows as `http://app.test:8080`. */
function withReverse(options: ProxyOptions, play: (stage: Stage) => Promise<void>): Promise<void> {
  return withProxy({ ...PLAIN, ...options }, (stage) => {
    stage.proxy.mapHost('app.test', stage.origin.host);
    return play(stage);
  });
}

/** A proxy in front of an origin with TLS that it knows as `https://app.test`. */
async function withSecureReverse(play: (stage: Stage, origin: TlsOrigin) => Promise<void>): Promise<void> {
  const origin = await TlsOrigin.listen('app.test');
  try {
    await withProxy({ ...SECURE, upstreamCa: origin.ca }, (stage) => {
      stage.proxy.mapHost('app.test', origin.host);
      return play(stage, origin);
    });
  } finally {
    origin.close();
  }
}

async function answerBy(upstream: RawPeer, peer: RawPeer, seen: string): Promise<void> {
  expect(await upstream.head()).toBe(seen);
  await upstream.send(OK);
  expect((await peer.read(OK.length)).toString()).toBe(OK);
}

describe('mode reverse:URL', () => {
  it('sends every request to the URL, which its Host becomes', () =>
    withReverse({}, async (stage) => {
      const { client, origin, proxy } = stage;
      const peer = await client();
      await peer.send(GET, GET);
      const upstream = await origin.accept();
      await answerBy(upstream, peer, SEEN);
      await answerBy(upstream, peer, SEEN);
      const flow = await stage.over(2);
      expect(flow.request.url).toBe('http://app.test:8080/path?a');
      expect(flow.request.headers.get('host')).toBe('app.test:8080');
      expect(flow.client).toMatchObject({ tls: false });
      expect(flow.client.tunnel).toBeUndefined();
      expect(flow.server).toMatchObject({ port: origin.port, reused: true });
      expect(proxy.server).toBe(`http://127.0.0.1:${proxy.port}`);
    }));

  it('leaves the Host alone with keepHostHeader, and the URL names the origin', () =>
    withReverse({ keepHostHeader: true }, async (stage) => {
      const peer = await stage.client();
      await peer.send(GET);
      await answerBy(await stage.origin.accept(), peer, GET);
      const { request } = await stage.over();
      expect(request.url).toBe('http://app.test:8080/path?a');
      expect(request.headers.get('host')).toBe('localhost:3000');
    }));

  it('keeps a head as it is whose Host is right already', () =>
    withReverse({}, async (stage) => {
      const odd = 'GET / HTTP/1.1\r\nhOST:   app.test:8080\r\nx:y\r\n\r\n';
      const peer = await stage.client();
      await peer.send(odd);
      await answerBy(await stage.origin.accept(), peer, odd);
    }));

  it('takes the path of a target in absolute form, OPTIONS of the whole server, and HTTP/1.0 without Host', () =>
    withReverse({}, async (stage) => {
      const asked: [string, string, string][] = [
        ['GET http://other.test/x?y HTTP/1.1\r\nHost: other.test', 'GET /x?y HTTP/1.1', '/x?y'],
        ['OPTIONS * HTTP/1.1\r\nHost: other.test', 'OPTIONS * HTTP/1.1', '/'],
        ['GET /old HTTP/1.0', 'GET /old HTTP/1.0', '/old'],
      ];
      for (const [i, [head, line, path]] of asked.entries()) {
        const peer = await stage.client();
        await peer.send(`${head}\r\n\r\n`);
        const upstream = await stage.origin.accept();
        await answerBy(upstream, peer, `${line}\r\nHost: app.test:8080\r\n\r\n`);
        upstream.end();
        expect((await stage.over(i + 1)).request.url).toBe(`http://app.test:8080${path}`);
      }
    }));

  it('leaves Location alone', () =>
    withReverse({}, async (stage) => {
      const peer = await stage.client();
      await peer.send(GET);
      const upstream = await stage.origin.accept();
      await upstream.head();
      const moved = 'HTTP/1.1 302 Found\r\nLocation: http://app.test:8080/there\r\nContent-Length: 0\r\n\r\n';
      await upstream.send(moved);
      expect(await peer.head()).toBe(moved);
    }));

  it('passes on WebSockets', () =>
    withReverse({}, async (stage) => {
      const peer = await stage.client();
      await peer.send(`GET /live HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n\r\n`);
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe(`GET /live HTTP/1.1\r\nHost: app.test:8080\r\n${UPGRADE}\r\n\r\n`);
      await upstream.send(`${SWITCHED}\r\n`);
      await peer.head();
      await peer.send(fromClient(TEXT, 'hello'));
      expect((await readFrame(upstream)).text).toBe('hello');
      const { request, websocket } = await stage.proxy.waitForWebSocket('**/live');
      expect(request.url).toBe('ws://app.test:8080/live');
      await websocket.waitForMessage('hello', { from: 'client' });
    }));

  it('a hook can send a request elsewhere', () =>
    withReverse({ keepHostHeader: true }, async (stage) => {
      stage.proxy.on('requestHeaders', ({ request }) => {
        request.url = `http://${stage.origin.host}/other`;
      });
      const peer = await stage.client();
      await peer.send(GET);
      const host = stage.origin.host;
      await answerBy(
        await stage.origin.accept(),
        peer,
        GET.replace('/path?a', '/other').replace('localhost:3000', host),
      );
    }));

  it('is understood however it is cut', () =>
    withReverse({}, async (stage) => {
      const peer = await stage.client();
      await sendCut(peer, GET);
      await answerBy(await stage.origin.accept(), peer, SEEN);
    }));
});

describe('TLS to a reverse proxy', () => {
  it('is taken off with a certificate for the name that is asked for, whatever the origin speaks', () =>
    withReverse({}, async (stage) => {
      for (const [servername, names] of [
        ['front.test', 'DNS:front.test'],
        ['', 'DNS:app.test'],
      ] as const) {
        const ca = stage.proxy.ca.cert;
        const expected = servername === '' ? 'app.test' : servername;
        const checkServerIdentity = (_: string, cert: tls.PeerCertificate) =>
          tls.checkServerIdentity(expected, cert);
        const peer = await secured(await stage.client(), { servername, ca, checkServerIdentity });
        expect((peer.socket as tls.TLSSocket).getPeerCertificate().subjectaltname).toBe(names);
        await peer.send(GET);
        const upstream = stage.origin.connections[0] ?? (await stage.origin.accept());
        await answerBy(upstream, peer, SEEN);
        const flow = stage.proxy.flows.last;
        expect(flow?.request.url).toBe('http://app.test:8080/path?a');
        expect(flow?.client).toMatchObject({ tls: true });
        expect(flow?.server).toMatchObject({ tls: false });
      }
    }));

  it('is understood however the hello is cut', () =>
    withReverse({}, async (stage) => {
      const plain = await stage.client();
      plain.socket.removeAllListeners('data');
      const cut = new Duplex({
        read: () => undefined,
        write: (bytes: Buffer, _encoding, done) => {
          sendCut(plain, bytes).then(() => done(), done);
        },
      });
      plain.socket.on('data', (bytes: Buffer) => cut.push(bytes));
      const secure = tls.connect({ socket: cut, servername: 'app.test', ca: stage.proxy.ca.cert });
      await once(secure, 'secureConnect');
      const peer = new RawPeer('a client whose segments are octets', secure);
      await peer.send(GET);
      await answerBy(await stage.origin.accept(), peer, SEEN);
    }));

  it('is spoken to the origin under the name of the URL, also where the client does not', () =>
    withSecureReverse(async (stage, origin) => {
      const seen = GET.replace('localhost:3000', 'app.test');
      const plain = await stage.client();
      await plain.send(GET);
      const upstream = await origin.accept();
      await answerBy(upstream, plain, seen);
      const secure = await secured(await stage.client(), {
        servername: 'front.test',
        ca: stage.proxy.ca.cert,
      });
      await secure.send(GET);
      await answerBy(upstream, secure, seen);
      expect(origin.names).toEqual(['app.test']);
      const [first, second] = [await stage.over(1), await stage.over(2)];
      expect([first.request.url, second.request.url]).toEqual(Array(2).fill('https://app.test/path?a'));
      expect([first.client.tls, second.client.tls]).toEqual([false, true]);
      expect(second.server).toMatchObject({ tls: true, reused: true });
    }));

  it('tells clientError of one that fails', () =>
    withReverse({}, async (stage) => {
      const told = new Promise((resolve) =>
        stage.proxy.on('clientError', (_client, error) => resolve(error)),
      );
      const peer = await stage.client();
      await peer.send(Buffer.from('1603010004deadbeef', 'hex'));
      await peer.ending;
      expect(await told).toHaveProperty('message');
    }));
});

/** An HTTP/2 connection to the port itself. */
async function sessionTo(stage: Stage, secure: boolean): Promise<http2.ClientHttp2Session> {
  const { socket } = await stage.client();
  return http2Over(socket, secure ? { servername: 'front.test', ca: stage.proxy.ca.cert } : undefined);
}

describe('HTTP/2 to a reverse proxy', () => {
  const withServer = (protocols: Protocols, play: (stage: Stage, origin: TlsServer) => Promise<void>) =>
    withTlsServer(protocols, SECURE, play);

  it('is offered where the origin speaks it', async () => {
    await withServer(['h2', 'http/1.1'], async (stage, origin) => {
      const session = await sessionTo(stage, true);
      const { status, body } = await ask(session, { ':path': '/path', ':authority': 'front.test' });
      expect([status, body.toString()]).toEqual([200, '2.0']);
      expect(origin.asked).toEqual(['GET /path over 2.0 as app.test']);
      const { request } = await stage.over();
      expect([request.url, request.headers.get('host')]).toEqual(['https://app.test/path', 'app.test']);
      session.destroy();
    });
    await withServer(['http/1.1'], async (stage) => {
      await expect(sessionTo(stage, true)).rejects.toThrow('the other end chose http/1.1');
    });
    // An origin without TLS is not asked.
    await withReverse({}, async (stage) => {
      await expect(sessionTo(stage, true)).rejects.toThrow('the other end chose http/1.1');
      expect(stage.origin.connections).toHaveLength(0);
    });
  });

  it('may be known beforehand, with and without TLS', () =>
    withReverse({}, async (stage) => {
      const [plain, secure] = [await stage.client(), await stage.client()];
      const sockets = [
        plain.socket,
        (await secured(secure, { servername: 'front.test', ca: stage.proxy.ca.cert })).socket,
      ];
      // HTTP/1.1 is what the origin speaks.
      let upstream: RawPeer | undefined;
      for (const socket of sockets) {
        const session = await http2Over(socket);
        const answer = ask(session, { ':path': '/path?a', ':authority': 'front.test', 'x-last': '1' });
        upstream ??= await stage.origin.accept();
        // The first connection may have been a try at HTTP/2.
        let head = await upstream.head();
        if (head.startsWith('PRI')) {
          upstream.end();
          upstream = await stage.origin.accept();
          head = await upstream.head();
        }
        expect(head).toBe('GET /path?a HTTP/1.1\r\nhost: app.test:8080\r\nx-last: 1\r\n\r\n');
        await upstream.send(OK);
        expect((await answer).body.toString()).toBe('ok');
        session.destroy();
      }
      expect((await stage.over(2)).request.url).toBe('http://app.test:8080/path?a');
    }));

  it('has no CONNECT, and refuses by the URL', () =>
    withReverse({}, async (stage) => {
      const session = await sessionTo(stage, false);
      const { status } = await ask(session, { ':method': 'CONNECT', ':authority': 'other.test:443' });
      expect(status).toBe(405);
      expect((await stage.over()).request.url).toMatch(/^http:\/\/app\.test:8080/);
      session.destroy();
    }));
});

describe('a reverse proxy refuses', () => {
  const refusals: [what: string, sent: string | Buffer, status: string, code: string][] = [
    ['CONNECT', 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n', '405', 'CLIENT_PROTOCOL'],
    ['a request without Host', 'GET /path HTTP/1.1\r\n\r\n', '400', 'CLIENT_PROTOCOL'],
    ['what is not HTTP', Buffer.from([0, 1, 2, 13, 10, 13, 10]), '400', 'CLIENT_PROTOCOL'],
    ['SOCKS', Buffer.from([5, 1, 0, 13, 10, 13, 10]), '400', 'CLIENT_PROTOCOL'],
  ];
  for (const [what, sent, status, code] of refusals) {
    it(what, () =>
      withReverse({}, async (stage) => {
        const peer = await stage.client();
        await peer.send(sent);
        expect(await peer.head()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
        await peer.ending;
        expect((await stage.over()).error?.code).toBe(code);
        expect(stage.origin.connections).toHaveLength(0);
      }),
    );
  }

  it('its own requests, when the URL leads back to it', () =>
    withProxy(PLAIN, async (stage) => {
      stage.proxy.mapHost('app.test', `127.0.0.1:${stage.proxy.port}`);
      const peer = await stage.client();
      await peer.send(GET);
      expect(await peer.head()).toMatch(/^HTTP\/1\.1 508 /);
      expect((await stage.over()).error?.code).toBe('PROXY_LOOP');
    }));

  it('with 502, when there is nobody at the URL', () =>
    withProxy({ mode: 'reverse:http://127.0.0.1:1' }, async (stage) => {
      const peer = await stage.client();
      await peer.send(GET);
      expect(await peer.head()).toMatch(/^HTTP\/1\.1 502 /);
      const { request, error } = await stage.over();
      expect([request.url, error?.code]).toEqual(['http://127.0.0.1:1/path?a', 'ORIGIN_UNREACHABLE']);
    }));
});

describe('a client of a reverse proxy', () => {
  it('that is silent, or stops in its hello, is closed after timeouts.idle', () =>
    withReverse({ timeouts: { idle: 50 } }, async (stage) => {
      const [silent, begun] = [await stage.client(), await stage.client()];
      await begun.send('GET / HT');
      await silent.ending;
      await begun.ending;
      expect(stage.origin.connections).toHaveLength(0);
    }));

  it('that leaves at once, or half-closes before its answer, is an end', () =>
    withReverse({}, async (stage) => {
      const silent = await stage.client();
      silent.end();
      expect(await silent.ending).toBe('fin');
      const peer = await stage.client();
      await peer.send(GET);
      const upstream = await stage.origin.accept();
      await upstream.head();
      peer.end();
      await upstream.ending;
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
    }));

  it('that breaks HTTP/2 is told so', () =>
    withReverse({}, async (stage) => {
      const peer = await FramePeer.client(await stage.client());
      await peer.send(Buffer.from([0, 0, 4, TYPE.PING, 0, 0, 0, 0, 0, 1, 2, 3, 4]));
      const away = (await peer.rest()).find(({ type }) => type === TYPE.GOAWAY);
      expect(away === undefined ? undefined : codeOf(away)).toBe(CODE.FRAME_SIZE_ERROR);
    }));
});

describe('curl', () => {
  itUnless(noCurl, 'takes it for the server, in clear text, over TLS and over HTTP/2', async () => {
    await withTlsServer(['h2', 'http/1.1'], SECURE, async (stage) => {
      const { port } = stage.proxy;
      const ways = [
        [`http://127.0.0.1:${port}/path`],
        ['--http2-prior-knowledge', `http://127.0.0.1:${port}/path`],
        ['--http1.1', '-k', `https://localhost:${port}/path`],
        ['-k', `https://localhost:${port}/path`],
      ];
      for (const [i, args] of ways.entries()) {
        expect(await curl(...args)).toMatchObject({ code: 0, errors: '' });
        expect((await stage.over(i + 1)).request.url).toBe('https://app.test/path');
      }
      const versions = [...stage.proxy.flows].map(({ request }) => request.httpVersion);
      expect(versions).toEqual(['1.1', '2.0', '1.1', '2.0']);
    });
  });
});
