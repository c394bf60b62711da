import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { octets } from '../testing/bytes.js';
import { withProxy } from '../testing/with-proxy.js';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';

const GET = 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}';

describe('a body that ends with the connection', () => {
  for (const size of [1, 16 * 1024, 100_000]) {
    it(`is not whole when a reset comes right behind its ${size} octets`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\n\r\n', octets(size));
        // In the same turn: the proxy reads neither before both are there.
        upstream.reset();
        await client.head();
        expect((await client.rest()).length).toBe(size);
        const { error, response } = await over();
        expect(error?.code).toBe('ORIGIN_CLOSED');
        expect(response?.complete).toBe(false);
        expect(response?.transfer.sent.bytes).toBe(size);
        expect(response?.transfer.sent.sha256).toBeUndefined();
      }));
  }

  it('is not whole when a reset comes right behind it over TLS', async () => {
    const authority = loadCa(caPem());
    const server = tls.createServer(authority.credentialsFor('localhost'));
    let below: Socket | undefined;
    server.on('connection', (socket: Socket) => {
      below = socket;
    });
    server.on('secureConnection', (socket) => {
      socket
        .on('error', () => undefined)
        .once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          socket.write(octets(100_000), () => below?.resetAndDestroy());
        });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      await withProxy(
        { mode: `reverse:https://localhost:${port}`, upstreamCa: [authority.cert] },
        async ({ proxy, client: connect, over }) => {
          proxy.stream('**');
          const client = await connect();
          await client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
          await client.head();
          await client.rest();
          const { error, response } = await over();
          expect(error?.code).toBe('ORIGIN_CLOSED');
          expect(response?.complete).toBe(false);
        },
      );
    } finally {
      server.close();
    }
  });

  it('is whole when an end comes right behind its octets', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      const sending = upstream.send('HTTP/1.1 200 OK\r\n\r\n', octets(100_000));
      upstream.end();
      await sending;
      await client.head();
      expect((await client.rest()).length).toBe(100_000);
      const { error, response } = await over();
      expect(error).toBeUndefined();
      expect(response?.complete).toBe(true);
    }));
});
