import { describe, expect, it } from '@jest/globals';
import type { RecordingProxy } from '../proxy.js';
import { octets, sha256 } from '../testing/bytes.js';
import type { RawPeer } from '../testing/raw-peer.js';
import { withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const FAILED = ['requestHeaders', 'request', 'responseHeaders', 'error'];

const LEAVE: [string, (peer: RawPeer) => void][] = [
  ['closes', (peer) => peer.end()],
  ['resets', (peer) => peer.reset()],
];

describe('an origin that dies in the middle of a response', () => {
  for (const [leaves, leave] of LEAVE) {
    it(`${leaves}: a streamed body with Content-Length ends short`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', octets(5000));
        await client.head();
        expect(await client.read(5000)).toEqual(octets(5000));
        leave(upstream);
        // Nothing after what the origin sent: no page of the proxy's own.
        expect((await client.rest()).length).toBe(0);
        const { error, response, complete } = { complete: false, ...(await over()) };
        expect(error?.code).toBe('ORIGIN_CLOSED');
        expect(response?.bodyStatus).toBe('streamed');
        expect(response?.complete).toBe(false);
        expect(complete).toBe(false);
        for (const side of [response?.transfer.received, response?.transfer.sent]) {
          expect(side?.bytes).toBe(5000);
          expect(side?.pieces.sizes()).toEqual([4096, 904]);
          expect(side?.sha256).toBeUndefined();
        }
        expect(response?.transfer.endedAt).toBeDefined();
        expect(hooks).toEqual(FAILED);
      }));

    it(`${leaves}: a streamed chunked body ends without its last chunk`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nde');
        await client.head();
        expect((await client.read(13)).toString()).toBe('3\r\nabc\r\n5\r\nde');
        leave(upstream);
        expect((await client.rest()).length).toBe(0);
        const { error, response } = await over();
        expect(error?.code).toBe('ORIGIN_CLOSED');
        expect(response?.bodyStatus).toBe('streamed');
        expect(response?.complete).toBe(false);
        expect(response?.transfer.sent.bytes).toBe(5);
        expect(response?.transfer.received.pieces.sizes()).toEqual([3, 2]);
        expect(hooks).toEqual(FAILED);
      }));

    it(`${leaves}: a recorded body is kept as far as it came, and the client gets a 502`, () =>
      withProxy({}, async ({ exchange, over, hooks, eventually, proxy }) => {
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', octets(5000));
        await eventually(() => proxy.flows.last?.response?.transfer.received.bytes === 5000, 'half of it');
        leave(upstream);
        expect(await client.head()).toMatch(/^HTTP\/1.1 502 Bad Gateway\r\nContent-Type: text\/plain/);
        expect((await client.rest()).toString()).toMatch(/^ORIGIN_CLOSED: /);
        const { error, response } = await over();
        expect(error?.code).toBe('ORIGIN_CLOSED');
        expect(response?.bodyStatus).toBe('recorded');
        expect(response?.body).toEqual(octets(5000));
        expect(response?.complete).toBe(false);
        expect(response?.transfer.received.bytes).toBe(5000);
        expect(response?.transfer.received.sha256).toBeUndefined();
        expect(response?.transfer.sent.bytes).toBe(0);
        expect(hooks).toEqual(FAILED);
      }));

    it(`${leaves} with originErrors 'abort': the client is cut`, () =>
      withProxy({ originErrors: 'abort' }, async ({ exchange, over }) => {
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', octets(5000));
        leave(upstream);
        expect((await client.rest()).length).toBe(0);
        expect((await over()).error?.code).toBe('ORIGIN_CLOSED');
      }));
  }

  it('resets the client where a close would look like the end', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\n\r\n', octets(5000));
      await client.head();
      await client.read(5000);
      upstream.reset();
      expect(await client.ending).toBe('rst');
      const { error, response } = await over();
      expect(error?.code).toBe('ORIGIN_CLOSED');
      expect(response?.complete).toBe(false);
      expect(response?.transfer.sent.bytes).toBe(5000);
      expect(hooks).toEqual(FAILED);
    }));

  it('resets a 1.0 client whose chunked response breaks off', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange('GET http://{origin}/ HTTP/1.0');
      await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      await client.head();
      await client.read(3);
      upstream.end();
      expect(await client.ending).toBe('rst');
    }));

  for (const [what, end] of [
    ['flow.kill()', (proxy) => proxy.flows.last?.kill()],
    ['proxy.close()', (proxy) => proxy.close()],
  ] as [string, (proxy: RecordingProxy) => unknown][]) {
    it(`resets such a client at ${what} too`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\n\r\nabc');
        await client.head();
        await client.read(3);
        await end(proxy);
        expect(await client.ending).toBe('rst');
        await upstream.ending;
        const { error, response } = await over();
        expect(error?.code).toBe(what === 'flow.kill()' ? 'KILLED' : 'PROXY_CLOSED');
        expect(response?.complete).toBe(false);
        expect(hooks).toEqual(FAILED);
      }));
  }

  it('has everything received forwarded first, also to a client that was slow', () =>
    withProxy({ digest: false }, async ({ proxy, exchange, over, eventually }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      client.pause();
      const body = octets(8_000_000);
      const sending = upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n', body);
      await eventually(
        () => (proxy.flows.last?.response?.transfer.received.bytes ?? 0) > 100_000,
        'a beginning',
      );
      client.resume();
      await sending;
      upstream.end();
      await client.head();
      expect((await client.rest()).equals(body)).toBe(true);
      const { error, response } = await over();
      expect(error?.code).toBe('ORIGIN_CLOSED');
      expect(response?.transfer.received.bytes).toBe(8_000_000);
    }));

  it('is told of octets that are not HTTP in the same way', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n');
      await client.head();
      expect((await client.rest()).toString()).toBe('3\r\nabc\r\n');
      expect((await over()).error?.code).toBe('ORIGIN_PROTOCOL');
    }));
});

