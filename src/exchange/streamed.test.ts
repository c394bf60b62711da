import { describe, expect, it } from '@jest/globals';
import { chunk, octets, sha256, split } from '../testing/bytes.js';
import { withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';

describe('a streamed body with Content-Length', () => {
  it('passes on as it arrives, in pieces of 4096 whatever the segments, and is not kept', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      const body = octets(10_000);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n');
      await client.head();
      for (const part of [1, 4094, 3, 5000, 901].map(cutter(body))) {
        await upstream.send(part);
        // Each segment is at the client before the origin sends the next.
        expect(await client.read(part.length)).toEqual(part);
      }
      expect(hooks).not.toContain('response');
      await upstream.send(body.subarray(9999));
      expect(await client.read(1)).toEqual(body.subarray(9999));
      const { response, ...flow } = await over();
      expect(flow.error).toBeUndefined();
      expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
      expect(response?.bodyStatus).toBe('streamed');
      expect(response?.complete).toBe(true);
      expect(response?.body.length).toBe(0);
      expect(response?.rawBody.length).toBe(0);
      expect(response?.text()).toBe('');
      for (const side of [response?.transfer.received, response?.transfer.sent]) {
        expect(side?.bytes).toBe(10_000);
        expect(side?.sha256).toBe(sha256(body));
        expect(side?.pieces.sizes()).toEqual([4096, 4096, 1808]);
        expect(side?.pieces.count).toBe(3);
        expect(side?.pieces.truncated).toBe(false);
      }
      const { startedAt, firstByteAt = 0, endedAt = 0 } = response?.transfer ?? { startedAt: Number.NaN };
      expect(firstByteAt).toBeGreaterThanOrEqual(startedAt);
      expect(endedAt).toBeGreaterThanOrEqual(firstByteAt);
    }));

  it('is recorded without a rule, and nothing of it leaves before its last byte', () =>
    withProxy({}, async ({ exchange, over, hooks, eventually, proxy }) => {
      const { client, upstream } = await exchange(GET);
      const body = octets(10_000);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n', body.subarray(0, 9999));
      await eventually(() => proxy.flows.last?.response?.transfer.received.bytes === 9999, 'all but one');
      expect(client.total).toBe(0);
      expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders']);
      await upstream.send(body.subarray(9999));
      await client.head();
      expect(await client.read(10_000)).toEqual(body);
      const { response } = await over();
      expect(response?.bodyStatus).toBe('recorded');
      expect(response?.body).toEqual(body);
      for (const side of [response?.transfer.received, response?.transfer.sent]) {
        expect(side?.bytes).toBe(10_000);
        expect(side?.sha256).toBe(sha256(body));
        expect(side?.pieces.sizes()).toEqual([4096, 4096, 1808]);
      }
    }));

  it('streams uploads: the head and first byte reach the origin while the client still sends', () =>
    withProxy({}, async ({ proxy, exchange, over, hooks }) => {
      proxy.stream('**', { request: true });
      const body = octets(5000);
      const { client, upstream, head } = await exchange(
        'POST http://{origin}/up HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 5000',
        body.subarray(0, 1),
      );
      expect(head).toMatch(/^POST \/up HTTP\/1\.1\r\n/);
      expect(head).toMatch(/\r\nContent-Length: 5000\r\n/);
      expect(await upstream.read(1)).toEqual(body.subarray(0, 1));
      for (const part of [4000, 998, 1].map(cutter(body.subarray(1)))) {
        expect(hooks).toEqual(['requestHeaders']);
        await client.send(part);
        expect(await upstream.read(part.length)).toEqual(part);
      }
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      expect(await client.head()).toBe('HTTP/1.1 204 No Content\r\n\r\n');
      const { request, response } = await over();
      expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
      expect(request.bodyStatus).toBe('streamed');
      expect(request.body.length).toBe(0);
      expect(request.transfer.received.pieces.sizes()).toEqual([4096, 904]);
      expect(request.transfer.sent.bytes).toBe(5000);
      expect(request.transfer.sent.sha256).toBe(sha256(body));
      expect(response?.bodyStatus).toBe('recorded');
    }));

  it('goes on until the connection closes where there is no length', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\n\r\nabc');
      expect(await client.head()).toBe('HTTP/1.1 200 OK\r\n\r\n');
      expect((await client.read(3)).toString()).toBe('abc');
      await upstream.send('defg');
      expect((await client.read(4)).toString()).toBe('defg');
      upstream.end();
      expect(await client.ending).toBe('fin');
      const { response, error } = await over();
      expect(error).toBeUndefined();
      expect(response?.complete).toBe(true);
      expect(response?.transfer.sent.pieces.sizes()).toEqual([7]);
      expect(response?.transfer.sent.sha256).toBe(sha256('abcdefg'));
    }));

  it('keeps the client connection, and reuses the origin connection, for the next exchange', () =>
    withProxy({}, async ({ proxy, origin, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
      await client.head();
      await client.read(2);
      await over();
      await client.send(`GET http://${origin.host}/b HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await upstream.head()).toMatch(/^GET \/b /);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyou');
      await client.head();
      expect((await client.read(3)).toString()).toBe('you');
      expect((await over(2)).server?.reused).toBe(true);
    }));
});

const CHUNK_SIZES = [1, 10, 4096, 5000, 70_000, 3];

/** A body section with everything that a relay could lose. */
function awkwardChunks(): { wire: Buffer; data: Buffer } {
  const data = octets(CHUNK_SIZES.reduce((sum, size) => sum + size));
  const parts = CHUNK_SIZES.map(cutter(data));
  const lines = ['', ';name="a\\"b;c"', '', '', ';x', ''];
  const chunks = parts.map((part, i) => chunk(part, lines[i]));
  // Upper case and leading zeros are as good as any other size.
  chunks[1] = Buffer.concat([Buffer.from('000A ;q=1\r\n'), parts[1] ?? Buffer.alloc(0), Buffer.from('\r\n')]);
  const end = Buffer.from('00;last=1\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n');
  return { wire: Buffer.concat([...chunks, end]), data };
}

function cutter(bytes: Buffer) {
  let at = 0;
  return (size: number) => {
    at += size;
    return bytes.subarray(at - size, at);
  };
}

describe('a chunked body', () => {
  for (const streams of [true, false]) {
    const how = streams ? 'streamed' : 'recorded';
    for (const seed of [1, 2, 3]) {
      it(`leaves a ${how} response as it came, split at random (${seed})`, () =>
        withProxy({}, async ({ proxy, exchange, over }) => {
          proxy.stream('**', streams);
          const { wire, data } = awkwardChunks();
          const { client, upstream } = await exchange(GET);
          await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n');
          for (const part of split(wire, 40, seed)) await upstream.send(part);
          expect(await client.head()).toMatch(
            /^HTTP\/1\.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n$/,
          );
          expect((await client.read(wire.length)).equals(wire)).toBe(true);
          const { response } = await over();
          expect(client.unread.length).toBe(0);
          expect(response?.bodyStatus).toBe(how);
          expect(response?.transfer.received.pieces.sizes()).toEqual(CHUNK_SIZES);
          expect(response?.transfer.sent.pieces.sizes()).toEqual(CHUNK_SIZES);
          expect(response?.transfer.sent.sha256).toBe(sha256(data));
          expect(response?.trailers?.getAll('x-sum')).toEqual(['1', '2']);
          if (!streams) expect(response?.body.equals(data)).toBe(true);
        }));

      it(`leaves a ${how} request as it came, split at random (${seed})`, () =>
        withProxy({}, async ({ proxy, origin, client: connect, over }) => {
          proxy.stream('**', streams);
          const { wire, data } = awkwardChunks();
          const client = await connect();
          await client.send(
            `POST http://${origin.host}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
          );
          for (const part of split(wire, 40, seed)) await client.send(part);
          const upstream = await origin.accept();
          await upstream.head();
          expect((await upstream.read(wire.length)).equals(wire)).toBe(true);
          await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
          await client.head();
          const { request } = await over();
          expect(upstream.unread.length).toBe(0);
          expect(request.bodyStatus).toBe(how);
          expect(request.transfer.received.pieces.sizes()).toEqual(CHUNK_SIZES);
          expect(request.transfer.sent.pieces.sizes()).toEqual(CHUNK_SIZES);
          expect(request.transfer.received.sha256).toBe(sha256(data));
          expect(request.trailers?.getAll('x-sum')).toEqual(['1', '2']);
        }));
    }
  }

  it('passes on a chunk line when it has come, and the data of an unfinished chunk', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n');
      await client.head();
      expect((await client.read(7)).toString()).toBe('186A0\r\n');
      await upstream.send('first');
      expect((await client.read(5)).toString()).toBe('first');
      const { transfer } = proxy.flows.last?.response ?? {};
      // A chunk that has only begun counts as far as it came.
      await eventually(() => transfer?.sent.bytes === 5, 'five octets sent');
      expect(transfer?.received.pieces.sizes()).toEqual([5]);
      expect(transfer?.sent.pieces.sizes()).toEqual([5]);
      await upstream.send(octets(99_995), '\r\n0\r\n\r\n');
      await client.read(99_995 + 7);
      expect((await over()).response?.transfer.sent.pieces.sizes()).toEqual([100_000]);
    }));

  it('has its trailers edited in the response hook of a streamed message, and the last chunk waits for it', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const entered = new Promise<void>((resolve) => {
        proxy.on('response', async ({ response }) => {
          resolve();
          await held;
          response.trailers?.set('x-sum', 'edited');
          response.trailers?.append('X-More', 'yes');
        });
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
      );
      await client.head();
      expect((await client.read(8)).toString()).toBe('3\r\nabc\r\n');
      await entered;
      expect(client.unread.length).toBe(0);
      // The origin's message is over: that it closes now is no failure.
      upstream.end();
      // Once another request has come through, the proxy knows.
      await exchange(GET);
      release();
      expect((await client.read('\r\n\r\n')).toString()).toBe('0\r\nx-sum: edited\r\nX-More: yes\r\n\r\n');
      const { error, warnings } = await over();
      expect(error).toBeUndefined();
      expect(warnings).toEqual([]);
    }));

  it('reaches a 1.0 client without chunks, ended by the connection', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange('GET http://{origin}/ HTTP/1.0');
      await upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      expect(await client.head()).not.toMatch(/transfer-encoding/i);
      expect((await client.read(3)).toString()).toBe('abc');
      await upstream.send('2\r\nde\r\n0\r\nX: y\r\n\r\n');
      expect((await client.rest()).toString()).toBe('de');
      expect(await client.ending).toBe('fin');
      const { response, error } = await over();
      expect(error).toBeUndefined();
      expect(response?.transfer.sent.pieces.sizes()).toEqual([3, 2]);
    }));
});
