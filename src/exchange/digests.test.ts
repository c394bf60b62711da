import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { chunk, octets, random, sha256, split } from '../testing/bytes.js';
import { withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';

function form(boundary: string, file: Buffer): Buffer {
  const part = (disposition: string, type: string, data: Uint8Array | string) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n${type}\r\n`),
    Buffer.from(data as string),
    Buffer.from('\r\n'),
  ];
  return Buffer.concat([
    ...part('name="title"', '', 'über'),
    ...part('name="file"; filename="a %22b%22.bin"', 'Content-Type: application/octet-stream\r\n', file),
    ...part('name="empty"; filename=""', 'Content-Type: application/octet-stream\r\n', ''),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

describe('the parts of a multipart upload', () => {
  for (const streams of [true, false]) {
    it(`stay unknown with a boundary that can't be looked for: ${streams ? 'streamed' : 'recorded'}`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**', streams);
        const type = `multipart/form-data; boundary=${'b'.repeat(253)}`;
        const head = `POST http://{origin}/ HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 4`;
        const { client, upstream } = await exchange(head, 'body');
        expect((await upstream.read(4)).toString()).toBe('body');
        await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
        await client.head();
        const { request, error } = await over();
        expect([request.parts, error]).toEqual([[], undefined]);
      }));
  }

  for (const streams of [true, false]) {
    for (const framing of ['length', 'chunked']) {
      it(`are counted and digested in passing: ${streams ? 'streamed' : 'recorded'}, ${framing}`, () =>
        withProxy({}, async ({ proxy, origin, client: connect, over }) => {
          proxy.stream('**', streams);
          const file = octets(200_000);
          // Something that looks like the boundary and is none.
          file.write('\r\n--XbX', 100_000);
          const body = form('XbXb', file);
          const client = await connect();
          const field =
            framing === 'length' ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked';
          await client.send(
            `POST http://${origin.host}/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=XbXb\r\n${field}\r\n\r\n`,
          );
          for (const part of split(body, 30, 5)) await client.send(framing === 'length' ? part : chunk(part));
          if (framing === 'chunked') await client.send('0\r\n\r\n');
          const upstream = await origin.accept();
          await upstream.head();
          await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
          await client.head();
          const { request } = await over();
          expect(request.bodyStatus).toBe(streams ? 'streamed' : 'recorded');
          expect(request.transfer.received.sha256).toBe(sha256(body));
          expect(request.parts).toEqual([
            { name: 'title', bytes: 5, sha256: sha256('über') },
            {
              name: 'file',
              filename: 'a "b".bin',
              contentType: 'application/octet-stream',
              bytes: 200_000,
              sha256: sha256(file),
            },
            {
              name: 'empty',
              filename: '',
              contentType: 'application/octet-stream',
              bytes: 0,
              sha256: sha256(''),
            },
          ]);
        }));
    }
  }

  it('do not hold up a body that is not what it says', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      for (const [i, body] of ['no boundary at all', '--XbXb\r\nbroken', '--XbXb--'].entries()) {
        const { client, upstream } = await exchange(
          `POST http://{origin}/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=XbXb\r\nContent-Length: ${body.length}`,
          body,
        );
        await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
        await client.head();
        const { request, error } = await over(i + 1);
        expect(error).toBeUndefined();
        expect(request.transfer.sent.bytes).toBe(body.length);
      }
    }));
});

describe('the content of a streamed body with Content-Encoding', () => {
  const content = Buffer.from('some text that zips. '.repeat(20_000));
  const zipped = gzipSync(content);

  for (const [what, encoding, wire, decoded] of [
    ['gzip', 'gzip', zipped, content],
    ['two codings', 'deflate, gzip', gzipSync(deflateSync(content)), content],
    ['several gzip members', 'gzip', Buffer.concat([zipped, zipped]), Buffer.concat([content, content])],
  ] as const) {
    it(`is counted and digested: ${what}`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        const sending = upstream.send(
          `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${wire.length}\r\n\r\n`,
          wire,
        );
        await client.head();
        expect((await client.read(wire.length)).equals(wire)).toBe(true);
        await sending;
        const { received, sent } = (await over()).response?.transfer ?? {};
        for (const side of [received, sent]) {
          expect(side?.sha256).toBe(sha256(wire));
          expect(side?.decoded).toEqual({ bytes: decoded.length, sha256: sha256(decoded) });
        }
      }));
  }

  for (const [what, encoding, wire] of [
    ['broken', 'gzip', Buffer.from('this is not gzip at all')],
    ['cut short', 'gzip', zipped.subarray(0, zipped.length - 20)],
    ['of an unknown coding', 'rot13', Buffer.from('uryyb')],
  ] as const) {
    it(`has no digest when it is ${what}, and goes through all the same`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send(
          `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${wire.length}\r\n\r\n`,
          wire,
        );
        await client.head();
        expect((await client.read(wire.length)).equals(wire)).toBe(true);
        const { response, error } = await over();
        expect(error).toBeUndefined();
        expect(response?.transfer.received.sha256).toBe(sha256(wire));
        expect(response?.transfer.received.decoded).toBeUndefined();
      }));
  }

  it('may be followed by megabytes of padding', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      const wire = Buffer.concat([zipped, Buffer.alloc(6_000_000)]);
      const sending = upstream.send(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${wire.length}\r\n\r\n`,
        wire,
      );
      await client.head();
      await client.read(wire.length);
      await sending;
      const { response, error } = await over();
      expect(error).toBeUndefined();
      expect(response?.transfer.sent.bytes).toBe(wire.length);
      expect(response?.transfer.sent.decoded).toEqual({ bytes: content.length, sha256: sha256(content) });
    }));

  it('may be slow to decode: a small body that unpacks to a lot does not pile up', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', {
        response: async function* (pieces) {
          yield* pieces;
        },
      });
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      const next = random(3);
      const noise = gzipSync(Buffer.from(Array.from({ length: 100_000 }, () => next() * 256)));
      const wire = Buffer.concat([bomb, noise]);
      const { client, upstream } = await exchange(GET);
      await upstream.send(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${wire.length}\r\n\r\n`,
        wire,
      );
      await client.head();
      await client.read('\r\n0\r\n\r\n');
      expect((await over()).response?.transfer.received.decoded?.bytes).toBe(50_100_000);
    }));
});

describe('digest: false', () => {
  it('keeps none, streamed or not, and counts all the same', () =>
    withProxy({ digest: false }, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { request: true });
      const wire = gzipSync('hello');
      const body = form('XbXb', octets(10));
      const { client, upstream } = await exchange(
        `POST http://{origin}/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary="XbXb"\r\nContent-Length: ${body.length}`,
        body,
      );
      await upstream.send(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${wire.length}\r\n\r\n`,
        wire,
      );
      await client.head();
      await client.read(wire.length);
      const { request, response } = await over();
      for (const side of [
        request.transfer.received,
        request.transfer.sent,
        response?.transfer.received,
        response?.transfer.sent,
      ]) {
        expect(side?.sha256).toBeUndefined();
        expect(side?.decoded).toBeUndefined();
        expect(side?.bytes).toBeGreaterThan(0);
      }
      expect(request.parts.map(({ name, bytes, sha256 }) => [name, bytes, sha256])).toEqual([
        ['title', 5, undefined],
        ['file', 10, undefined],
        ['empty', 0, undefined],
      ]);
      expect(response?.text()).toBe('hello');
    }));
});
