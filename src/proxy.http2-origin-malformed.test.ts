import { describe, expect, it } from '@jest/globals';
import {
  ask,
  CODE,
  codeOf,
  data,
  END_STREAM,
  FramePeer,
  frame,
  headers,
  openHttp2,
  reset,
  TYPE,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const OK: [string, string][] = [[':status', '200']];
const GET = { ':path': '/' };

async function asked(stage: Stage) {
  const client = await openHttp2(stage, stage.origin.host);
  const answer = ask(client, GET);
  const origin = await FramePeer.server(await stage.origin.accept());
  await origin.next(TYPE.HEADERS, 1);
  return { client, answer, origin };
}

/** More than a head may have. */
const many = Array.from({ length: 300 }, (_, i): [string, string] => [`x-${i}`, 'x']);
const long: [string, string][] = Array.from({ length: 5 }, (_, i) => [`x-long-${i}`, 'x'.repeat(15_000)]);

/** A head in frames of the size that may be sent. */
function inFrames(stream: number, fields: [string, string][], flags = 0): Buffer[] {
  const whole = headers(stream, fields, 0);
  const block = whole.subarray(9);
  const parts: Buffer[] = [];
  for (let at = 0; at < block.length; at += 16_000) {
    const last = at + 16_000 >= block.length ? 4 : 0;
    const payload = block.subarray(at, at + 16_000);
    parts.push(
      frame(at === 0 ? TYPE.HEADERS : TYPE.CONTINUATION, {
        stream,
        flags: at === 0 ? last | flags : last,
        payload,
      }),
    );
  }
  return parts;
}

const INVALID = 'the origin reset the stream with PROTOCOL_ERROR (1), or sent what is not valid HTTP/2';
/** What breaks a stream, and what the flow says then. */
const BAD: Record<string, { frames: Buffer[]; says?: string }> = {
  'a head of too many fields': {
    frames: inFrames(1, [...OK, ...many]),
    says: "the origin's response is not valid HTTP/2: more than 256 fields",
  },
  'a head of too many octets': {
    frames: inFrames(1, [...OK, ...long]),
    says: "the origin's response is not valid HTTP/2: more than 65536 octets of head",
  },
  'trailers of too many octets': {
    frames: [headers(1, OK, 0), ...inFrames(1, long.slice(0, 2), END_STREAM)],
    says: "the origin's response is not valid HTTP/2: more than 16384 octets of trailers",
  },
  'a head without a status': { frames: [headers(1, [['x', 'y']], 0)] },
  'a status that is none': { frames: [headers(1, [[':status', 'abc']], 0)] },
  'status 101': { frames: [headers(1, [[':status', '101']], 0)] },
  'pseudo fields of a request': { frames: [headers(1, [...OK, [':path', '/']], 0)] },
  'two lengths': {
    frames: [headers(1, [...OK, ['content-length', '3'], ['content-length', '4']], 0)],
  },
  'a length that is none': { frames: [headers(1, [...OK, ['content-length', '3x']], 0)] },
  'an interim response that ends the stream': { frames: [headers(1, [[':status', '103']])] },
  'too little body': {
    frames: [headers(1, [...OK, ['content-length', '5']], 0), data(1, 'abcd', END_STREAM)],
  },
  'too much body': { frames: [headers(1, [...OK, ['content-length', '3']], 0), data(1, 'abcd', END_STREAM)] },
};

/** What breaks a connection, and the code of the GOAWAY that ends it. The origin does not care for it here. */
const WORSE: Record<string, [code: number, frame: Buffer]> = {
  'DATA before the head': [CODE.PROTOCOL_ERROR, data(1, 'body', END_STREAM)],
  'a frame that is too large': [CODE.FRAME_SIZE_ERROR, data(1, Buffer.alloc(20_000))],
  'fields that HPACK does not know': [
    CODE.COMPRESSION_ERROR,
    frame(TYPE.HEADERS, { stream: 1, flags: 5, payload: Buffer.alloc(5, 0xff) }),
  ],
  'frames on a stream that nobody opened': [CODE.PROTOCOL_ERROR, headers(99, OK)],
  'a push that nobody allowed': [
    CODE.PROTOCOL_ERROR,
    frame(TYPE.PUSH_PROMISE, { stream: 1, flags: 4, payload: Buffer.from([0, 0, 0, 2, 0x88]) }),
  ],
};

describe('an origin that breaks HTTP/2', () => {
  for (const [what, { frames, says = INVALID }] of Object.entries(BAD)) {
    it(`with ${what} is answered 502, and its connection goes on`, () =>
      withProxy({}, async (stage) => {
        const { client, answer, origin } = await asked(stage);
        const sibling = ask(client, GET);
        await origin.next(TYPE.HEADERS, 3);
        await origin.send(...frames);
        expect((await answer).status).toBe(502);
        const { error } = await stage.over();
        expect(error).toMatchObject({
          code: says === INVALID ? 'ORIGIN_CLOSED' : 'ORIGIN_PROTOCOL',
          message: says,
        });
        const next = ask(client, GET);
        await origin.next(TYPE.HEADERS, 5);
        await origin.send(headers(5, OK), headers(3, OK));
        expect((await next).status).toBe(200);
        expect((await sibling).status).toBe(200);
      }));
  }

  for (const [what, [code, frame]] of Object.entries(WORSE)) {
    it(`with ${what} loses its connection`, () =>
      withProxy({}, async (stage) => {
        const { client, answer, origin } = await asked(stage);
        await origin.send(frame);
        expect((await answer).status).toBe(502);
        // Older versions of node:http2 only tell the origin of most, so that it has to be found out.
        expect((await stage.over()).error).toMatchObject({
          code: 'ORIGIN_CLOSED',
          message: expect.stringMatching(
            /^the origin closed the connection: it broke the rules of HTTP\/2(: Protocol error|, and stayed when it was told so)$/,
          ),
        });
        expect(await origin.peer.ending).toBe('fin');
        const goaway = (await origin.rest()).filter((got) => got.type === TYPE.GOAWAY);
        expect(goaway.map(codeOf)).toEqual([code]);
        const next = ask(client, GET);
        const second = await FramePeer.server(await stage.origin.accept());
        await second.next(TYPE.HEADERS, 1);
        await second.send(headers(1, OK));
        expect((await next).status).toBe(200);
      }));
  }

  it('with too little or too much body is no whole answer where it streams', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      const { client, answer, origin } = await asked(stage);
      await origin.send(headers(1, [...OK, ['content-length', '5']], 0), data(1, 'abcd', END_STREAM));
      expect(await answer).toMatchObject({ status: 200, code: CODE.PROTOCOL_ERROR });
      const more = ask(client, GET);
      await origin.next(TYPE.HEADERS, 3);
      await origin.send(headers(3, [...OK, ['content-length', '3']], 0), data(3, 'abcd', END_STREAM));
      expect(await more).toMatchObject({ status: 200, code: CODE.PROTOCOL_ERROR });
      expect((await stage.over(2)).error?.message).toBe(INVALID);
    }));

  it('with fields that no field may be is heard without them', () =>
    withProxy({}, async (stage) => {
      const { answer, origin } = await asked(stage);
      const smuggled: [string, string][] = [
        ['x-a', 'b\r\nx-smuggled: 1'],
        ['x b', 'c'],
        ['x-fine', 'd'],
      ];
      await origin.send(headers(1, [...OK, ...smuggled]));
      expect((await answer).headers).toMatchObject({ ':status': 200, 'x-fine': 'd' });
      expect([...((await stage.over()).response?.headers ?? [])]).toEqual([['x-fine', 'd']]);
    }));

  it('with a flood of interim responses is stopped', () =>
    withProxy({}, async (stage) => {
      const { answer, origin } = await asked(stage);
      const hint = headers(1, [[':status', '103']], 0);
      await origin.send(...Array(1100).fill(hint));
      expect((await answer).status).toBe(502);
      expect((await stage.over()).error?.code).toBe('ORIGIN_PROTOCOL');
      expect(codeOf(await origin.next(TYPE.RST_STREAM, 1))).toBe(CODE.CANCEL);
    }));

  it('with a reset of a stream that is over, or was never open, is none', () =>
    withProxy({}, async (stage) => {
      const { client, answer, origin } = await asked(stage);
      await origin.send(headers(1, OK), reset(1, CODE.CANCEL));
      expect((await answer).status).toBe(200);
      const next = ask(client, GET);
      await origin.next(TYPE.HEADERS, 3);
      await origin.send(headers(3, OK));
      expect((await next).status).toBe(200);
    }));
});
