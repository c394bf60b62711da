import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { openTunnel, TlsOrigin } from './listen/testing/tunnels.js';
import type { ProxyOptions } from './options/types.js';
import {
  ask,
  END_STREAM,
  FramePeer,
  Http2Server,
  headers,
  openFrames,
  openHttp2,
  PREFACE,
  request,
  SETTINGS_ACK,
  settings,
  statusOf,
  TYPE,
} from './testing/http2.js';
import type { RawPeer } from './testing/raw-peer.js';
import { holdTimers } from './testing/timers.js';
import { type Stage, withProxy } from './testing/with-proxy.js';
import { CHROMIUM_HELLO } from './tls/testing/hellos.js';

const BOTH = ['h2', 'http/1.1'];

function greet(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end('hello');
}

/** Shakes hands in a tunnel; gives what was agreed on, and the socket. */
async function handshake(
  stage: Stage,
  authority: string,
  options: tls.ConnectionOptions,
): Promise<tls.TLSSocket> {
  const { socket } = await openTunnel(stage, authority);
  const secure = tls.connect({ ca: stage.proxy.ca.cert, ...options, socket });
  await once(secure, 'secureConnect');
  return secure;
}

async function agreed(stage: Stage, protocols: string[] | undefined): Promise<string | false | null> {
  const options = { servername: 'app.test', ...(protocols && { ALPNProtocols: protocols }) };
  const secure = await handshake(stage, 'app.test:443', options);
  const { alpnProtocol } = secure;
  secure.destroy();
  return alpnProtocol;
}

async function withH2Origin(
  options: ProxyOptions,
  play: (stage: Stage, origin: Http2Server) => Promise<void>,
): Promise<void> {
  const origin = await Http2Server.listen(greet, 'app.test');
  try {
    const hosts = { 'app.test': origin.host };
    await withProxy({ hosts, upstreamCa: origin.ca, ...options }, (stage) => play(stage, origin));
  } finally {
    origin.close();
  }
}

