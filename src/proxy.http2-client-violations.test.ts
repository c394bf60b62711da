import { describe, expect, it } from '@jest/globals';
import type { ClientInfo } from './flow/types.js';
import { octets } from './testing/bytes.js';
import {
  CODE,
  codeOf,
  data,
  END_HEADERS,
  END_STREAM,
  type FramePeer,
  fieldBlock,
  frame,
  headers,
  openFrames,
  PADDED,
  request,
  reset,
  settings,
  statusOf,
  TYPE,
  windowUpdate,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const get = (...more: [string, string][]) => headers(1, request('app.test', '/', more));
const post = (...more: [string, string][]) =>
  headers(1, request('app.test', '/', [[':method', 'POST'], ...more]), 0);

interface Told {
  /** What clientError said, by the client's port. */
  errors: Map<number, string[]>;
}

/** A proxy that answers everything, and a client of which nobody else's faults must be felt. */
function withWitness(play: (stage: Stage, told: Told) => Promise<void>): Promise<void> {
  return withProxy({}, async (stage) => {
    const errors = new Map<number, string[]>();
    stage.proxy.on('clientError', ({ port }: ClientInfo, error) => {
      errors.set(port, [...(errors.get(port) ?? []), error.message]);
    });
    stage.proxy.respond('**', { body: 'fine' });
    const witness = await openFrames(stage, 'witness.test:80');
    await witness.send(
      headers(1, request('witness.test', '/before', [[':method', 'POST']]), 0),
      data(1, 'a'),
    );
    await play(stage, { errors });
    await witness.send(data(1, 'b', END_STREAM), headers(3, request('witness.test', '/after')));
    expect(statusOf(await witness.next(TYPE.HEADERS, 1))).toBe(200);
    expect(statusOf(await witness.next(TYPE.HEADERS, 3))).toBe(200);
    const uploaded = [...stage.proxy.flows].find((flow) => flow.request.path === '/before');
    expect(uploaded?.request.text()).toBe('ab');
    expect(errors.get(portOf(witness))).toBeUndefined();
  });
}

function portOf({ peer }: FramePeer): number {
  return peer.socket.localPort ?? 0;
}

/** What breaks the rules of a connection, and the code of the GOAWAY that ends it. */
const BREACHES: Record<string, [code: number, ...frames: Buffer[]]> = {
  'a frame over the agreed size': [CODE.FRAME_SIZE_ERROR, frame(TYPE.DATA, { stream: 1, length: 20_000 })],
  'DATA without a stream': [CODE.PROTOCOL_ERROR, data(0, 'x')],
  'DATA before HEADERS': [CODE.PROTOCOL_ERROR, data(5, 'x')],
  'HEADERS without a stream': [CODE.PROTOCOL_ERROR, headers(0, request('app.test'))],
  'a stream that only a server may open': [CODE.PROTOCOL_ERROR, headers(2, request('app.test'))],
  'RST_STREAM of a wrong size': [
    CODE.FRAME_SIZE_ERROR,
    post(),
    frame(TYPE.RST_STREAM, { stream: 1, payload: 'x' }),
  ],
  'RST_STREAM of a stream that is not open yet': [CODE.PROTOCOL_ERROR, reset(1, CODE.CANCEL)],
  'SETTINGS of a wrong size': [CODE.FRAME_SIZE_ERROR, frame(TYPE.SETTINGS, { payload: 'abc' })],
  'SETTINGS on a stream': [CODE.PROTOCOL_ERROR, frame(TYPE.SETTINGS, { stream: 1 })],
  'SETTINGS of a window over 2^31-1': [CODE.FLOW_CONTROL_ERROR, settings([[4, 0x80000000]])],
  'WINDOW_UPDATE by nothing': [CODE.PROTOCOL_ERROR, windowUpdate(0, 0)],
  'WINDOW_UPDATE over 2^31-1': [CODE.FLOW_CONTROL_ERROR, windowUpdate(0, 0x7fffffff)],
  'PING of a wrong size': [CODE.FRAME_SIZE_ERROR, frame(TYPE.PING, { payload: 'abc' })],
  'a pushed stream': [
    CODE.PROTOCOL_ERROR,
    frame(TYPE.PUSH_PROMISE, { stream: 1, flags: 4, payload: octets(4) }),
  ],
  'CONTINUATION of nothing': [
    CODE.PROTOCOL_ERROR,
    frame(TYPE.CONTINUATION, { stream: 1, flags: END_HEADERS }),
  ],
  'a frame between HEADERS and CONTINUATION': [
    CODE.PROTOCOL_ERROR,
    frame(TYPE.HEADERS, { stream: 1, payload: fieldBlock(request('app.test')) }),
    frame(TYPE.PING, { payload: '12345678' }),
  ],
  'a field block that cannot be decoded': [
    CODE.COMPRESSION_ERROR,
    frame(TYPE.HEADERS, { stream: 1, flags: 5, payload: Buffer.alloc(5, 0xff) }),
  ],
  'DATA after END_STREAM': [CODE.STREAM_CLOSED, get(), data(1, 'x')],
  'HEADERS after END_STREAM': [CODE.STREAM_CLOSED, get(), get()],
  'more padding than there is': [CODE.PROTOCOL_ERROR, post(), data(1, Buffer.from([9, 1, 2]), PADDED)],
};

describe('what breaks the rules of an HTTP/2 connection', () => {
  it('ends it with the right code, is told by clientError, fails its flows, and is felt by nobody else', () =>
    withWitness(async (stage, { errors }) => {
      const breach = async (what: string, code: number, frames: Buffer[]) => {
        const framed = await openFrames(stage, 'app.test:80');
        await framed.send(...frames);
        const goaway = (await framed.rest()).filter((got) => got.type === TYPE.GOAWAY);
        const why = errors.get(portOf(framed)) ?? [];
        expect([what, ...goaway.map(codeOf).slice(-1)]).toEqual([what, code]);
        expect([what, ...why.slice(-1).map((message) => message.split(':')[0])]).toEqual([
          what,
          'the client sent what is not valid HTTP/2',
        ]);
        const flows = [...stage.proxy.flows].filter((flow) => flow.client.port === portOf(framed));
        for (const flow of flows) {
          // One of a GET may have been over before.
          if (flow.error === undefined) expect([what, flow.response?.complete]).toEqual([what, true]);
          else expect([what, flow.error.code]).toEqual([what, 'CLIENT_PROTOCOL']);
        }
      };
      await Promise.all(
        Object.entries(BREACHES).map(([what, [code, ...frames]]) => breach(what, code, frames)),
      );
    }));
});

/** What breaks the rules of a stream. nghttp2 tells nobody of heads it refuses. */
const REFUSED_HEADS: Record<string, Buffer> = {
  'an upper-case name': get(['X-Up', '1']),
  Connection: get(['connection', 'close']),
  'Transfer-Encoding': get(['transfer-encoding', 'chunked']),
  Upgrade: get(['upgrade', 'websocket']),
  'TE other than trailers': get(['te', 'gzip']),
  'a pseudo field twice': get([':x', '1']),
  'one that is not known': headers(1, [...request('app.test'), [':path', '/2']]),
  'one after the others': headers(1, [['a', 'b'], ...request('app.test')]),
  'no method': headers(1, request('app.test').slice(1)),
  'no authority and no host': headers(
    1,
    request('').filter(([name]) => name !== ':authority'),
  ),
  'two hosts': get(['host', 'app.test'], ['host', 'app.test']),
  'a path in absolute form': headers(1, request('app.test', 'http://evil.test/')),
  'a space in the path': headers(1, request('app.test', '/a b')),
  'a line break in the path': headers(1, request('app.test', '/a\r\nx: y')),
  '* for GET': headers(1, request('app.test', '*')),
  'a content-length that is no number': post(['content-length', '-1']),
  'two content-lengths': post(['content-length', '5'], ['content-length', '5']),
  'a content-length and no body': get(['content-length', '5']),
};

/** What breaks the rules after a head that was in order. */
const REFUSED_BODIES: Record<string, Buffer[]> = {
  'a body longer than its content-length': [post(['content-length', '3']), data(1, 'longer', END_STREAM)],
  'a body shorter than its content-length': [post(['content-length', '9']), data(1, 'short', END_STREAM)],
  'trailers with a pseudo field': [post(), data(1, 'x'), headers(1, [[':path', '/x']])],
  'trailers without END_STREAM': [post(), data(1, 'x'), headers(1, [['a', 'b']], 0)],
};

describe('what breaks the rules of an HTTP/2 stream', () => {
  const refusal = async (stage: Stage, what: string, frames: Buffer[]) => {
    const framed = await openFrames(stage, 'app.test:80');
    await framed.send(...frames);
    expect([what, codeOf(await framed.next(TYPE.RST_STREAM, 1))]).toEqual([what, CODE.PROTOCOL_ERROR]);
    // Its siblings, and those that come after it, are none the worse.
    await framed.send(headers(3, request('app.test', '/next')));
    expect(statusOf(await framed.next(TYPE.HEADERS, 3))).toBe(200);
    const flows = [...stage.proxy.flows].filter((flow) => flow.client.port === portOf(framed));
    return { framed, flows };
  };

  it('resets a stream whose head is wrong; clientError tells which', () =>
    withWitness(async (stage, { errors }) => {
      const all = Object.entries(REFUSED_HEADS).map(async ([what, bytes]) => {
        const { framed, flows } = await refusal(stage, what, [bytes]);
        expect([what, errors.get(portOf(framed))]).toEqual([
          what,
          [expect.stringMatching(/^stream 1 was refused: the head is not valid/)],
        ]);
        expect([what, flows.length]).toEqual([what, 1]);
      });
      await Promise.all(all);
    }));

  it('and tells of one that nothing comes after', () =>
    withWitness(async (stage, { errors }) => {
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(get(['connection', 'close']));
      await framed.next(TYPE.RST_STREAM, 1);
      await stage.eventually(() => errors.has(portOf(framed)), 'clientError');
      expect(errors.get(portOf(framed))).toHaveLength(1);
    }));

  it('fails the flow of one whose body or trailers are wrong, and its hooks see no request', () =>
    withWitness(async (stage) => {
      for (const [what, frames] of Object.entries(REFUSED_BODIES)) {
        const { flows } = await refusal(stage, what, frames);
        expect([what, flows[0]?.error?.code]).toEqual([what, 'CLIENT_PROTOCOL']);
        expect([what, flows[0]?.request.complete]).toEqual([what, false]);
      }
    }));

  it('drops a field that could not be written in HTTP/1, so that nothing is smuggled in it', () =>
    withWitness(async (stage) => {
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(
        headers(
          1,
          request('app.test', '/', [
            ['a', 'b\r\nsmuggled: 1'],
            ['c', 'd\0'],
            ['e f', 'g'],
            ['h', 'i'],
          ]),
        ),
      );
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
      const flow = [...stage.proxy.flows].find(({ client }) => client.port === portOf(framed));
      expect([...(flow?.request.headers ?? [])]).toEqual([
        ['host', 'app.test'],
        ['h', 'i'],
      ]);
    }));

  it('answers a head over the limits of HTTP/1 with 431, and records it; trailers too', () =>
    withWitness(async (stage) => {
      const framed = await openFrames(stage, 'app.test:80');
      const fields = (count: number) =>
        Array.from({ length: count }, (_, i): [string, string] => [`x-${i}`, '1']);
      await framed.send(headers(1, request('app.test', '/', fields(255))));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
      await framed.send(headers(3, request('app.test', '/', fields(261))));
      expect(statusOf(await framed.next(TYPE.HEADERS, 3))).toBe(431);
      const parts = Array.from({ length: 5 }, (_, i) =>
        frame(TYPE.CONTINUATION, {
          stream: 5,
          flags: i === 4 ? END_HEADERS : 0,
          payload: fieldBlock([[`y-${i}`, 'y'.repeat(14_000)]]),
        }),
      );
      const begin = frame(TYPE.HEADERS, {
        stream: 5,
        flags: END_STREAM,
        payload: fieldBlock(request('app.test')),
      });
      await framed.send(begin, ...parts);
      expect(statusOf(await framed.next(TYPE.HEADERS, 5))).toBe(431);
      await framed.send(headers(7, request('app.test', '/', [[':method', 'POST']]), 0), data(7, 'x'));
      await framed.send(
        frame(TYPE.HEADERS, {
          stream: 7,
          flags: END_STREAM,
          payload: fieldBlock([['t', 't'.repeat(15_000)]]),
        }),
        frame(TYPE.CONTINUATION, {
          stream: 7,
          flags: END_HEADERS,
          payload: fieldBlock([['u', 'u'.repeat(2000)]]),
        }),
      );
      expect(statusOf(await framed.next(TYPE.HEADERS, 7))).toBe(431);
      const mine = [...stage.proxy.flows].filter(({ client }) => client.port === portOf(framed));
      expect(mine.map(({ error }) => error?.code)).toEqual([
        undefined,
        'CLIENT_PROTOCOL',
        'CLIENT_PROTOCOL',
        'CLIENT_PROTOCOL',
      ]);
    }));
});
