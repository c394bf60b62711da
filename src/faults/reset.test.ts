import { describe, expect, it } from '@jest/globals';
import { openTls, TlsOrigin } from '../listen/testing/tunnels.js';
import { octets } from '../testing/bytes.js';
import { answerOf, ask, CODE, Http2Server, openHttp2 } from '../testing/http2.js';
import type { RawPeer } from '../testing/raw-peer.js';
import { problemOf, type Stage, withProxy } from '../testing/with-proxy.js';
import { hold } from './hold.js';
import { resetAfter } from './offset.js';
import { exactClient } from './testing/exact-client.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n';
const body = octets(10_000);

const get = (host: string) => `GET http://${host}/a HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const post = (host: string) =>
  `POST http://${host}/a HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10000\r\n\r\n`;

/** Asks, and gives the origin's end when it has the head. */
async function begin({ origin }: Stage, client: RawPeer, head: (host: string) => string): Promise<RawPeer> {
  await client.send(head(origin.host));
  const upstream = await origin.accept();
  await upstream.head();
  return upstream;
}

describe('resetAfter', () => {
  it('resets both connections after so many octets of a response, which is no problem of the test', () =>
    withProxy({}, async (stage) => {
      const { proxy } = stage;
      proxy.stream('**', { response: resetAfter(5000) });
      const client = await exactClient(stage);
      const upstream = await begin(stage, client, get);
      await upstream.send(OK, body);
      expect(await client.head()).toContain('Content-Length: 10000\r\n');
      expect((await client.rest()).equals(body.subarray(0, 5000))).toBe(true);
      expect(await client.ending).toBe('rst');
      // It had read everything long before.
      expect(await upstream.ending).toBe('rst');
      const { error, response } = await stage.over();
      expect(error?.code).toBe('FAULT_RESET');
      expect(error?.message).toContain('on purpose after 5000 bytes');
      expect(response?.complete).toBe(false);
      expect(response?.transfer.sent.bytes).toBe(5000);
      expect(stage.hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'error']);
      await proxy.verify();
      await proxy.waitForError({ error: 'FAULT_RESET' });
    }));

  it('resets both connections after so many octets of a request', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: resetAfter(5000) });
      const client = await exactClient(stage);
      const upstream = await begin(stage, client, post);
      await client.send(body);
      expect((await upstream.rest()).equals(body.subarray(0, 5000))).toBe(true);
      expect((await client.rest()).length).toBe(0);
      expect(await client.ending).toBe('rst');
      const { error, request } = await stage.over();
      expect(error?.code).toBe('FAULT_RESET');
      expect(request.transfer.sent.bytes).toBe(5000);
      expect(await problemOf(stage.proxy)).toBeUndefined();
    }));

  it('resets at 0 right after the head, and a shorter body not at all', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { response: resetAfter(0), times: 1 });
      const client = await exactClient(stage);
      const upstream = await begin(stage, client, get);
      await upstream.send(OK, body);
      expect((await client.rest()).toString('latin1')).toMatch(/^HTTP\/1.1 200 .*\r\n\r\n$/s);
      expect(await client.ending).toBe('rst');
      stage.proxy.stream('**', { response: resetAfter(10_001) });
      const whole = await stage.client();
      const second = await begin(stage, whole, get);
      await second.send(OK, body);
      await whole.head();
      expect((await whole.read(10_000)).equals(body)).toBe(true);
      expect((await stage.over(2)).error).toBeUndefined();
    }));

  it('resets the streams of HTTP/2 and not their connections', () =>
    withProxy({}, async (stage) => {
      const codes = new Map<string, number>();
      const got: Buffer[] = [];
      const origin = await Http2Server.listen((stream, { ':path': path = '' }) => {
        stream.on('close', () => codes.set(path, stream.rstCode));
        if (path === '/up') {
          stream.on('data', (bytes: Buffer) => got.push(bytes));
          return;
        }
        stream.respond({ ':status': 200, 'content-length': 10_000 });
        stream.write(body.subarray(0, path === '/down' ? 9000 : undefined));
        if (path !== '/down') stream.end();
      });
      try {
        stage.proxy.stream({ path: '/down' }, { response: resetAfter(5000) });
        stage.proxy.stream({ path: '/up' }, { request: resetAfter(5000) });
        const session = await openHttp2(stage, origin.host);
        const down = await ask(session, { ':path': '/down' });
        expect(down.headers['content-length']).toBe('10000');
        expect(down.body.equals(body.subarray(0, 5000))).toBe(true);
        expect(down.code).toBe(CODE.INTERNAL_ERROR);
        expect((await stage.over(1)).error?.code).toBe('FAULT_RESET');
        const up = session.request({ ':method': 'POST', ':path': '/up' });
        const answer = answerOf(up);
        up.write(body);
        expect((await answer).code).toBe(CODE.INTERNAL_ERROR);
        expect((await stage.over(2)).error?.code).toBe('FAULT_RESET');
        await stage.eventually(() => codes.size === 2, 'both streams of the origin to be reset');
        expect([...codes.values()]).toEqual([CODE.CANCEL, CODE.CANCEL]);
        expect(Buffer.concat(got).equals(body.subarray(0, 5000))).toBe(true);
        expect((await ask(session, { ':path': '/' })).body.equals(body)).toBe(true);
        expect(origin.sessions.length).toBe(1);
        await stage.proxy.verify();
      } finally {
        origin.close();
      }
    }));
});