describe('a client in TLS is offered what its origin speaks', () => {
  it('HTTP/2 where the origin chose it, by one connection however many ask', () =>
    withH2Origin({}, async (stage, origin) => {
      expect(
        await Promise.all([BOTH, ['http/1.1', 'h2'], ['h2']].map((list) => agreed(stage, list))),
      ).toEqual(['h2', 'h2', 'h2']);
      expect(origin.sessions).toHaveLength(1);
      const session = await openHttp2(stage, 'app.test:443', { name: 'app.test' });
      expect(await ask(session, { ':path': '/a' })).toMatchObject({
        status: 200,
        body: Buffer.from('hello'),
      });
      expect(origin.sessions).toHaveLength(1);
      const flow = await stage.over();
      expect(flow.request).toMatchObject({ url: 'https://app.test/a', httpVersion: '2.0' });
      expect(flow.client).toMatchObject({ tls: true, sni: 'app.test', tunnel: 'app.test:443' });
    }));

  it('HTTP/1.1 where it asks for no more, without asking the origin', () =>
    withH2Origin({}, async (stage, origin) => {
      expect(await agreed(stage, ['http/1.1'])).toBe('http/1.1');
      expect(await agreed(stage, undefined)).toBe(false);
      expect(origin.sessions).toHaveLength(0);
    }));

  it('HTTP/1.1 with http2: false', () =>
    withH2Origin({ http2: false }, async (stage, origin) => {
      expect(await agreed(stage, BOTH)).toBe('http/1.1');
      await expect(agreed(stage, ['h2'])).rejects.toThrow(/no application protocol/);
      expect(origin.sessions).toHaveLength(0);
    }));

  it('HTTP/1.1 where the origin speaks that; what it was asked over serves the first request', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ hosts: { 'app.test': origin.host }, upstreamCa: origin.ca }, async (stage) => {
        expect(await agreed(stage, BOTH)).toBe('http/1.1');
        const secure = await handshake(stage, 'app.test:443', {
          servername: 'app.test',
          ALPNProtocols: BOTH,
        });
        secure.write('GET /one HTTP/1.1\r\nHost: app.test\r\n\r\n');
        expect(await (await origin.accept()).head()).toContain('GET /one HTTP/1.1');
        expect(origin.names).toEqual(['app.test']);
        secure.destroy();
      });
    } finally {
      origin.close();
    }
  });

  it('both where the origin cannot be reached: the request tells why', async () => {
    const gone = await Http2Server.listen(greet);
    gone.close();
    await withProxy({ hosts: { 'app.test': gone.host } }, async (stage) => {
      expect(await agreed(stage, BOTH)).toBe('h2');
      expect(await agreed(stage, ['http/1.1'])).toBe('http/1.1');
      const session = await openHttp2(stage, 'app.test:443', { name: 'app.test' });
      const answer = await ask(session, { ':path': '/' });
      expect(answer).toMatchObject({ status: 502, code: 0 });
      expect(answer.body.toString()).toContain('ORIGIN_UNREACHABLE');
      expect((await stage.over()).error?.code).toBe('ORIGIN_UNREACHABLE');
    });
  });

  it('for an address without SNI too', async () => {
    const origin = await Http2Server.listen(greet, '127.0.0.1');
    try {
      await withProxy({ upstreamCa: origin.ca }, async (stage) => {
        const secure = await handshake(stage, origin.host, { host: '127.0.0.1', ALPNProtocols: BOTH });
        expect(secure.alpnProtocol).toBe('h2');
        expect(secure.getPeerCertificate().subjectaltname).toBe('IP Address:127.0.0.1');
        secure.destroy();
      });
    } finally {
      origin.close();
    }
  });

  it('whatever the segments its hello comes in', () =>
    withH2Origin({}, async (stage) => {
      const tunnel = await openTunnel(stage, 'app.test:443');
      for (const octet of CHROMIUM_HELLO.subarray(0, -1)) tunnel.socket.write(Buffer.from([octet]));
      await tunnel.send(CHROMIUM_HELLO.subarray(-1));
      // A handshake record: the server's hello.
      expect([...(await tunnel.read(6))].slice(0, 1)).toEqual([0x16]);
    }));

  it('without ALPN may speak it all the same', () =>
    withH2Origin({}, async (stage) => {
      const secure = await handshake(stage, 'app.test:443', { servername: 'app.test' });
      secure.write(Buffer.concat([Buffer.from(PREFACE), settings(), headers(1, request('app.test'))]));
      const flow = await stage.over();
      expect(flow.request.httpVersion).toBe('2.0');
      expect(flow.response?.status).toBe(200);
      secure.destroy();
    }));
});

describe('a client that leaves in the middle of its hello', () => {
  const told = (stage: Stage) => {
    const errors: string[] = [];
    stage.proxy.on('clientError', (_client, error) => {
      errors.push(error.message);
    });
    return errors;
  };

  it('is told of, once', () =>
    withProxy({}, async (stage) => {
      const errors = told(stage);
      const tunnel = await openTunnel(stage, 'app.test:443');
      await tunnel.send(CHROMIUM_HELLO.subarray(0, 700));
      tunnel.end();
      await tunnel.ending;
      expect(errors).toEqual(['the client closed the connection in the middle of its TLS hello']);
    }));

  it('or only stops is given up after a while', () =>
    withProxy({}, async (stage) => {
      const errors = told(stage);
      const tunnel = await openTunnel(stage, 'app.test:443');
      using timers = holdTimers();
      await tunnel.send(CHROMIUM_HELLO.subarray(0, 700));
      // Until the proxy has read it there is no timer yet.
      await stage.eventually(() => {
        timers.fire();
        return errors.length > 0;
      }, 'the client to be given up');
      expect(errors).toEqual(['the client stopped in the middle of its TLS hello']);
      await tunnel.ending;
    }));

  it('or while its origin is asked leaves nothing behind', () =>
    withProxy({}, async (stage) => {
      const errors = told(stage);
      // The origin takes the connection and does not answer its hello.
      const tunnel = await openTunnel(stage, stage.origin.host);
      await tunnel.send(CHROMIUM_HELLO);
      const upstream = await stage.origin.accept();
      await upstream.read(1);
      tunnel.reset();
      await stage.eventually(() => errors.length > 0, 'the loss to be told');
      upstream.destroy();
      expect(await agreed(stage, ['http/1.1'])).toBe('http/1.1');
      expect(errors).toHaveLength(1);
    }));
});

