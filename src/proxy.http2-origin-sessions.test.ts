import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { octets } from './testing/bytes.js';
import {
  answerOf,
  ask,
  CODE,
  data,
  END_STREAM,
  FramePeer,
  goaway,
  Http2Server,
  headers,
  openHttp2,
  TYPE,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';
import { loadCa } from './tls/ca.js';
import { caPem } from './tls/testing/pems.js';

const OK: [string, string][] = [[':status', '200']];
const GET = { ':path': '/' };
const POST = { ':method': 'POST', ':path': '/' };
const HTTP_1_1_REQUIRED = 13;
/** The setting's number. */
const MAX_CONCURRENT_STREAMS = 3;

const accept = async ({ origin }: Stage) => FramePeer.server(await origin.accept());

/** A client's connection, and that of the origin, over which an exchange has gone already. */
async function served(stage: Stage) {
  const client = await openHttp2(stage, stage.origin.host);
  const first = ask(client, GET);
  const origin = await accept(stage);
  await origin.next(TYPE.HEADERS, 1);
  await origin.send(headers(1, OK));
  await first;
  return { client, origin };
}

describe('an origin that goes away', () => {
  it('in an orderly way finishes what it has begun, and what is new takes a new connection', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      const { client, origin } = await served(stage);
      const first = client.request(GET);
      const firstAnswer = answerOf(first);
      await origin.next(TYPE.HEADERS, 3);
      await origin.send(headers(3, OK, 0), data(3, 'one '));
      await once(first, 'data');
      // As graceful servers do: what comes meanwhile is served, then the last number is told.
      await origin.send(goaway(CODE.NO_ERROR, 2 ** 31 - 1), goaway(CODE.NO_ERROR, 3));
      const second = ask(client, GET);
      const next = await accept(stage);
      const { stream } = await next.next(TYPE.HEADERS);
      await next.send(headers(stream, OK, 0), data(stream, 'new', END_STREAM));
      expect((await second).body.toString()).toBe('new');
      await origin.send(data(3, 'two', END_STREAM));
      expect(await firstAnswer).toMatchObject({ body: Buffer.from('one two'), code: 0 });
      // Nobody needs the old one any more.
      expect(await origin.peer.ending).toBe('fin');
      expect(stage.proxy.flows.map((flow) => flow.error)).toEqual([undefined, undefined, undefined]);
    }));

  it('in the middle of everything fails every flow in flight, which says why', () =>
    withProxy({ originErrors: 'abort' }, async (stage) => {
      stage.proxy.stream('**');
      const { client, origin } = await served(stage);
      const asked = [ask(client, GET), ask(client, POST, 'x'), ask(client, GET)];
      for (const stream of [3, 5, 7]) {
        await origin.next(TYPE.HEADERS, stream);
        await origin.send(headers(stream, OK, 0), data(stream, 'part'));
      }
      const parts = () => stage.proxy.flows.filter(({ response }) => response?.transfer.sent.bytes === 4);
      await stage.eventually(() => parts().length === 3, 'three parts');
      await origin.send(goaway(CODE.ENHANCE_YOUR_CALM, 7));
      origin.peer.end();
      const answers = await Promise.all(asked);
      expect(answers.map(({ body }) => body.toString())).toEqual(['part', 'part', 'part']);
      expect(answers.map(({ code }) => code)).toEqual(Array(3).fill(CODE.INTERNAL_ERROR));
      const lost = [await stage.over(2), await stage.over(3), await stage.over(4)];
      for (const { error } of lost) {
        expect(error?.code).toBe('ORIGIN_CLOSED');
        expect(error?.message).toBe(
          'the origin closed the connection: it went away with ENHANCE_YOUR_CALM (11)',
        );
      }
    }));

  for (const [how, leave] of [
    ['FIN', (origin: FramePeer) => origin.peer.end()],
    ['RST', (origin: FramePeer) => origin.peer.reset()],
    ['a GOAWAY with an error', (origin: FramePeer) => origin.send(goaway(CODE.INTERNAL_ERROR, 9))],
  ] as const) {
    it(`by ${how}, without an answer: asked once more if the connection had served and the method is safe`, () =>
      withProxy({}, async (stage) => {
        const { client, origin } = await served(stage);
        const get = ask(client, GET);
        const post = ask(client, POST, 'x');
        await origin.next(TYPE.HEADERS, 3);
        await origin.next(TYPE.DATA, 5);
        await leave(origin);
        const next = await accept(stage);
        const { stream } = await next.next(TYPE.HEADERS);
        await next.send(headers(stream, OK));
        expect(await get).toMatchObject({ status: 200 });
        // It may have had its effect: the client must not take a 502 for the origin's word.
        expect(await post).toMatchObject({ status: 0, code: CODE.INTERNAL_ERROR });
        expect((await stage.over(3)).error?.message).toContain('could not be sent again');
        // The second time it is an error.
        const again = ask(client, GET);
        await next.next(TYPE.HEADERS);
        await leave(next);
        const last = await accept(stage);
        await last.next(TYPE.HEADERS);
        await leave(last);
        expect((await again).status).toBe(502);
      }));
  }

  it('on its first exchange is an error at once', () =>
    withProxy({}, async (stage) => {
      const client = await openHttp2(stage, stage.origin.host);
      const asked = ask(client, GET);
      const origin = await accept(stage);
      await origin.next(TYPE.HEADERS);
      origin.peer.end();
      expect((await asked).status).toBe(502);
      expect((await stage.over()).error).toMatchObject({
        code: 'ORIGIN_CLOSED',
        message: 'the origin closed the connection',
      });
    }));
});

