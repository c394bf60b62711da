/** Server-sent events of clients that speak HTTP/2. */

import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { AnsweredFlow } from './flow/types.js';
import { dataOf, gzipped, occupyThreadPool } from './testing/event-stream.js';
import { testProxy } from './testing/test-proxy.js';

const event = (data: number) => `id: ${data}\ndata: ${data}\n\n`;

describe('events over HTTP/2', () => {
  for (const version of [1, 2]) {
    for (const coding of ['identity', 'gzip']) {
      it(`are recorded before they are at the client: from HTTP/${version}, ${coding}`, async () => {
        const encoded = await gzipped([event(1), event(2), event(3)]);
        const parts = coding === 'gzip' ? encoded : [event(1), event(2), event(3)];
        let next: () => void = () => undefined;
        // The compatibility interface serves both versions.
        const serve = (_request: unknown, response: http2.Http2ServerResponse) => {
          let sent = 0;
          next = () => response.write(parts[sent++] ?? '');
          response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': coding });
          next();
        };
        const origin = version === 2 ? http2.createServer(serve) : http.createServer(serve as never);
        origin.listen(0, '127.0.0.1');
        await once(origin, 'listening');
        const { port } = origin.address() as AddressInfo;
        const proxy = await testProxy();
        const client = http2.connect(`http://127.0.0.1:${port}`, {
          createConnection: () => connect(proxy.port, '127.0.0.1'),
        });
        const stream = client.request({ ':path': '/events' });
        try {
          for (const [i, part] of parts.entries()) {
            const busy = coding === 'gzip' && occupyThreadPool();
            const [got] = (await once(stream, 'data')) as [Buffer];
            const flow = proxy.flows.last as AnsweredFlow;
            expect(got).toEqual(Buffer.from(part as string));
            expect(dataOf(flow).length).toBe(i + 1);
            expect([flow.request.httpVersion, flow.response.complete]).toEqual(['2.0', false]);
            await busy;
            next();
          }
        } finally {
          stream.close();
          client.destroy();
          await proxy.close();
          origin.close();
        }
      });
    }
  }

  it('are at the client before the reset that follows them', async () => {
    const [part = Buffer.alloc(0)] = await gzipped([event(1)]);
    const origin = http2.createServer();
    const asked = once(origin, 'stream') as Promise<[http2.ServerHttp2Stream]>;
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const { port } = origin.address() as AddressInfo;
    const proxy = await testProxy();
    const client = http2.connect(`http://127.0.0.1:${port}`, {
      createConnection: () => connect(proxy.port, '127.0.0.1'),
    });
    const stream = client.request({ ':path': '/events' });
    try {
      const [served] = await asked;
      const head = { ':status': 200, 'content-type': 'text/event-stream', 'content-encoding': 'gzip' };
      // Otherwise node:http2 would end the stream before it resets it.
      served.respond(head, { waitForTrailers: true });
      const { response } = await proxy.waitForResponse('**/events');
      const busy = occupyThreadPool();
      const got: Buffer[] = [];
      stream.on('data', (bytes: Buffer) => got.push(bytes));
      stream.on('error', () => undefined);
      served.on('error', () => undefined);
      const closed = new Promise((resolve) => stream.once('close', resolve));
      served.write(part);
      while (response.transfer.received.bytes === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(response.events).toEqual([]);
      served.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      await closed;
      expect(stream.rstCode).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR);
      expect(Buffer.concat(got)).toEqual(part);
      expect(response.events?.map(({ data }) => data)).toEqual(['1']);
      await busy;
    } finally {
      client.destroy();
      await proxy.close();
      origin.close();
    }
  });
});