describe('a held message that is reset', () => {
  it('is reset at both ends: a response', () =>
    withProxy({}, async (stage) => {
      const held = hold(5000);
      stage.proxy.stream('**', { response: held });
      const client = await stage.client();
      const upstream = await begin(stage, client, get);
      await upstream.send(OK, body);
      await held.reached;
      await client.head();
      await client.read(5000);
      held.reset();
      expect([await client.ending, await upstream.ending]).toEqual(['rst', 'rst']);
      expect((await stage.over()).error?.code).toBe('FAULT_RESET');
      await stage.proxy.verify();
    }));

  it('has what was passed go out first, however soon the reset comes', () =>
    withProxy({}, async (stage) => {
      const held = hold(5000);
      stage.proxy.stream('**', { response: held });
      held.reset();
      const client = await exactClient(stage);
      const upstream = await begin(stage, client, get);
      await upstream.send(OK, body);
      await client.head();
      expect((await client.rest()).equals(body.subarray(0, 5000))).toBe(true);
      expect(await client.ending).toBe('rst');
      await held.reached;
    }));

  it('is reset at both ends: a request', () =>
    withProxy({}, async (stage) => {
      const held = hold(5000);
      stage.proxy.stream('**', { request: held });
      const client = await stage.client();
      const upstream = await begin(stage, client, post);
      await client.send(body);
      await held.reached;
      await upstream.read(5000);
      held.reset();
      expect([await client.ending, await upstream.ending]).toEqual(['rst', 'rst']);
      expect(upstream.total).toBeGreaterThan(5000);
    }));

  it('is reset below TLS', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ upstreamCa: origin.ca, hosts: { 'app.test': origin.host } }, async (stage) => {
        for (const side of ['response', 'request'] as const) {
          const held = hold(5000);
          using _ = stage.proxy.stream('**', { [side]: held });
          const client = await openTls(stage, 'app.test');
          const method = side === 'request' ? 'POST' : 'GET';
          const length = side === 'request' ? 'Content-Length: 10000\r\n' : '';
          await client.send(`${method} /a HTTP/1.1\r\nHost: app.test\r\n${length}\r\n`);
          const upstream = await origin.accept();
          await upstream.head();
          const [from, to] = side === 'response' ? [upstream, client] : [client, upstream];
          await from.send(side === 'response' ? OK : '', body);
          if (side === 'response') await client.head();
          expect((await to.read(5000)).equals(body.subarray(0, 5000))).toBe(true);
          held.reset();
          expect([await client.ending, await upstream.ending]).toEqual(['rst', 'rst']);
        }
      });
    } finally {
      origin.close();
    }
  });
});
