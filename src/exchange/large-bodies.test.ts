import { describe, expect, it } from '@jest/globals';
import { chunk, LAST_CHUNK, octets, sha256 } from '../testing/bytes.js';
import { type Stage, withProxy } from '../testing/with-proxy.js';

const LIMIT = 3 * 1024 * 1024;
const BODY = octets(LIMIT + 1);
const DIGESTS = { recorded: sha256(BODY.subarray(0, LIMIT)), streamed: sha256(BODY) };
const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';

type Way = 'Content-Length' | 'chunks' | 'the connection';

/** A body section, and the field that announces it. */
function framed(way: Way, body: Buffer): { field: string; wire: Buffer } {
  if (way === 'Content-Length') return { field: `Content-Length: ${body.length}\r\n`, wire: body };
  if (way === 'the connection') return { field: '', wire: body };
  // The last chunk is the one that tips it.
  const wire = Buffer.concat([
    chunk(body.subarray(0, 1_000_000), ';first'),
    chunk(body.subarray(1_000_000, LIMIT)),
    body.length > LIMIT ? chunk(body.subarray(LIMIT)) : Buffer.alloc(0),
    Buffer.from(LAST_CHUNK),
  ]);
  return { field: 'Transfer-Encoding: chunked\r\n', wire };
}

async function download({ exchange }: Stage, way: Way, size: number): Promise<void> {
  const { field, wire } = framed(way, BODY.subarray(0, size));
  const { client, upstream } = await exchange(GET);
  const sending = upstream.send(`HTTP/1.1 200 OK\r\n${field}\r\n`, wire);
  if (way === 'the connection') upstream.end();
  await client.head();
  const got = way === 'the connection' ? await client.rest() : await client.read(wire.length);
  expect(got.equals(wire)).toBe(true);
  await sending;
}

async function upload({ origin, client: connect }: Stage, way: Way, size: number): Promise<void> {
  const { field, wire } = framed(way, BODY.subarray(0, size));
  const client = await connect();
  const sending = client.send(`POST http://${origin.host}/a HTTP/1.1\r\nHost: x\r\n${field}\r\n`, wire);
  const upstream = await origin.accept();
  await upstream.head();
  expect((await upstream.read(wire.length)).equals(wire)).toBe(true);
  await sending;
  await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
  await client.head();
}

