import { describe, expect, it } from '@jest/globals';
import { octets } from '../testing/bytes.js';
import { withProxy } from '../testing/with-proxy.js';

const POST = 'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}';

describe('an origin that answers early', () => {
  const START = `${POST}\r\nContent-Length: 10000`;

  it('has its answer relayed at once, and the upload goes on', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks, origin }) => {
      proxy.stream('**', { request: true });
      const { client, upstream } = await exchange(START, octets(5000));
      await upstream.read(5000);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
      await client.head();
      expect((await client.read(5)).toString()).toBe('early');
      expect(hooks).toEqual(['requestHeaders', 'responseHeaders', 'response']);
      await client.send(octets(5000));
      await upstream.read(5000);
      const { error, request, response } = await over();
      expect(error).toBeUndefined();
      expect(request.complete && response?.complete).toBe(true);
      expect(hooks).toEqual(['requestHeaders', 'responseHeaders', 'response', 'request']);
      // Both connections go on.
      await client.send(`GET http://${origin.host}/b HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await upstream.head()).toMatch(/^GET \/b /);
    }));

  it('streams its answer while the upload streams', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(`${POST}\r\nTransfer-Encoding: chunked`, '4\r\nping\r\n');
      await upstream.read('ping\r\n');
      await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n');
      await client.head();
      await client.read('pong\r\n');
      await client.send('4\r\nPING\r\n');
      await upstream.read('PING\r\n');
      await upstream.send('4\r\nPONG\r\n');
      await client.read('PONG\r\n');
      await client.send('0\r\n\r\n');
      await upstream.read('0\r\n\r\n');
      await upstream.send('0\r\n\r\n');
      await client.read('0\r\n\r\n');
      expect((await over()).error).toBeUndefined();
    }));

  it('and closes: the client has the answer, then a half-close, and is read on for a while', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**', { request: true });
      const { client, upstream } = await exchange(START, octets(5000));
      await upstream.read(5000);
      await upstream.send('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig');
      upstream.destroy();
      expect(await client.head()).toMatch(/^HTTP\/1.1 413 Too Large\r\n/);
      expect((await client.rest()).toString()).toBe('big');
      expect(client.ended).toBe('fin');
      // Not reset for what it still sends.
      await client.send(octets(4000));
      const { error, request, response } = await over();
      expect(error?.code).toBe('ORIGIN_CLOSED');
      expect(request.complete).toBe(false);
      expect(response?.complete).toBe(true);
      expect(hooks).toEqual(['requestHeaders', 'responseHeaders', 'response']);
      client.end();
    }));

  it('and resets at once, with the upload unread: the answer still reaches the client', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { request: true });
      for (const number of Array.from({ length: 10 }, (_, i) => i + 1)) {
        const { client, upstream } = await exchange(`${POST}\r\nContent-Length: 100000000`, octets(100_000));
        let sending = true;
        const stop = () => {
          sending = false;
        };
        const upload = async () => {
          while (sending) await client.send(octets(100_000)).catch(stop);
        };
        const uploading = upload();
        upstream.pause();
        await upstream.send('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig');
        // Closing with octets unread is a reset (RFC 9112 section 9.6).
        upstream.destroy();
        expect(await client.head()).toMatch(/^HTTP\/1.1 413 Too Large\r\n/);
        expect((await client.read(3)).toString()).toBe('big');
        stop();
        await uploading;
        expect((await over(number)).response?.complete).toBe(true);
      }
    }));

  it('in the middle of a recorded upload is not possible: the origin is asked when the request is whole', () =>
    withProxy({}, async ({ client: connect, origin, over, eventually, proxy }) => {
      const client = await connect();
      await client.send(`POST http://${origin.host}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`);
      await eventually(() => proxy.flows.last?.request.transfer.received.bytes === 3, 'half of it');
      expect(origin.connections.length).toBe(0);
      await client.send('def');
      const upstream = await origin.accept();
      await upstream.head();
      expect((await upstream.read(6)).toString()).toBe('abcdef');
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      expect((await over()).request.text()).toBe('abcdef');
    }));
});