describe('a client that goes away', () => {
  for (const [leaves, leave] of LEAVE) {
    for (const streams of [true, false]) {
      const how = streams ? 'streamed' : 'recorded';
      it(`${leaves} in the middle of a ${how} upload: the origin is closed`, () =>
        withProxy({}, async ({ proxy, client: connect, origin, over, hooks, eventually }) => {
          proxy.stream('**', streams);
          const client = await connect();
          await client.send(
            `POST http://${origin.host}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n`,
            octets(5000),
          );
          await eventually(() => proxy.flows.last?.request.transfer.received.bytes === 5000, 'half of it');
          if (streams) {
            const upstream = await origin.accept();
            await upstream.head();
            await upstream.read(5000);
            leave(client);
            expect((await upstream.rest()).length).toBe(0);
          } else {
            leave(client);
          }
          const { error, request } = await over();
          expect(origin.connections.length).toBe(streams ? 1 : 0);
          expect(error?.code).toBe('CLIENT_ABORTED');
          expect(request.bodyStatus).toBe(how);
          expect(request.complete).toBe(false);
          expect(request.rawBody.length).toBe(streams ? 0 : 5000);
          expect(request.transfer.received.bytes).toBe(5000);
          expect(request.transfer.received.pieces.sizes()).toEqual([4096, 904]);
          expect(request.transfer.sent.bytes).toBe(streams ? 5000 : 0);
          expect(hooks).toEqual(['requestHeaders', 'error']);
        }));
    }

    it(`${leaves} in the middle of a streamed response: the origin is closed`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', octets(5000));
        await client.head();
        await client.read(5000);
        leave(client);
        await upstream.ending;
        const { error, response } = await over();
        expect(error?.code).toBe('CLIENT_ABORTED');
        expect(response?.bodyStatus).toBe('streamed');
        expect(response?.complete).toBe(false);
        expect(hooks).toEqual(FAILED);
      }));

    it(`${leaves} before the answer came: the origin is closed`, () =>
      withProxy({}, async ({ exchange, over, hooks, origin }) => {
        const { client, upstream } = await exchange(GET);
        leave(client);
        await upstream.ending;
        const flow = await over();
        expect(flow.error?.code).toBe('CLIENT_ABORTED');
        expect(flow.server).toMatchObject({ address: '127.0.0.1', port: origin.port });
        expect(hooks).toEqual(['requestHeaders', 'request', 'error']);
      }));

    it(`${leaves} when it has every octet of Content-Length, while a hook still looks at it: no failure`, () =>
      withProxy({}, async ({ proxy, exchange, over, hooks, origin }) => {
        proxy.stream('**');
        let release: () => void = () => undefined;
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        proxy.on('response', () => held);
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n', octets(5000));
        await client.head();
        expect(await client.read(5000)).toEqual(octets(5000));
        leave(client);
        // Once another request has come through, the proxy knows.
        await exchange(GET);
        release();
        const { error, response } = await over();
        expect(error).toBeUndefined();
        expect(response?.complete).toBe(true);
        expect(response?.transfer.sent.sha256).toBe(sha256(octets(5000)));
        expect(hooks.filter((hook) => !hook.includes(' '))).toEqual([
          'requestHeaders',
          'request',
          'responseHeaders',
          'response',
        ]);
        if (leaves === 'closes') expect(await client.ending).toBe('fin');
        expect(origin.connections.length).toBe(2);
      }));
  }
});

describe('an origin that closes when its message is over', () => {
  for (const streams of [true, false]) {
    const how = streams ? 'streamed' : 'recorded';
    for (const [framing, head] of [
      ['Content-Length', 'Content-Length: 3\r\nConnection: close\r\n'],
      ['its close', ''],
    ]) {
      it(`did not fail while a hook looks at the ${how} response that ends with ${framing}`, () =>
        withProxy({}, async ({ proxy, exchange, over, hooks }) => {
          proxy.stream('**', streams);
          let release: () => void = () => undefined;
          const held = new Promise<void>((resolve) => {
            release = resolve;
          });
          const entered = new Promise<void>((resolve) => {
            proxy.on('response', (flow) => {
              resolve();
              return flow.id === '1' ? held : undefined;
            });
          });
          const { client, upstream } = await exchange(GET);
          await upstream.send(`HTTP/1.1 200 OK\r\n${head}\r\nabc`);
          upstream.end();
          await entered;
          await exchange(GET);
          release();
          await client.head();
          expect((await client.rest()).toString()).toBe('abc');
          expect(client.ended).toBe('fin');
          const { error, response } = await over();
          expect(error).toBeUndefined();
          expect(response?.complete).toBe(true);
          expect(hooks).not.toContain('error');
        }));
    }
  }
});