describe('an origin that takes two streams at once', () => {
  for (const name of [undefined, 'app.test']) {
    it(`answers fifty, two at a time, uploads that stream among them${name === undefined ? '' : ', over TLS'}`, async () => {
      const upload = octets(50_000);
      let open = 0;
      let most = 0;
      const origin = await Http2Server.listen(
        (stream) => {
          most = Math.max(most, ++open);
          stream.on('close', () => open--);
          stream.respond({ ':status': 200 });
          stream.pipe(stream);
        },
        name,
        { settings: { maxConcurrentStreams: 2 } },
      );
      try {
        await withProxy({ upstreamCa: origin.ca === '' ? [] : [origin.ca] }, async (stage) => {
          stage.proxy.mapHost('app.test', `${name === undefined ? 'http' : 'https'}://${origin.host}`);
          stage.proxy.stream('**/odd/**', { request: true });
          const client =
            name === undefined
              ? await openHttp2(stage, origin.host)
              : await openHttp2(stage, 'app.test:443', { name });
          const answers = await Promise.all(
            Array.from({ length: 50 }, (_, i) =>
              ask(client, { ...POST, ':path': i % 2 === 1 ? `/odd/${i}` : '/' }, upload),
            ),
          );
          expect(answers.filter(({ status, body }) => status === 200 && body.equals(upload))).toHaveLength(
            50,
          );
          expect(most).toBe(2);
          expect(stage.proxy.flows.filter(({ error }) => error !== undefined)).toEqual([]);
          expect(origin.sessions).toHaveLength(1);
        });
      } finally {
        origin.close();
      }
    });
  }

  it('has room again when one that waits is given up', () =>
    withProxy({}, async (stage) => {
      const client = await openHttp2(stage, stage.origin.host);
      const asked = [ask(client, GET)];
      const origin = await FramePeer.server(await stage.origin.accept(), [[MAX_CONCURRENT_STREAMS, 1]]);
      await origin.next(TYPE.HEADERS, 1);
      const given = client.request(GET);
      const up = answerOf(given);
      await stage.eventually(() => stage.hooks.includes('request 2'), 'the second request');
      given.close(CODE.CANCEL);
      await up;
      await stage.over(2);
      asked.push(ask(client, GET));
      await stage.eventually(() => stage.hooks.includes('request 3'), 'the third request');
      await origin.send(headers(1, OK));
      const { stream } = await origin.next(TYPE.HEADERS);
      await origin.send(headers(stream, OK));
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
      expect((await stage.over(2)).error?.code).toBe('CLIENT_ABORTED');
    }));
});

describe('an origin that wants HTTP/1.1 for a request', () => {
  it('gets it that way, and what follows, if the body is at hand', async () => {
    const ca = loadCa(caPem());
    const origin = http2.createSecureServer({ ...ca.credentialsFor('app.test'), allowHTTP1: true });
    const served: string[] = [];
    origin.on('request', (request, response) => {
      served.push(`${request.method} over ${request.httpVersion}`);
      request.resume();
      if (request.httpVersion === '2.0') request.stream.close(HTTP_1_1_REQUIRED);
      else response.end('served');
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    try {
      await withProxy({ upstreamCa: [ca.cert], originErrors: 'abort' }, async (stage) => {
        stage.proxy.mapHost('app.test', `127.0.0.1:${(origin.address() as AddressInfo).port}`);
        stage.proxy.stream('**/streamed', { request: true });
        const client = await openHttp2(stage, 'app.test:443', { name: 'app.test' });
        const streamed = client.request({ ...POST, ':path': '/streamed' });
        const refused = answerOf(streamed);
        streamed.write('x');
        // Whoever can repeat it knows what to do.
        expect(await refused).toMatchObject({ status: 0, code: HTTP_1_1_REQUIRED });
        expect((await stage.over()).error?.message).toContain('HTTP_1_1_REQUIRED');
        const next = await openHttp2(stage, 'app.test:443', { name: 'app.test' });
        expect((await ask(next, GET)).body.toString()).toBe('served');
        expect(served).toEqual(['POST over 2.0', 'GET over 1.1']);
      });
      served.length = 0;
      await withProxy({ upstreamCa: [ca.cert] }, async (stage) => {
        stage.proxy.mapHost('app.test', `127.0.0.1:${(origin.address() as AddressInfo).port}`);
        const client = await openHttp2(stage, 'app.test:443', { name: 'app.test' });
        const answers = [await ask(client, POST, 'x'), await ask(client, GET)];
        expect(answers.map(({ body }) => body.toString())).toEqual(['served', 'served']);
        expect(served).toEqual(['POST over 2.0', 'POST over 1.1', 'GET over 1.1']);
        expect((await stage.over()).response?.httpVersion).toBe('1.1');
      });
    } finally {
      origin.close();
    }
  });
});
