/** Server-sent events in the record, with sockets that are read and written octet by octet. */

import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { AnsweredFlow, RespondInit } from './flow/types.js';
import { decoded } from './stream/transforms.js';
import { chunk, LAST_CHUNK } from './testing/bytes.js';
import { dataOf, gzipped, occupyThreadPool, openStream } from './testing/event-stream.js';
import { withProxy } from './testing/with-proxy.js';

const event = (data: number | string) => `id: ${data}\ndata: ${data}\n\n`;
const raw = (bytes: string | Buffer) => Buffer.from(bytes as string);

describe('an event of a stream', () => {
  const framings: [what: string, fields: string, frame: (text: string) => Buffer][] = [
    ['in chunks', 'Transfer-Encoding: chunked', chunk],
    ['that ends with the connection', 'Connection: close', raw],
    ['of known length', 'Content-Length: 1000000', raw],
  ];
  for (const [what, fields, frame] of framings) {
    for (const digest of ['sha256', false] as const) {
      it(`is recorded before it is at the client, ${what}, digest: ${digest}`, () =>
        withProxy({ digest }, async (stage) => {
          const { client, upstream, flow } = await openStream(stage, fields);
          const { response } = flow;
          expect([response.events, response.bodyStatus, response.eventsTruncated]).toEqual([
            [],
            'streamed',
            false,
          ]);
          // How many there were, and what had left, each time that something was told.
          const moments: [events: number, sent: number][] = [];
          stage.proxy.watch((_flow, moment) => {
            if (moment === 'event') moments.push([dataOf(flow).length, response.transfer.sent.bytes]);
          });
          let sent = 0;
          for (let i = 1; i <= 4; i++) {
            const wire = frame(event(i));
            await upstream.send(wire);
            expect(await client.read(wire.length)).toEqual(wire);
            expect(dataOf(flow).length).toBe(i);
            expect(moments.at(-1)).toEqual([i, sent]);
            await stage.eventually(() => response.transfer.sent.bytes > sent, 'the write to be over');
            sent = response.transfer.sent.bytes;
          }
          expect(response.events?.at(-1)).toMatchObject({ event: 'message', data: '4', id: '4' });
          expect([response.complete, flow.error, response.body.length]).toEqual([false, undefined, 0]);
        }));
    }
  }

  it('is recorded once it is whole, however it is cut', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, flow } = await openStream(stage, 'Connection: close');
      const bytes = Buffer.from('event: grüße\r\ndata: 🎉\r\n\r\n');
      for (const [i, octet] of bytes.entries()) {
        expect(dataOf(flow)).toEqual(i > bytes.lastIndexOf('\r') ? ['🎉'] : []);
        await upstream.send(Buffer.from([octet]));
        await client.read(1);
      }
      expect(flow.response.events).toMatchObject([{ event: 'grüße', data: '🎉', id: '' }]);
      await upstream.send('data: never ended');
      upstream.end();
      await client.rest();
      const { response } = await stage.over();
      expect([response?.complete, response?.events?.length]).toEqual([true, 1]);
    }));

  it('that is compressed waits for the decoder', () =>
    withProxy({}, async (stage) => {
      const fields = 'Transfer-Encoding: chunked\r\nContent-Encoding: gzip';
      const { client, upstream, flow } = await openStream(stage, fields);
      const parts = await gzipped([event(1), `${event(2)}data: 3\n`, '\n', event(4)]);
      for (const [i, part] of parts.entries()) {
        const busy = occupyThreadPool();
        const wire = chunk(part);
        await upstream.send(wire);
        expect(await client.read(wire.length)).toEqual(wire);
        expect(dataOf(flow).length).toBe(i + 1);
        await busy;
      }
      await upstream.send(LAST_CHUNK);
      expect((await client.read(LAST_CHUNK.length)).toString()).toBe(LAST_CHUNK);
      expect((await stage.over()).response?.complete).toBe(true);
    }));

  it('that is compressed is at the client before the failure that follows it', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, flow } = await openStream(
        stage,
        'Transfer-Encoding: chunked\r\nContent-Encoding: gzip',
      );
      const [part = Buffer.alloc(0)] = await gzipped([event(1)]);
      const busy = occupyThreadPool();
      await upstream.send(chunk(part));
      upstream.destroy();
      expect(await client.rest()).toEqual(chunk(part));
      expect(dataOf(flow)).toEqual(['1']);
      expect((await stage.over()).error?.code).toBe('ORIGIN_CLOSED');
      await busy;
    }));

  it('that can not be decoded passes, with a warning', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, flow } = await openStream(
        stage,
        'Connection: close\r\nContent-Encoding: gzip',
      );
      await upstream.send(event(1), event(2));
      expect((await client.read(event(1).length * 2)).toString()).toBe(event(1) + event(2));
      expect([dataOf(flow), flow.response.eventsTruncated]).toEqual([[], true]);
      expect(flow.warnings).toEqual([
        "the response's events are not recorded any more: incorrect header check",
      ]);
    }));

  it('over the limit passes unrecorded', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, flow } = await openStream(stage, 'Connection: close');
      const many = Buffer.from('data: x\n\n'.repeat(10_000));
      await upstream.send(many);
      await client.read(many.length);
      expect([flow.response.events?.length, flow.response.eventsTruncated]).toEqual([10_000, false]);
      for (let i = 0; i < 2; i++) {
        await upstream.send(event('more'));
        await client.read(event('more').length);
      }
      expect([flow.response.events?.length, flow.response.eventsTruncated]).toEqual([10_000, true]);
    }));
});