describe("streamLargeBodies: '3m'", () => {
  for (const [direction, way] of [
    ['response', 'Content-Length'],
    ['response', 'chunks'],
    ['response', 'the connection'],
    ['request', 'Content-Length'],
    ['request', 'chunks'],
  ] as ['request' | 'response', Way][]) {
    for (const [what, size] of [
      ['recorded', LIMIT],
      ['streamed', LIMIT + 1],
    ] as ['recorded' | 'streamed', number][]) {
      it(`a ${direction} of ${size} octets, framed by ${way}, is ${what}`, () =>
        withProxy({ streamLargeBodies: '3m' }, async (stage) => {
          await (direction === 'request' ? upload : download)(stage, way, size);
          const flow = await stage.over();
          const message = flow[direction];
          expect(flow.error).toBeUndefined();
          expect(flow.warnings).toEqual([]);
          expect(message?.bodyStatus).toBe(what);
          expect(message?.complete).toBe(true);
          expect(message?.rawBody.length).toBe(what === 'recorded' ? size : 0);
          expect(message?.transfer.received.bytes).toBe(size);
          expect(message?.transfer.sent.bytes).toBe(size);
          expect(message?.transfer.received.sha256).toBe(DIGESTS[what]);
          expect(message?.transfer.sent.sha256).toBe(DIGESTS[what]);
          const tail = what === 'streamed' ? [1] : [];
          const pieces =
            way === 'chunks'
              ? [1_000_000, LIMIT - 1_000_000, ...tail]
              : [...Array.from({ length: 768 }, () => 4096), ...tail];
          expect(message?.transfer.received.pieces.sizes()).toEqual(pieces);
          expect(message?.transfer.sent.pieces.sizes()).toEqual(pieces);
          expect(stage.hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
        }));
    }
  }

  it('goes on at once when a body of unknown length tips, with what was held back in front', () =>
    withProxy({ streamLargeBodies: 10 }, async ({ exchange, over }) => {
      const { client, upstream } = await exchange(GET);
      await upstream.send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;x=1\r\nabcdef\r\n8\r\nghijk',
      );
      await client.head();
      const begun = '6;x=1\r\nabcdef\r\n8\r\nghijk';
      expect((await client.read(begun.length)).toString()).toBe(begun);
      await upstream.send('lmn\r\n0\r\nT: 1\r\n\r\n');
      expect((await client.read('\r\n\r\n')).toString()).toBe('lmn\r\n0\r\nT: 1\r\n\r\n');
      const { response } = await over();
      expect(response?.transfer.sent.pieces.sizes()).toEqual([6, 8]);
      expect(response?.transfer.sent.sha256).toBe(sha256('abcdefghijklmn'));
    }));

  for (const [who, field] of [
    ['a rule', 'Content-Length: 20\r\n'],
    ['a rule', ''],
    ['a hook', 'Content-Length: 20\r\n'],
    ['a hook', ''],
  ] as const) {
    it(`an explicit false of ${who} is kept ${field === '' ? 'without' : 'with'} Content-Length`, () =>
      withProxy({ streamLargeBodies: 10 }, async ({ proxy, exchange, over }) => {
        if (who === 'a rule') proxy.stream('**', false);
        else {
          proxy.on('responseHeaders', ({ response }) => {
            // The decision so far shows.
            expect(response.stream).toBe(field !== '');
            response.stream = false;
          });
        }
        const { upstream, client } = await exchange(GET);
        await upstream.send(`HTTP/1.1 200 OK\r\n${field}\r\n`, 'x'.repeat(20));
        upstream.end();
        await client.head();
        await client.read(20);
        const { response, error } = await over();
        expect(error).toBeUndefined();
        expect(response?.bodyStatus).toBe('recorded');
        expect(response?.text()).toBe('x'.repeat(20));
      }));
  }

  it('an explicit false is kept for a chunked upload', () =>
    withProxy({ streamLargeBodies: 10 }, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { request: false });
      const { client, upstream } = await exchange(
        'POST http://{origin}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked',
        `14\r\n${'x'.repeat(20)}\r\n0\r\n\r\n`,
      );
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      await client.head();
      expect((await over()).request.bodyStatus).toBe('recorded');
    }));

  it('a hook overrules rules, and rules overrule the size, in both directions', () =>
    withProxy({ streamLargeBodies: 10 }, async ({ proxy, exchange, over }) => {
      proxy.stream('**', false);
      proxy.stream('**/a', { response: true });
      proxy.on('requestHeaders', ({ request }) => {
        expect(request.stream).toBe(false);
        request.stream = true;
      });
      proxy.on('responseHeaders', ({ response }) => {
        expect(response.stream).toBe(true);
        response.stream = false;
      });
      const { upstream } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: x\r\nContent-Length: 20',
        'x'.repeat(20),
      );
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n', 'x'.repeat(20));
      const { request, response } = await over();
      expect(request.bodyStatus).toBe('streamed');
      expect(response?.bodyStatus).toBe('recorded');
    }));
});

describe('content types that stall when buffered', () => {
  for (const type of [
    'text/event-stream',
    'multipart/x-mixed-replace; boundary=x',
    'application/grpc+proto',
  ]) {
    it(`${type} is live by default`, () =>
      withProxy({}, async ({ exchange }) => {
        const { client, upstream } = await exchange(GET);
        await upstream.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n\r\ndata: 1\n\n`);
        await client.head();
        expect((await client.read(9)).toString()).toBe('data: 1\n\n');
      }));
  }

  it('streamContentTypes: [] turns that off', () =>
    withProxy({ streamContentTypes: [] }, async ({ exchange, over }) => {
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
      upstream.end();
      await client.rest();
      expect((await over()).response?.bodyStatus).toBe('recorded');
    }));

  it('a rule can still buffer one', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', false);
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
      upstream.end();
      await client.rest();
      expect((await over()).response?.text()).toBe('data: 1\n\n');
    }));
});