describe('HTTP/2 known beforehand', () => {
  const hello: [string, (stage: Stage) => Promise<{ peer: RawPeer; host: string; url: string }>][] = [
    [
      'in a tunnel',
      async (stage) => {
        const peer = await openTunnel(stage, 'app.test:80');
        return { peer, host: 'app.test', url: 'http://app.test/' };
      },
    ],
    [
      "from the client's first octets",
      async (stage) => ({ peer: await stage.client(), host: 'app.test', url: 'http://app.test/' }),
    ],
  ];
  for (const [where, open] of hello) {
    it(`${where}, however its preface is cut`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.respond('**', { body: 'fine' });
        for (let cut = 1; cut <= PREFACE.length + 9; cut++) {
          const { peer, host } = await open(stage);
          const bytes = Buffer.concat([Buffer.from(PREFACE), settings(), headers(1, request(host))]);
          await peer.send(bytes.subarray(0, cut));
          // The proxy has read the first part by then.
          for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
          await peer.send(bytes.subarray(cut));
          const framed = new FramePeer(peer);
          expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
          peer.destroy();
        }
        expect(stage.proxy.flows).toHaveLength(PREFACE.length + 9);
      }));

    it(`${where}, octet by octet`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.respond('**', { body: 'fine' });
        const { peer, host, url } = await open(stage);
        const bytes = Buffer.concat([
          Buffer.from(PREFACE),
          settings(),
          SETTINGS_ACK,
          headers(1, request(host, '/', [[':method', 'POST']]), 0),
        ]);
        for (const octet of bytes) await peer.send(Buffer.from([octet]));
        await peer.send(Buffer.from([0, 0, 0, 0, END_STREAM, 0, 0, 0, 1]));
        expect(statusOf(await new FramePeer(peer).next(TYPE.HEADERS, 1))).toBe(200);
        expect((await stage.over()).request).toMatchObject({ method: 'POST', url, httpVersion: '2.0' });
      }));

    it(`${where}, is refused with http2: false, and recorded`, () =>
      withProxy({ http2: false }, async (stage) => {
        const { peer } = await open(stage);
        await peer.send(PREFACE, settings());
        expect(await peer.head()).toMatch(/^HTTP\/1\.1 505 /);
        await peer.rest();
        expect(stage.proxy.flows.at(0)?.error?.code).toBe('CLIENT_PROTOCOL');
        expect(stage.origin.connections).toHaveLength(0);
      }));
  }

  it('is not taken from the middle of an HTTP/1.1 connection', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'fine' });
      const client = await stage.client();
      await client.send('GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n');
      await client.read('fine');
      await client.send(PREFACE, settings());
      expect(await client.head()).toMatch(/^HTTP\/1\.1 505 /);
    }));

  it('that goes on with something else is ended with PROTOCOL_ERROR, and told of', () =>
    withProxy({}, async (stage) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (_client, error) => {
        errors.push(error.message);
      });
      const peer = await openTunnel(stage, 'app.test:80');
      await peer.send(`${PREFACE.slice(0, 18)}GET / HTTP/1.1\r\n\r\n`);
      const framed = new FramePeer(peer);
      expect((await framed.next(TYPE.GOAWAY)).payload.readUInt32BE(4)).toBe(1);
      await peer.ending;
      expect(errors).toEqual([expect.stringMatching(/not valid HTTP\/2: .*magic/)]);
    }));

  it('inside TLS gets its frames from the first octet on', () =>
    withH2Origin({}, async (stage) => {
      const framed = await openFrames(stage, 'app.test:443', 'app.test');
      await framed.send(headers(1, request('app.test', '/', [[':scheme', 'https']])));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
      expect((await framed.next(TYPE.DATA, 1)).payload.toString()).toBe('hello');
    }));
});