describe('events through a transform', () => {
  it('are those that it yields', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**/events', {
        response: async function* (pieces) {
          yield event('first of all');
          for await (const piece of pieces) if (!piece.includes('secret')) yield piece;
        },
      });
      const { client, upstream, flow } = await openStream(stage);
      await client.read(chunk(event('first of all')).length);
      await upstream.send(chunk(event('secret')), chunk(event('plain')));
      expect((await client.read(chunk(event('plain')).length)).toString()).toContain('plain');
      expect(dataOf(flow)).toEqual(['first of all', 'plain']);
    }));

  it('are read from what leaves encoded', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**/events', {
        response: decoded(async function* (pieces) {
          for await (const piece of pieces) yield String(piece).replaceAll('one', 'two');
        }),
      });
      const { client, upstream, flow } = await openStream(
        stage,
        'Transfer-Encoding: chunked\r\nContent-Encoding: gzip',
      );
      const busy = occupyThreadPool();
      await upstream.send(chunk(gzipSync(event('one'))), LAST_CHUNK);
      await client.read(LAST_CHUNK);
      expect(dataOf(flow)).toEqual(['two']);
      await busy;
    }));
});

describe('events of an answer', () => {
  const answers: [what: string, init: RespondInit][] = [
    ['whole', { contentType: 'text/event-stream', body: event(1) + event(2) }],
    [
      'piece by piece',
      { headers: { 'Content-Type': 'text/event-stream' }, body: pieces(event(1), event(2)) },
    ],
  ];
  for (const [what, init] of answers) {
    it(`that respond() gives ${what} are recorded`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.respond('**/events', init);
        const client = await stage.client();
        await client.send('GET http://app.test/events HTTP/1.1\r\nHost: app.test\r\n\r\n');
        const flow = await stage.over();
        expect(flow.response?.events).toMatchObject([{ data: '1' }, { data: '2' }]);
        expect((await client.read('data: 2\n\n')).toString()).toContain('id: 1');
      }));
  }

  it('are recorded while it is being given', () =>
    withProxy({}, async (stage) => {
      let next: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        next = resolve;
      });
      const body = (async function* () {
        yield event(1);
        await asked;
        yield event(2);
      })();
      stage.proxy.respond('**/events', { contentType: 'text/event-stream', body });
      const client = await stage.client();
      await client.send('GET http://app.test/events HTTP/1.1\r\nHost: app.test\r\n\r\n');
      await client.read(event(1));
      const flow = stage.proxy.flows.last as AnsweredFlow;
      expect([dataOf(flow), flow.response.complete]).toEqual([['1'], false]);
      next();
      await client.read(event(2));
      expect(dataOf(flow)).toEqual(['1', '2']);
    }));

  it('that are compressed are at the client before the failure that follows them', () =>
    withProxy({}, async (stage) => {
      const [part = Buffer.alloc(0)] = await gzipped([event(1)]);
      const body = (async function* () {
        yield part;
        throw new Error('no more');
      })();
      const headers = { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' };
      stage.proxy.respond('**/events', { headers, body });
      const busy = occupyThreadPool();
      const client = await stage.client();
      await client.send('GET http://app.test/events HTTP/1.1\r\nHost: app.test\r\n\r\n');
      await client.head();
      expect(await client.rest()).toEqual(chunk(part));
      const flow = (await stage.over()) as AnsweredFlow;
      expect([dataOf(flow), flow.error?.code]).toEqual([['1'], 'RULE_FAILED']);
      await expect(stage.proxy.verify()).rejects.toThrow('no more');
      await busy;
    }));
});

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  yield* texts;
}

