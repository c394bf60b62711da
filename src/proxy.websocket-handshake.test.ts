import { describe, expect, it } from '@jest/globals';
import { openTls, openTunnel, TlsOrigin } from './listen/testing/tunnels.js';
import { RawOrigin, type RawPeer } from './testing/raw-peer.js';
import {
  fromClient,
  fromServer,
  readFrame,
  SWITCHED,
  shown,
  TEXT,
  UPGRADE,
  whenOver,
} from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

/** Fields in unusual case, order and number, some of them unknown. */
const ODD_REQUEST = [
  'hOsT: {host}',
  'sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==',
  'X-Unknown:  two  blanks ',
  'connection: keep-alive, Upgrade',
  'UPGRADE: WebSocket',
  'Sec-WebSocket-Protocol: chat, superchat',
  'x-unknown: again',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  'Sec-WebSocket-Protocol: third',
  'sec-WebSocket-version: 13',
  'Sec-WebSocket-Extensions: x-webkit-deflate-frame',
  'Origin: http://example.test',
];
const ODD_RESPONSE = [
  'HTTP/1.1 101 Web Socket Protocol Handshake',
  'upgrade: WebSocket',
  'X-Server: a',
  'sec-websocket-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'Connection: upgrade',
  'Sec-WebSocket-Protocol: superchat',
  'x-server: b',
  'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover',
];
const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`;

/** Sends both heads and a frame each way in the same packets, and looks at every octet that arrives. */
async function shakeHands(
  stage: Stage,
  client: RawPeer,
  way: { line: string; host: string; url: string },
  accept: () => Promise<RawPeer>,
): Promise<void> {
  const fields = ODD_REQUEST.map((field) => field.replace('{host}', way.host));
  await client.send(lines(way.line, ...fields), fromClient(TEXT, 'too early'));
  const upstream = await accept();
  expect(await upstream.head()).toBe(lines('GET /chat?a=%20b HTTP/1.1', ...fields));
  await upstream.send(lines(...ODD_RESPONSE), fromServer(TEXT, 'at once'));
  expect(await client.head()).toBe(lines(...ODD_RESPONSE));
  expect((await readFrame(client)).text).toBe('at once');
  expect((await readFrame(upstream)).text).toBe('too early');
  const flow = await stage.proxy.waitForWebSocket('**/chat?a=%20b');
  expect(flow.request.url).toBe(way.url);
  expect([flow.request.complete, flow.response.complete, flow.error]).toEqual([true, true, undefined]);
  expect(flow.warnings).toEqual([]);
  expect(shown(flow.websocket.messages).sort()).toEqual(['client text too early', 'server text at once']);
  client.end();
  upstream.end();
  await whenOver(stage, flow);
}

const LINE = 'GET /chat?a=%20b HTTP/1.1';

describe('the handshake of a WebSocket passes octet by octet', () => {
  for (const streamWebsockets of [false, true]) {
    for (const scheme of ['http', 'ws']) {
      it(`with a target of ${scheme}://, ${streamWebsockets ? 'streamed' : 'buffered'}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          const { host } = stage.origin;
          const line = `GET ${scheme}://${host}/chat?a=%20b HTTP/1.1`;
          const way = { line, host, url: `ws://${host}/chat?a=%20b` };
          await shakeHands(stage, await stage.client(), way, () => stage.origin.accept());
        }));
    }
  }

  it('within CONNECT', () =>
    withProxy({}, async (stage) => {
      const { host } = stage.origin;
      const way = { line: LINE, host, url: `ws://${host}/chat?a=%20b` };
      await shakeHands(stage, await openTunnel(stage, host), way, () => stage.origin.accept());
    }));

  it('within CONNECT and TLS', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ hosts: { 'app.test': origin.host }, upstreamCa: origin.ca }, async (stage) => {
        const way = { line: LINE, host: 'app.test', url: 'wss://app.test/chat?a=%20b' };
        await shakeHands(stage, await openTls(stage, 'app.test'), way, () => origin.accept());
      });
    } finally {
      origin.close();
    }
  });

  for (const scheme of ['http', 'ws']) {
    it(`through a chained proxy, by a target of ${scheme}://`, async () => {
      const chained = await RawOrigin.listen();
      try {
        await withProxy({ upstream: { server: chained.host } }, async (stage) => {
          const line = `GET ${scheme}://app.test/chat?a=%20b HTTP/1.1`;
          const way = { line, host: 'app.test', url: 'ws://app.test/chat?a=%20b' };
          await shakeHands(stage, await stage.client(), way, async () => {
            const peer = await chained.accept();
            expect(await peer.head()).toMatch(/^CONNECT app\.test:80 HTTP\/1\.1\r\n/);
            await peer.send('HTTP/1.1 200 OK\r\n\r\n');
            return peer;
          });
        });
      } finally {
        chained.close();
      }
    });
  }

  it('with asynchronous hooks on the way, and frames that come meanwhile', () =>
    withProxy({}, async (stage) => {
      const hooks = ['requestHeaders', 'request', 'responseHeaders', 'response', 'websocketStart'] as const;
      const ran: string[] = [];
      for (const hook of hooks) {
        stage.proxy.on(hook, async () => {
          await new Promise((resolve) => setImmediate(resolve));
          ran.push(hook);
        });
      }
      const { host } = stage.origin;
      const way = { line: LINE, host, url: `ws://${host}/chat?a=%20b` };
      await shakeHands(stage, await openTunnel(stage, host), way, () => stage.origin.accept());
      expect(ran).toEqual(hooks);
    }));
});

