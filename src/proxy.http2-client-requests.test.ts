import type { ClientHttp2Session } from 'node:http2';
import { describe, expect, it } from '@jest/globals';
import type { ProxyOptions } from './options/types.js';
import {
  answerOf,
  ask,
  CODE,
  codeOf,
  data,
  END_STREAM,
  FramePeer,
  headers,
  openFrames,
  openHttp2,
  request,
  statusOf,
  TYPE,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

/**
 * An HTTP/2 client before an origin that is scripted in HTTP/1.1: what the client says ends up on a wire that can be
 * read.
 */
function withClient(
  options: ProxyOptions,
  play: (session: ClientHttp2Session, stage: Stage) => Promise<void>,
): Promise<void> {
  return withProxy(options, async (stage) => {
    stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
    await play(
      await openHttp2(stage, 'app.test:443', {
        name: 'app.test',
        protocols: [],
        session: { maxHeaderListPairs: 300 },
      }),
      stage,
    );
  });
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe("an HTTP/2 client's request", () => {
  it('reaches an HTTP/1.1 origin with its pseudo fields in their places and the others as they came', () =>
    withClient({}, async (session, stage) => {
      const answer = ask(session, {
        ':method': 'DELETE',
        ':path': '/a?b=c',
        ':authority': 'app.test',
        'user-agent': 'me',
        cookie: ['a=1', 'b=2', 'c=3'],
        'x-twice': ['1', '2'],
        'x-latin': 'caf\u00e9',
        te: 'trailers',
      });
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe(
        [
          'DELETE /a?b=c HTTP/1.1',
          'host: app.test',
          'user-agent: me',
          'cookie: a=1; b=2; c=3',
          'x-twice: 1',
          'x-twice: 2',
          'x-latin: caf\u00e9',
          'te: trailers',
          '\r\n',
        ].join('\r\n'),
      );
      await upstream.send(
        'HTTP/1.1 201 So be it\r\nX-Up: 1\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nETag: "1"\r\n',
        'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nX-Latin: caf\u00e9\r\nContent-Length: 2\r\n\r\nok',
      );
      expect((await answer).headers).toEqual({
        ':status': 201,
        'x-up': '1',
        'set-cookie': ['a=1', 'b=2'],
        etag: '"1"',
        'x-latin': 'caf\u00e9',
        'content-length': '2',
      });
      const { request: recorded, response } = await stage.over();
      expect(recorded).toMatchObject({
        method: 'DELETE',
        url: 'https://app.test/a?b=c',
        httpVersion: '2.0',
      });
      expect(recorded.headers.get('cookie')).toBe('a=1; b=2; c=3');
      expect(response).toMatchObject({ status: 201, statusText: 'So be it', httpVersion: '1.1' });
      expect(response?.headers.get('x-hop')).toBe('1');
    }));

  it('without a body has no fields of one; one that was buffered has its length', () =>
    withClient({}, async (session, stage) => {
      const send = async (fields: object, body?: string) => {
        const answer = ask(session, { ':authority': 'app.test', ...fields }, body);
        const upstream = stage.origin.connections[0] ?? (await stage.origin.accept());
        const head = await upstream.head();
        return { answer, upstream, fields: head.split('\r\n').slice(1, -2) };
      };
      const bare = await send({ ':method': 'POST' });
      expect(bare.fields).toEqual(['host: app.test']);
      await bare.upstream.send(OK);
      await bare.answer;
      const unknown = await send({ ':method': 'POST' }, 'hello');
      expect(unknown.fields).toEqual(['host: app.test', 'Content-Length: 5']);
      expect((await unknown.upstream.read(5)).toString()).toBe('hello');
      await unknown.upstream.send(OK);
      await unknown.answer;
      const known = await send({ ':method': 'POST', 'content-length': '5' }, 'hello');
      expect(known.fields).toEqual(['host: app.test', 'content-length: 5']);
      expect((await known.upstream.read(5)).toString()).toBe('hello');
      await known.upstream.send(OK);
      expect(await known.answer).toMatchObject({ status: 200, body: Buffer.from('ok'), code: 0 });
      expect(stage.proxy.flows.map((flow) => flow.request.text())).toEqual(['', 'hello', 'hello']);
    }));

  for (const streamed of [false, true]) {
    it(`has its trailers passed on and recorded, ${streamed ? 'streamed' : 'buffered'}`, () =>
      withClient({}, async (session, stage) => {
        stage.proxy.stream('**', streamed);
        const stream = session.request(
          { ':method': 'POST', ':authority': 'app.test' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
        const answer = answerOf(stream);
        stream.end('hello');
        const upstream = await stage.origin.accept();
        await upstream.head();
        expect((await upstream.read('0\r\nx-sum: 42\r\n\r\n')).toString()).toMatch(/^5\r\nhello\r\n/);
        await upstream.send(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Back: 1\r\n\r\n',
        );
        expect((await answer).trailers).toEqual({ 'x-back': '1' });
        const flow = await stage.over();
        expect(flow.request.trailers?.get('x-sum')).toBe('42');
        expect(flow.response?.trailers?.get('x-back')).toBe('1');
      }));
  }

  it('that expects 100 gets it from the proxy, buffered, and its origin is not asked', () =>
    withClient({}, async (session, stage) => {
      const stream = session.request({ ':method': 'POST', ':authority': 'app.test', expect: '100-continue' });
      const answer = answerOf(stream);
      await new Promise<void>((resolve) => stream.once('headers', () => resolve()));
      stream.end('hello');
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).not.toContain('expect');
      await upstream.send('HTTP/1.1 100 Continue\r\n\r\n', OK);
      expect((await answer).informational).toEqual([{ ':status': 100 }]);
      expect((await stage.over()).informational).toMatchObject([{ status: 100 }]);
    }));

  it('that expects 100 gets it from the origin, streamed', () =>
    withClient({}, async (session, stage) => {
      stage.proxy.stream('**');
      const stream = session.request({ ':method': 'POST', ':authority': 'app.test', expect: '100-continue' });
      const answer = answerOf(stream);
      let came = false;
      stream.once('headers', () => {
        came = true;
      });
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toContain('expect: 100-continue\r\n');
      expect(came).toBe(false);
      await upstream.send('HTTP/1.1 100 Continue\r\n\r\n');
      await stage.eventually(() => came, '100 at the client');
      stream.end('hello');
      await upstream.read('0\r\n\r\n');
      await upstream.send(OK);
      expect(await answer).toMatchObject({ status: 200, informational: [{ ':status': 100 }] });
    }));

  it('gets interim responses in order, before the final one', () =>
    withClient({}, async (session, stage) => {
      const stream = session.request({ ':authority': 'app.test' });
      const answer = answerOf(stream);
      let hints = 0;
      stream.on('headers', () => hints++);
      const upstream = await stage.origin.accept();
      await upstream.head();
      await upstream.send(
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: keep-alive\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n',
      );
      await stage.eventually(() => hints === 2, 'both at the client');
      await upstream.send(OK);
      expect((await answer).informational).toEqual([{ ':status': 103, link: '</a>' }, { ':status': 102 }]);
      expect((await stage.over()).informational.map(({ status }) => status)).toEqual([103, 102]);
    }));

  it('of HEAD, and what is answered 204, 304 or 205, ends with the head', () =>
    withClient({}, async (session, stage) => {
      const cases = [
        ['HEAD', '200 OK\r\nContent-Length: 5'],
        ['GET', '204 No Content'],
        ['GET', '304 Not Modified\r\nContent-Length: 5'],
        ['GET', '205 Reset Content\r\nContent-Length: 0'],
        ['GET', '200 OK\r\nContent-Length: 0'],
        // Against RFC 9110 section 15.3.6, and nothing that HTTP/2 could send.
        ['GET', '205 Reset Content\r\nContent-Length: 5'],
      ] as const;
      for (const [i, [method, head]] of cases.entries()) {
        const answer = ask(session, { ':method': method, ':authority': 'app.test' });
        const upstream = stage.origin.connections[0] ?? (await stage.origin.accept());
        await upstream.head();
        await upstream.send(`HTTP/1.1 ${head}\r\n\r\n`, i === 5 ? 'later' : '');
        const { status, body, code } = await answer;
        expect([status, body.length, code]).toEqual([Number(head.slice(0, 3)), 0, 0]);
        expect((await stage.over(i + 1)).error).toBeUndefined();
      }
    }));

  it('may be answered with a head of nearly 64 KiB, and with a status of its own', () =>
    withClient({}, async (session, stage) => {
      const large = ask(session, { ':authority': 'app.test' });
      const upstream = await stage.origin.accept();
      await upstream.head();
      const fields = Array.from({ length: 250 }, (_, i) => `X-${i}: ${'\\'.repeat(250)}\r\n`);
      await upstream.send(`HTTP/1.1 200 OK\r\n${fields.join('')}Content-Length: 2\r\n\r\nok`);
      // In HPACK it may take more than in HTTP/1.
      expect((await large).headers['x-249']).toHaveLength(250);
      const odd = ask(session, { ':authority': 'app.test' });
      await upstream.head();
      await upstream.send(OK.replace('200', '599'));
      expect(await odd).toMatchObject({ status: 599, body: Buffer.from('ok') });
    }));

  it('is failed as the origin does, not the proxy, by a status that HTTP/2 cannot send, or a 101', () =>
    withClient({}, async (session, stage) => {
      for (const [i, answer] of [
        OK.replace('200', '999'),
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      ].entries()) {
        const asked = ask(session, { ':authority': 'app.test' });
        const upstream = await stage.origin.accept();
        await upstream.head();
        await upstream.send(answer);
        const told = await asked;
        expect((await stage.over(i + 1)).error?.code).toBe('ORIGIN_PROTOCOL');
        expect([told.status, told.code]).toEqual(i === 0 ? [0, CODE.INTERNAL_ERROR] : [502, 0]);
      }
      await stage.proxy.verify();
    }));
});

describe("an HTTP/2 client's target", () => {
  it('is named by Host where there is no :authority', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'fine' });
      const framed = await openFrames(stage, 'app.test:80');
      const fields = request('').filter(([name]) => name !== ':authority');
      await framed.send(headers(1, [...fields, ['host', 'other.test:8080']]));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
      const flow = await stage.over();
      expect(flow.request.url).toBe('http://other.test:8080/');
      // In a tunnel the octets go where that leads.
      expect(flow.client.tunnel).toBe('app.test:80');
    }));

  it('is refused where :authority and Host differ, and recorded; the connection goes on', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'fine' });
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(headers(1, request('app.test', '/a', [['host', 'other.test']])));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(400);
      await framed.send(headers(3, request('app.test', '/b', [['host', 'APP.test']])));
      expect(statusOf(await framed.next(TYPE.HEADERS, 3))).toBe(200);
      expect(stage.proxy.flows.at(0)).toMatchObject({
        error: { code: 'CLIENT_PROTOCOL', message: expect.stringMatching(/app\.test.*other\.test.*differ/) },
        request: { method: 'GET', url: 'http://app.test/a' },
      });
      expect(stage.hooks).not.toContain('requestHeaders');
    }));

  it('may be * with OPTIONS, in a tunnel and outside of one', () =>
    withProxy({}, async (stage) => {
      stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
      const tunnelled = await openHttp2(stage, 'app.test:443', { name: 'app.test', protocols: [] });
      const answer = ask(tunnelled, { ':method': 'OPTIONS', ':path': '*', ':authority': 'app.test' });
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe('OPTIONS * HTTP/1.1\r\nhost: app.test\r\n\r\n');
      await upstream.send(OK);
      await answer;
      expect((await stage.over()).request.url).toBe('https://app.test/');
      const outside = await FramePeer.client(await stage.client());
      // Of the scheme it names: the origin is reached without TLS by the map only.
      await outside.send(
        headers(
          1,
          request('app.test', '*', [
            [':method', 'OPTIONS'],
            [':scheme', 'https'],
          ]),
        ),
      );
      const again = stage.origin.connections[1] ?? upstream;
      expect(await again.head()).toBe('OPTIONS * HTTP/1.1\r\nhost: app.test\r\n\r\n');
      await again.send(OK);
      expect(statusOf(await outside.next(TYPE.HEADERS, 1))).toBe(200);
      expect((await stage.over(2)).request.url).toBe('https://app.test/');
    }));

  for (const [what, fields] of [
    ['of another scheme', request('app.test', '/', [[':scheme', 'ftp']])],
    ['that names another host by its path', request('app.test', 'http://evil.test/', [[':scheme', 'x']])],
    ['with a fragment', request('app.test', '/#x')],
  ] as const) {
    it(`${what} is refused`, () =>
      withProxy({}, async (stage) => {
        for (const open of [
          () => openFrames(stage, 'app.test:80'),
          async () => FramePeer.client(await stage.client()),
        ]) {
          const framed = await open();
          await framed.send(headers(1, fields));
          expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(400);
        }
        expect(stage.proxy.flows.map((flow) => flow.error?.code)).toEqual([
          'CLIENT_PROTOCOL',
          'CLIENT_PROTOCOL',
        ]);
      }));
  }

  it('with userinfo is refused, by newer versions of node:http2 before it is a request', () =>
    withProxy({}, async (stage) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (_client, error) => {
        errors.push(error.message);
      });
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(headers(1, request('me@app.test')));
      const got = await framed.until(({ type }) => type === TYPE.HEADERS || type === TYPE.RST_STREAM);
      if (got.type === TYPE.HEADERS) {
        expect(statusOf(got)).toBe(400);
        expect((await stage.over()).error?.code).toBe('CLIENT_PROTOCOL');
      } else {
        expect(codeOf(got)).toBe(CODE.PROTOCOL_ERROR);
        await stage.eventually(() => errors.length > 0, 'clientError');
        expect(errors).toEqual([expect.stringMatching(/^stream 1 was refused: the head is not valid/)]);
        expect(stage.proxy.flows).toHaveLength(0);
      }
      expect(stage.origin.connections).toHaveLength(0);
    }));

  it('may be the proxy itself only to be told so', () =>
    withProxy({}, async (stage) => {
      const framed = await FramePeer.client(await stage.client());
      await framed.send(headers(1, request(`127.0.0.1:${stage.proxy.port}`)));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(508);
      expect((await stage.over()).error?.code).toBe('PROXY_LOOP');
    }));

  it('cannot be that of CONNECT, nor of the extended one, which is not announced', () =>
    withProxy({}, async (stage) => {
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(
        headers(
          1,
          [
            [':method', 'CONNECT'],
            [':authority', 'x.test:443'],
          ],
          0,
        ),
        data(1, 'more'),
      );
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(405);
      expect((await framed.next(TYPE.DATA, 1)).flags & END_STREAM).toBe(END_STREAM);
      const fields = request('app.test', '/', [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
      ]);
      await framed.send(headers(3, fields, 0));
      expect(codeOf(await framed.next(TYPE.RST_STREAM, 3))).toBe(CODE.PROTOCOL_ERROR);
      const announced = framed.seen.find((got) => got.type === TYPE.SETTINGS)?.payload ?? Buffer.alloc(0);
      const ids = Array.from({ length: announced.length / 6 }, (_, i) => announced.readUInt16BE(i * 6));
      expect(ids).not.toContain(8);
    }));
});