describe('events of a recorded response', () => {
  it('are those of its body, once it is there', () =>
    withProxy({ streamContentTypes: [] }, async (stage) => {
      const { client, upstream, flow } = await openStream(stage);
      await upstream.send(chunk(event(1)));
      const { received } = flow.response.transfer;
      await stage.eventually(() => received.bytes > 0, 'the event to come');
      expect([flow.response.events, client.total]).toEqual([[], 0]);
      await upstream.send(chunk(event(2)), LAST_CHUNK);
      await client.read(LAST_CHUNK);
      const { response } = await stage.over();
      expect(response?.bodyStatus).toBe('recorded');
      expect(dataOf(flow)).toEqual(['1', '2']);
      expect(response?.text()).toBe(event(1) + event(2));
    }));

  it('are those that a hook leaves', () =>
    withProxy({ streamContentTypes: [] }, async (stage) => {
      const seen: (string[] | undefined)[] = [];
      stage.proxy.on('response', ({ response }) => {
        seen.push(response.events?.map(({ data }) => data));
        response.body = response.text().replaceAll('one', 'two');
      });
      const { client, upstream, flow } = await openStream(stage);
      await upstream.send(chunk(event('one')), LAST_CHUNK);
      await client.read('two\n\n');
      expect([seen, dataOf(flow)]).toEqual([[['one']], ['two']]);
    }));

  it('that outgrows streamLargeBodies are recorded from the first on', () =>
    withProxy({ streamContentTypes: [], streamLargeBodies: 20 }, async (stage) => {
      const { client, upstream, flow } = await openStream(stage);
      await upstream.send(chunk(event(1)));
      await stage.eventually(() => flow.response.transfer.received.bytes > 0, 'the event to come');
      expect(client.total).toBe(0);
      await upstream.send(chunk(event(2)));
      await client.read('data: 2\n\n');
      expect([flow.response.bodyStatus, dataOf(flow)]).toEqual(['streamed', ['1', '2']]);
    }));
});

describe('what has events', () => {
  it('is what the head that leaves says', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('responseHeaders', ({ response }) => {
        response.headers.set('Content-Type', 'text/event-stream;charset=utf-8');
        response.stream = true;
      });
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send(
        'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n',
        event(1),
      );
      await client.read(event(1));
      expect(stage.proxy.flows.last?.response?.events).toMatchObject([{ data: '1' }]);
    }));

  it('is no other type, and no response to HEAD', () =>
    withProxy({}, async (stage) => {
      const { upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send(
        'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n\r\n',
        event(1),
      );
      const { response } = await stage.over();
      expect([response?.events, response?.eventsTruncated]).toEqual([undefined, false]);
      const head = await stage.exchange('HEAD http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await head.upstream.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
      expect((await stage.over(2)).response?.events).toEqual([]);
    }));

  it('is live: a part of multipart/x-mixed-replace is at the client before the next is sent', () =>
    withProxy({}, async ({ exchange, proxy }) => {
      const { client, upstream } = await exchange('GET http://{origin}/camera HTTP/1.1\r\nHost: {origin}');
      await upstream.send(
        'HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\nConnection: close\r\n\r\n',
      );
      await client.head();
      for (let i = 1; i <= 3; i++) {
        const part = `--x\r\nContent-Type: text/plain\r\n\r\npart ${i}\r\n`;
        await upstream.send(part);
        expect((await client.read(part.length)).toString()).toBe(part);
      }
      expect(proxy.flows.last?.response).toMatchObject({ bodyStatus: 'streamed', complete: false });
    }));
});