describe('a handshake that is refused', () => {
  const refusals = {
    401: `${lines('HTTP/1.1 401 No', 'www-AUTHENTICATE: Basic realm="x"', 'Content-Length: 4')}stop`,
    426:
      lines('HTTP/1.1 426 Upgrade Required', 'Upgrade: foo', 'Transfer-Encoding: chunked') +
      '2\r\nno\r\n0\r\n\r\n',
    200: `${lines('HTTP/1.1 200 OK', 'Content-Type: text/html', 'Content-Length: 3')}<p>`,
  };
  for (const [status, refusal] of Object.entries(refusals)) {
    it(`passes with its body: ${status}`, () =>
      withProxy({}, async (stage) => {
        const { host } = stage.origin;
        const client = await openTunnel(stage, host);
        await client.send(lines(LINE, `Host: ${host}`, UPGRADE));
        const upstream = await stage.origin.accept();
        await upstream.head();
        await upstream.send(refusal);
        expect((await client.read(refusal.length)).toString()).toBe(refusal);
        const flow = await stage.over();
        expect(flow.websocket).toBeUndefined();
        expect(flow.request.url).toBe(`ws://${host}/chat?a=%20b`);
        expect([flow.response?.status, flow.error]).toEqual([Number(status), undefined]);
        expect(flow.response?.text()).toBe({ 401: 'stop', 426: 'no', 200: '<p>' }[status]);
        // The connection goes on.
        await client.send(lines('GET /next HTTP/1.1', `Host: ${host}`));
        expect(await upstream.head()).toContain('GET /next');
      }));
  }
});

describe('another protocol than WebSocket', () => {
  it('is a tunnel that is not looked into', () =>
    withProxy({}, async (stage) => {
      const head = 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: Upgrade\r\nUpgrade: other';
      const { client, upstream } = await stage.exchange(head, fromServer(TEXT, 'masked?'));
      await upstream.send(lines('HTTP/1.1 101 OK', 'Upgrade: other', 'Connection: Upgrade'), 'anything');
      await client.head();
      expect((await client.read(8)).toString()).toBe('anything');
      expect((await readFrame(upstream)).text).toBe('masked?');
      const flow = await stage.over();
      expect(flow.websocket).toBeUndefined();
      expect(flow.request.url).toMatch(/^http:/);
    }));

  it('may be agreed on although WebSocket was asked for', () =>
    withProxy({}, async (stage) => {
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}, other`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(lines('HTTP/1.1 101 OK', 'Upgrade: other', 'Connection: Upgrade'), 'anything');
      await client.head();
      expect((await client.read(8)).toString()).toBe('anything');
      expect((await stage.over()).websocket).toBeUndefined();
    }));
});

describe('an extension that is not known', () => {
  it('leaves the messages unrecorded, and their octets alone', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', () => {
        throw new Error('there is none');
      });
      const head = `GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;
      const { client, upstream } = await stage.exchange(head);
      await upstream.send(`${SWITCHED}Sec-WebSocket-Extensions: x-mux; q="a,b", permessage-deflate\r\n\r\n`);
      await client.head();
      const bytes = fromServer(3, 'whatever', { rsv: 3 });
      await upstream.send(bytes);
      expect(await client.read(bytes.length)).toEqual(bytes);
      const { warnings, websocket } = await stage.over();
      expect(warnings).toEqual([expect.stringContaining('unknown extension x-mux')]);
      expect(websocket?.messages).toEqual([]);
    }));
});
