import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { describe, expect, it } from '@jest/globals';
import type { StreamTransform } from './flow/types.js';
import { octets } from './testing/bytes.js';
import {
  answerOf,
  ask,
  CODE,
  codeOf,
  data,
  END_STREAM,
  FramePeer,
  goaway,
  Http2Server,
  headers,
  openHttp2,
  reset,
  TYPE,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const OK: [string, string][] = [[':status', '200']];
const GET = { ':path': '/' };
const POST = { ':method': 'POST', ':path': '/' };

/** A client's connection, and that of the origin, by frames, when the first request comes. */
async function connected(
  stage: Stage,
): Promise<{ client: ClientHttp2Session; accept(): Promise<FramePeer> }> {
  const client = await openHttp2(stage, stage.origin.host);
  return { client, accept: async () => FramePeer.server(await stage.origin.accept()) };
}

const errorsOf = ({ proxy }: Stage) => proxy.flows.map((flow) => flow.error?.message);

describe('a stream that the origin resets', () => {
  it('in the middle of its body leaves nine others alone, and resets the client with the same code', async () => {
    const part = octets(20_000);
    const origin = await Http2Server.listen((stream, { ':path': path }) => {
      // Without, node:http2 ends a stream before it resets it.
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({}));
      stream.write(part, () => {
        if (path === '/3') stream.close(CODE.ENHANCE_YOUR_CALM);
        else stream.end(part);
      });
    });
    try {
      await withProxy({}, async (stage) => {
        stage.proxy.stream('**');
        const client = await openHttp2(stage, origin.host);
        const answers = await Promise.all(
          Array.from({ length: 10 }, (_, i) => ask(client, { ':path': `/${i}` })),
        );
        expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 11, 0, 0, 0, 0, 0, 0]);
        expect(answers.filter(({ body }) => body.equals(Buffer.concat([part, part])))).toHaveLength(9);
        expect(answers[3]?.body.equals(part)).toBe(true);
        for (let i = 1; i <= 10; i++) await stage.over(i);
        const flows = [...stage.proxy.flows];
        const lost = flows.find(({ request }) => request.url.endsWith('/3'));
        expect(flows.filter(({ response }) => response?.complete)).toHaveLength(9);
        expect(lost?.error).toMatchObject({
          code: 'ORIGIN_CLOSED',
          message: 'the origin reset the stream with ENHANCE_YOUR_CALM (11)',
        });
        expect(lost?.response?.transfer.received.bytes).toBe(part.length);
        expect(lost?.response?.bodyStatus).toBe('streamed');
        expect(origin.sessions).toHaveLength(1);
      });
    } finally {
      origin.close();
    }
  });

  for (const [originErrors, expected] of [
    ['respond', { status: 502, code: 0 }],
    ['abort', { status: 0, code: CODE.INTERNAL_ERROR }],
  ] as const) {
    it(`before its head is an origin's error, originErrors: ${originErrors}`, () =>
      withProxy({ originErrors }, async (stage) => {
        const { client, accept } = await connected(stage);
        const first = ask(client, GET);
        const origin = await accept();
        await origin.next(TYPE.HEADERS, 1);
        await origin.send(reset(1, CODE.INTERNAL_ERROR));
        expect(await first).toMatchObject(expected);
        // On a connection that has served before it is not repeated either.
        const second = ask(client, GET);
        await origin.next(TYPE.HEADERS, 3);
        await origin.send(reset(3, CODE.INTERNAL_ERROR));
        expect(await second).toMatchObject(expected);
        const hooks = ['requestHeaders', 'request', 'error'];
        expect(stage.hooks).toEqual([...hooks, ...hooks.map((hook) => `${hook} 2`)]);
        expect(errorsOf(stage)).toEqual(Array(2).fill('the origin reset the stream with INTERNAL_ERROR (2)'));
      }));
  }
  for (const streamed of [true, false]) {
    it(`with NO_ERROR has ended it, unless something is missing, ${streamed ? 'streamed' : 'recorded'}`, () =>
      withProxy({ originErrors: 'abort' }, async (stage) => {
        stage.proxy.stream('**', streamed);
        const { client, accept } = await connected(stage);
        const asked = [ask(client, GET), ask(client, GET), ask(client, GET), ask(client, GET)];
        const origin = await accept();
        await origin.next(TYPE.HEADERS, 7);
        const length = (octets: string): [string, string][] => [...OK, ['content-length', octets]];
        await origin.send(headers(1, OK, 0), data(1, 'half'), reset(1, CODE.NO_ERROR));
        await origin.send(headers(3, length('4'), 0), data(3, 'four'), reset(3, CODE.NO_ERROR));
        await origin.send(headers(5, length('5'), 0), data(5, 'four'), reset(5, CODE.NO_ERROR));
        await origin.send(reset(7, CODE.NO_ERROR));
        const answers = await Promise.all(asked);
        expect(answers.map(({ code }) => code)).toEqual([0, 0, CODE.INTERNAL_ERROR, CODE.INTERNAL_ERROR]);
        const bodies = ['half', 'four', streamed ? 'four' : '', ''];
        expect(answers.map(({ body }) => body.toString())).toEqual(bodies);
        await stage.over(4);
        const why = 'the origin reset the stream with NO_ERROR (0)';
        expect(errorsOf(stage)).toEqual([undefined, undefined, why, why]);
      }));
  }

  it('with NO_ERROR after a whole answer has answered, though the upload is not over', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: true });
      const { client, accept } = await connected(stage);
      const stream = client.request(POST);
      const asked = answerOf(stream);
      stream.write('first');
      const origin = await accept();
      await origin.next(TYPE.DATA, 1);
      await origin.send(headers(1, OK, 0), data(1, 'enough', END_STREAM), reset(1, CODE.NO_ERROR));
      expect(await asked).toMatchObject({ status: 200, body: Buffer.from('enough'), code: 0 });
      const flow = await stage.over();
      expect(flow.response?.complete).toBe(true);
      expect(flow.error?.code).toBe('ORIGIN_CLOSED');
    }));

  it('with NO_ERROR after a whole answer that streams leaves its trailers whole, too', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      stage.proxy.stream('**', { request: true });
      const { client, accept } = await connected(stage);
      const stream = client.request(POST);
      const asked = answerOf(stream);
      stream.write('first');
      const origin = await accept();
      await origin.next(TYPE.DATA, 1);
      await origin.send(
        headers(1, OK, 0),
        data(1, octets(16_000)),
        headers(1, [['grpc-status', '12']]),
        reset(1, CODE.NO_ERROR),
      );
      const answer = await asked;
      expect(answer).toMatchObject({ status: 200, code: 0, trailers: { 'grpc-status': '12' } });
      expect(answer.body.length).toBe(16_000);
      expect((await stage.over()).response?.complete).toBe(true);
    }));

  it('tells what had come before it to a client that was not reading', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      const { client, accept } = await connected(stage);
      const stream = client.request(GET);
      let held = () => {};
      const hold = new Promise<void>((resolve) => {
        held = resolve;
      });
      stage.proxy.on('responseHeaders', () => hold);
      const asked = answerOf(stream);
      const origin = await accept();
      await origin.next(TYPE.HEADERS, 1);
      await origin.send(headers(1, OK, 0), data(1, octets(16_000)), data(1, octets(9000)));
      await stage.eventually(() => stage.hooks.includes('responseHeaders'), 'the hook');
      await origin.send(reset(1, CODE.CANCEL));
      await origin.send(Buffer.from([0, 0, 8, TYPE.PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
      await origin.next(TYPE.PING);
      held();
      const answer = await asked;
      expect(answer).toMatchObject({ status: 200, code: CODE.CANCEL });
      expect(answer.body.length).toBe(25_000);
      expect((await stage.over()).response?.transfer.received.bytes).toBe(25_000);
    }));
});

