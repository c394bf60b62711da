import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { StreamTransform } from './flow/types.js';
import { keepsLength } from './stream/transforms.js';
import { octets, sha256 } from './testing/bytes.js';
import { type Handler, nameOf, onWay, valuesOf, WAYS } from './testing/http-versions.js';

const MiB = 1024 * 1024;

/** Sends the request's body back, as it comes. */
const echo: Handler = (request, response) => {
  const length = request.headers['x-length'];
  if (length !== undefined) response.setHeader('Content-Length', String(length));
  request.pipe(response as never);
};

const upperCase: StreamTransform = async function* (pieces) {
  for await (const piece of pieces) yield piece.toString('latin1').toUpperCase();
};

const doubled: StreamTransform = async function* (pieces) {
  for await (const piece of pieces) {
    yield piece;
    yield piece;
  }
};

for (const way of WAYS) {
  describe(nameOf(way), () => {
    it('100 MiB stream up and down, counted and digested', () => {
      const digests: string[] = [];
      const handler: Handler = (request, response) => {
        const digest = createHash('sha256');
        request.on('data', (bytes: Buffer) => digest.update(bytes));
        request.on('end', () => digests.push(digest.digest('hex')));
        request.pipe(response as never);
      };
      return onWay(way, handler, {}, async ({ stage, ask }) => {
        stage.proxy.stream('**', { request: true, response: true });
        const part = octets(MiB);
        const whole = createHash('sha256');
        for (let i = 0; i < 100; i++) whole.update(part);
        const expected = whole.digest('hex');
        const { body } = await ask('/', {
          method: 'POST',
          send: (to) => {
            let left = 100;
            const more = () => {
              while (left > 0) {
                left--;
                if (!to.write(part)) return;
              }
              to.end();
            };
            to.on('drain', more);
            more();
          },
        });
        expect(sha256(body)).toBe(expected);
        expect(digests).toEqual([expected]);
        const { request, response } = await stage.over();
        for (const message of [request, response]) {
          for (const side of [message?.transfer.received, message?.transfer.sent]) {
            expect(side?.bytes).toBe(100 * MiB);
            expect(side?.sha256).toBe(expected);
          }
          expect(message?.rawBody.length).toBe(0);
        }
      });
    });

    for (const streamed of [true, false]) {
      it(`pieces are of 4096 octets where there are no chunks, ${streamed ? 'streamed' : 'recorded'}`, () =>
        onWay(way, echo, {}, async ({ stage, ask }) => {
          stage.proxy.stream('**', { request: streamed, response: streamed });
          const bytes = octets(10_000);
          const length = { 'Content-Length': '10000', 'X-Length': '10000' };
          expect(
            (await ask('/', { method: 'POST', headers: length, send: (to) => to.end(bytes) })).body,
          ).toEqual(bytes);
          await ask('/', { method: 'POST', send: (to) => to.end(bytes) });
          const stated = await stage.over();
          const unknown = await stage.over(2);
          const runs = [
            [4096, 2],
            [1808, 1],
          ];
          for (const { transfer } of [stated.request, stated.response ?? stated.request]) {
            expect([transfer.received.pieces.runs, transfer.sent.pieces.runs]).toEqual([runs, runs]);
          }
          if (way.client === 'h2') expect(unknown.request.transfer.received.pieces.runs).toEqual(runs);
          if (way.origin === 'h2') expect(unknown.response?.transfer.received.pieces.runs).toEqual(runs);
        }));
    }

    it('transforms may change the length, or promise not to', () =>
      onWay(way, echo, {}, async ({ stage, ask }) => {
        stage.proxy.stream('**/doubled', { request: doubled, response: doubled });
        stage.proxy.stream('**/kept', { request: keepsLength(upperCase), response: keepsLength(upperCase) });
        const body = 'text '.repeat(2000);
        const question = {
          method: 'POST',
          headers: { 'Content-Length': '10000', 'X-Length': '10000' },
          send: (to: { end(text: string): void }) => to.end(body),
        };
        const kept = await ask('/kept', question);
        expect(kept.body.toString()).toBe(body.toUpperCase());
        expect(valuesOf(kept.headers, 'content-length')).toEqual(['10000']);
        const twice = await ask('/doubled', { ...question, headers: { 'Content-Length': '10000' } });
        expect(twice.body.length).toBe(40_000);
        expect(valuesOf(twice.headers, 'content-length')).toEqual([]);
        const { request, response } = await stage.over(2);
        expect([request.transfer.received.bytes, request.transfer.sent.bytes]).toEqual([10_000, 20_000]);
        expect([response?.transfer.received.bytes, response?.transfer.sent.bytes]).toEqual([20_000, 40_000]);
        expect(request.transfer.sent.pieces.runs).toEqual([
          [4096, 4],
          [1808, 2],
        ]);
        expect([request.headers.has('content-length'), response?.headers.has('content-length')]).toEqual([
          false,
          false,
        ]);
      }));

    it('a transform that has enough ends both ways cleanly', () => {
      const endless: Handler = (request, response) => {
        const more = () => {
          while (!response.destroyed && !response.writableEnded && response.write(octets(16_384)));
        };
        response.on('drain', more);
        response.on('close', () => request.destroy());
        more();
      };
      return onWay(way, endless, {}, async ({ stage, ask }) => {
        const firstFive: StreamTransform = async function* (pieces) {
          for await (const piece of pieces) {
            yield piece.subarray(0, 5);
            return;
          }
        };
        stage.proxy.stream('**', { response: firstFive });
        expect((await ask('/')).body).toEqual(octets(5));
        const flow = await stage.over();
        expect(flow.error).toBeUndefined();
        expect((await ask('/')).body).toEqual(octets(5));
      });
    });

    it('hooks edit what is recorded: method, status, fields, bodies', () =>
      onWay(way, echo, {}, async ({ stage, ask }) => {
        stage.proxy.on('requestHeaders', async ({ request }) => {
          await new Promise(setImmediate);
          request.method = 'PUT';
          request.headers.set('X-Added', 'é');
        });
        stage.proxy.on('request', async ({ request }) => {
          await new Promise(setImmediate);
          request.body = `${request.text()} and more`;
        });
        stage.proxy.on('responseHeaders', async ({ response }) => {
          await new Promise(setImmediate);
          if (response !== undefined) response.status = 202;
        });
        stage.proxy.on('response', async ({ response }) => {
          await new Promise(setImmediate);
          if (response !== undefined) response.body = gzipSync(response.body).toString('base64');
          response?.headers.set('X-Response', 'edited');
        });
        const { status, headers, body } = await ask('/', { method: 'POST', send: (to) => to.end('body') });
        expect(status).toBe(202);
        expect(body.toString()).toBe(gzipSync('body and more').toString('base64'));
        // Chunks stay chunks.
        const chunked = way.client === 'h1' && way.origin === 'h1';
        expect(valuesOf(headers, 'content-length')).toEqual(chunked ? [] : [String(body.length)]);
        expect(valuesOf(headers, 'x-response')).toEqual(['edited']);
        expect((await stage.over()).error).toBeUndefined();
      }));

    it('bodies of unknown length stream once they are larger than streamLargeBodies', () =>
      onWay(way, echo, { streamLargeBodies: '20k' }, async ({ stage, ask }) => {
        const [small, large] = [octets(20 * 1024), octets(20 * 1024 + 1)];
        const post = (bytes: Buffer) => ({
          method: 'POST',
          send: (to: NodeJS.WritableStream) => to.end(bytes),
        });
        expect((await ask('/', post(small))).body).toEqual(small);
        expect((await ask('/', post(large))).body).toEqual(large);
        const [one, two] = [await stage.over(), await stage.over(2)];
        expect([one.request.bodyStatus, one.response?.bodyStatus]).toEqual(['recorded', 'recorded']);
        expect([two.request.bodyStatus, two.response?.bodyStatus]).toEqual(['streamed', 'streamed']);
        expect(two.response?.transfer.sent).toMatchObject({ bytes: large.length, sha256: sha256(large) });
      }));

    it('bodies over bodySizeLimit are refused, whether it is known beforehand or not', () =>
      onWay(way, echo, { bodySizeLimit: '1k' }, async ({ stage, ask }) => {
        const large = octets(2000);
        const post = (path: string, headers = {}) =>
          ask(path, { method: 'POST', headers, send: (to) => to.end(large) });
        expect((await post('/', { 'Content-Length': '2000' })).status).toBe(413);
        expect((await post('/')).status).toBe(413);
        stage.proxy.stream('**/up', { request: true });
        expect((await post('/up', { 'X-Length': '2000' })).status).toBe(502);
        expect((await post('/up')).status).toBe(502);
        for (let i = 1; i <= 4; i++) expect((await stage.over(i)).error?.code).toBe('BODY_TOO_LARGE');
        expect((await ask('/', { method: 'POST', send: (to) => to.end('small') })).body.toString()).toBe(
          'small',
        );
      }));

    it('rules and hooks answer in place of the origin', () =>
      onWay(way, echo, {}, async ({ stage, ask }) => {
        const version = way.client === 'h2' ? '2.0' : '1.1';
        stage.proxy.respond('**/rule', { status: 404, json: { from: 'rule' } });
        stage.proxy.respond('**/parts', {
          body: (async function* () {
            yield 'one ';
            yield 'two';
          })(),
        });
        stage.proxy.on('response', (flow) => {
          if (flow.request.path === '/hook') flow.respond({ status: 201, body: 'from the hook' });
        });
        const send = (to: { write(text: string): void; end(): void }) => {
          to.write('body');
          to.end();
        };
        const rule = await ask('/rule', { method: 'POST', send });
        expect([rule.status, rule.body.toString()]).toEqual([404, '{"from":"rule"}']);
        expect((await ask('/parts')).body.toString()).toBe('one two');
        const hook = await ask('/hook', { method: 'POST', send: (to) => to.end('body') });
        expect([hook.status, hook.body.toString()]).toEqual([201, 'from the hook']);
        for (const flow of [await stage.over(), await stage.over(2), await stage.over(3)]) {
          expect(flow.error).toBeUndefined();
          expect(flow.response?.httpVersion).toBe(version);
          expect(flow.response?.headers.has('transfer-encoding')).toBe(
            way.client === 'h1' && flow.request.path === '/parts',
          );
        }
        const { request } = await stage.over();
        expect(request.headers.has('transfer-encoding')).toBe(way.client === 'h1');
      }));

    it('the HAR names the versions', () =>
      onWay(way, echo, {}, async ({ stage, ask }) => {
        await ask('/', { method: 'POST', send: (to) => to.end('body') });
        await stage.over();
        const [entry] = stage.proxy.har().log.entries;
        const versions = { h1: 'HTTP/1.1', h2: 'HTTP/2.0' };
        expect(entry?.request).toMatchObject({ httpVersion: versions[way.client], method: 'POST' });
        expect(entry?.response).toMatchObject({ httpVersion: versions[way.origin], status: 200 });
        expect(entry?.request.headers.some(({ name }) => name.startsWith(':'))).toBe(false);
      }));
  });
}