describe('a stream that is not needed to its end', () => {
  it('is reset, once the upload is over that a transform of the response does not wait for', () =>
    withProxy({}, async (stage) => {
      const first: StreamTransform = async function* (pieces) {
        for await (const piece of pieces) {
          yield piece;
          return;
        }
      };
      stage.proxy.stream('**', { request: true, response: first });
      const { client, accept } = await connected(stage);
      const stream = client.request(POST);
      const asked = answerOf(stream);
      stream.write('one');
      const origin = await accept();
      await origin.next(TYPE.DATA, 1);
      await origin.send(headers(1, OK, 0), data(1, octets(4096)));
      await once(stream, 'end');
      stream.end('two');
      expect((await origin.next(TYPE.DATA, 1)).payload.toString()).toBe('two');
      expect(codeOf(await origin.next(TYPE.RST_STREAM, 1))).toBe(CODE.CANCEL);
      expect(await asked).toMatchObject({ status: 200, code: 0, body: octets(4096) });
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('is reset when the client resets its own, and no other is', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: true, response: true });
      const { client, accept } = await connected(stage);
      const [one, two] = [client.request(POST), client.request(POST)];
      const asked = [answerOf(one), answerOf(two)];
      one.write('x');
      two.write('y');
      const origin = await accept();
      await origin.next(TYPE.DATA, 3);
      await origin.send(headers(1, OK, 0), data(1, 'part'), headers(3, OK, 0), data(3, 'part'));
      await once(one, 'data');
      one.close(CODE.CANCEL);
      expect(codeOf(await origin.next(TYPE.RST_STREAM))).toBe(CODE.CANCEL);
      expect(origin.seen.at(-1)?.stream).toBe(1);
      two.end();
      await origin.send(data(3, 'end', END_STREAM));
      expect((await Promise.all(asked)).map(({ code }) => code)).toEqual([CODE.CANCEL, 0]);
      expect((await stage.over(1)).error?.code).toBe('CLIENT_ABORTED');
      expect((await stage.over(2)).error).toBeUndefined();
    }));
});

describe('a stream that the origin refuses', () => {
  for (const [how, refuse] of [
    ['with REFUSED_STREAM', (origin: FramePeer) => origin.send(reset(1, CODE.REFUSED_STREAM))],
    ['by a GOAWAY that does not include it', (origin: FramePeer) => origin.send(goaway(CODE.NO_ERROR, 0))],
    ['by a GOAWAY with an error', (origin: FramePeer) => origin.send(goaway(CODE.ENHANCE_YOUR_CALM, 0))],
  ] as const) {
    it(`${how} is sent once more, whatever the method`, () =>
      withProxy({}, async (stage) => {
        const { client, accept } = await connected(stage);
        const asked = ask(client, POST, 'body');
        const origin = await accept();
        await origin.next(TYPE.DATA, 1);
        await refuse(origin);
        const again = how.includes('GOAWAY') ? await accept() : origin;
        const { stream } = await again.next(TYPE.HEADERS);
        const { payload } = await again.next(TYPE.DATA, stream);
        expect(payload.toString()).toBe('body');
        await again.send(headers(stream, OK));
        expect(await asked).toMatchObject({ status: 200, code: 0 });
        expect((await stage.over()).error).toBeUndefined();
        expect(stage.hooks.filter((hook) => hook === 'request')).toHaveLength(1);
      }));

    it(`${how} a second time fails`, () =>
      withProxy({ originErrors: 'abort' }, async (stage) => {
        const { client, accept } = await connected(stage);
        const asked = ask(client, GET);
        const origin = await accept();
        await origin.next(TYPE.HEADERS, 1);
        await refuse(origin);
        const again = how.includes('GOAWAY') ? await accept() : origin;
        const { stream } = await again.next(TYPE.HEADERS);
        await again.send(reset(stream, CODE.REFUSED_STREAM));
        // A browser knows what that means, too.
        expect(await asked).toMatchObject({ status: 0, code: CODE.REFUSED_STREAM });
        expect((await stage.over()).error?.message).toContain('REFUSED_STREAM (7)');
      }));
  }

  it('is not sent again if its body streams, even before any of it has gone', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: true });
      const { client, accept } = await connected(stage);
      const stream = client.request(POST);
      const asked = answerOf(stream);
      const origin = await accept();
      await origin.next(TYPE.HEADERS, 1);
      await origin.send(reset(1, CODE.REFUSED_STREAM));
      expect(await asked).toMatchObject({ status: 502 });
      expect((await stage.over()).error?.code).toBe('ORIGIN_CLOSED');
      expect(origin.seen.filter(({ type }) => type === TYPE.HEADERS)).toHaveLength(1);
    }));
});
