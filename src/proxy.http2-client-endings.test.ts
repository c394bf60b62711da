import type { ServerHttp2Stream } from 'node:http2';
import { describe, expect, it } from '@jest/globals';
import { resetStream } from './http2/reset.js';
import type { ProxyOptions } from './options/types.js';
import { octets } from './testing/bytes.js';
import {
  ask,
  CODE,
  codeOf,
  data,
  END_STREAM,
  type Frame,
  type FramePeer,
  goaway,
  Http2Server,
  headers,
  openFrames,
  openHttp2,
  request,
  reset,
  type StreamHandler,
  statusOf,
  TYPE,
  windowUpdate,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

/** Answers `/part` in part and `/held` not at all; keeps every stream. */
function origin(): { handler: StreamHandler; streams: Map<string, ServerHttp2Stream> } {
  const streams = new Map<string, ServerHttp2Stream>();
  return {
    streams,
    handler: (stream, fields) => {
      const path = String(fields[':path']);
      streams.set(path, stream);
      if (path === '/held') return;
      stream.respond({ ':status': 200 }, { waitForTrailers: path === '/part' });
      if (path === '/part') stream.write('part');
      else stream.end('whole');
    },
  };
}

async function withFrames(
  options: ProxyOptions,
  play: (framed: FramePeer, stage: Stage, streams: Map<string, ServerHttp2Stream>) => Promise<void>,
): Promise<void> {
  const { handler, streams } = origin();
  const server = await Http2Server.listen(handler);
  try {
    const hosts = { 'app.test': server.host };
    await withProxy({ hosts, ...options }, async (stage) =>
      play(await openFrames(stage, 'app.test:80'), stage, streams),
    );
  } finally {
    server.close();
  }
}

/** Resets a stream as an origin would: node:http2 might end it instead, if it did not wait for trailers. */
function cut(stream: ServerHttp2Stream | undefined, code: number): void {
  if (stream !== undefined) resetStream(stream, code);
}

const get = (stream: number, path: string) => headers(stream, request('app.test', path));
const post = (stream: number, path: string) =>
  headers(stream, request('app.test', path, [[':method', 'POST']]), 0);
const of = (framed: FramePeer, stream: number): Frame[] => framed.seen.filter((got) => got.stream === stream);

describe('a client that resets a stream', () => {
  for (const [name, code] of [
    ['CANCEL (8)', CODE.CANCEL],
    ['NO_ERROR (0)', CODE.NO_ERROR],
    ['INTERNAL_ERROR (2)', CODE.INTERNAL_ERROR],
  ] as const) {
    it(`with ${name} aborts its own flow, at the origin too, and leaves its siblings alone`, () =>
      withFrames({}, async (framed, stage, streams) => {
        stage.proxy.stream('**/part');
        await framed.send(get(1, '/part'), get(3, '/held'));
        await framed.next(TYPE.DATA, 1);
        await stage.eventually(() => streams.has('/held'), 'the sibling at the origin');
        await framed.send(reset(1, code));
        const flow = await stage.over();
        expect(flow.error).toEqual({
          code: 'CLIENT_ABORTED',
          message: `the client reset the stream with ${name} before the exchange was over`,
          cause: expect.objectContaining({ name: 'StreamReset', code }),
        });
        await stage.eventually(() => streams.get('/part')?.closed === true, 'the reset at the origin');
        expect(streams.get('/part')?.rstCode).not.toBe(CODE.NO_ERROR);
        streams.get('/held')?.respond({ ':status': 204 }, { endStream: true });
        expect(statusOf(await framed.next(TYPE.HEADERS, 3))).toBe(204);
      }));
  }

  it('in the middle of an upload does not end it', () =>
    withFrames({}, async (framed, stage, streams) => {
      stage.proxy.stream('**');
      await framed.send(post(1, '/held'), data(1, 'begun'));
      await stage.eventually(() => streams.has('/held'), 'the upload at the origin');
      let ended = false;
      const upstream = streams.get('/held');
      upstream
        ?.on('data', () => undefined)
        .on('end', () => {
          ended = upstream.rstCode === CODE.NO_ERROR && !upstream.aborted;
        });
      await framed.send(reset(1, CODE.NO_ERROR));
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
      await stage.eventually(() => upstream?.closed === true, 'the reset at the origin');
      expect(ended).toBe(false);
      expect(stage.hooks).not.toContain('request');
    }));

  it('before its origin was asked keeps it from being asked', () =>
    withFrames({}, async (framed, stage, streams) => {
      await framed.send(post(1, '/never'), data(1, 'begun'), reset(1, CODE.CANCEL));
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
      expect(streams.size).toBe(0);
    }));
});

describe('a client that goes away', () => {
  it('in an orderly way gets what it asked for before', () =>
    withFrames({}, async (framed, stage, streams) => {
      await framed.send(get(1, '/held'));
      await stage.eventually(() => streams.has('/held'), 'the request');
      await framed.send(goaway(CODE.NO_ERROR));
      streams.get('/held')?.respond({ ':status': 204 }, { endStream: true });
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(204);
      await framed.rest();
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('with a code is told of, once, and its flows with it', () =>
    withFrames({}, async (framed, stage, streams) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (_client, error) => {
        errors.push(error.message);
      });
      await framed.send(get(1, '/held'));
      await stage.eventually(() => streams.has('/held'), 'the request');
      await framed.send(goaway(CODE.COMPRESSION_ERROR));
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
      await framed.peer.ending;
      expect(errors).toEqual(['the client went away with COMPRESSION_ERROR (9)']);
    }));

  for (const how of ['FIN', 'RST'] as const) {
    it(`by ${how} aborts every flow, and no more than that`, () =>
      withFrames({}, async (framed, stage, streams) => {
        const errors: string[] = [];
        stage.proxy.on('clientError', (_client, error) => {
          errors.push(error.message);
        });
        stage.proxy.stream('**/part');
        await framed.send(get(1, '/part'), get(3, '/held'), post(5, '/upload'), data(5, 'x'));
        await framed.next(TYPE.DATA, 1);
        await stage.eventually(() => streams.has('/held') && stage.proxy.flows.length === 3, 'all of them');
        const gone = new Promise((resolve) => stage.proxy.on('clientDisconnect', resolve));
        if (how === 'FIN') framed.peer.end();
        else framed.peer.reset();
        const flows = await Promise.all([1, 2, 3].map((id) => stage.over(id)));
        expect(flows.map((flow) => flow.error?.message)).toEqual(
          Array(3).fill('the client closed the connection before the exchange was over'),
        );
        await gone;
        expect(errors).toEqual([]);
        await stage.eventually(() => streams.get('/held')?.closed === true, 'the reset at the origin');
      }));
  }

  it('when it is idle is closed, and never told of', () =>
    withFrames({}, async (framed, stage) => {
      let told = 0;
      stage.proxy.on('clientError', () => {
        told++;
      });
      await framed.send(get(1, '/'));
      await framed.next(TYPE.DATA, 1);
      await stage.over();
      const gone = new Promise((resolve) => stage.proxy.on('clientDisconnect', resolve));
      framed.peer.end();
      await gone;
      expect(told).toBe(0);
      expect(stage.proxy.flows.at(0)?.error).toBeUndefined();
    }));
});

describe('an exchange that fails, over HTTP/2', () => {
  it('is answered by respond(), also after a part of the upload', () =>
    withFrames({}, async (framed, stage) => {
      stage.proxy.on('requestHeaders', (flow) => flow.respond({ status: 418, body: 'no' }));
      await framed.send(post(1, '/x'), data(1, 'begun'));
      await framed.send(data(1, '', END_STREAM));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(418);
      expect((await framed.next(TYPE.DATA, 1)).payload.toString()).toBe('no');
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('by kill() is reset with INTERNAL_ERROR, without a head', () =>
    withFrames({}, async (framed, stage) => {
      stage.proxy.on('request', (flow) => flow.kill());
      await framed.send(get(1, '/x'));
      expect(codeOf(await framed.next(TYPE.RST_STREAM, 1))).toBe(CODE.INTERNAL_ERROR);
      expect(of(framed, 1)).toHaveLength(1);
      expect((await stage.over()).error?.code).toBe('KILLED');
    }));

  it('by forbid() passes, and fails the test', () =>
    withFrames({}, async (framed, stage) => {
      stage.proxy.forbid('**/secret');
      await framed.send(get(1, '/secret'));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
      await stage.over();
      await expect(stage.proxy.verify()).rejects.toMatchObject({ code: 'FORBIDDEN_FLOW' });
    }));

  for (const originErrors of ['respond', 'abort'] as const) {
    it(`before its head, with originErrors: '${originErrors}'`, () =>
      withFrames({ originErrors }, async (framed, stage, streams) => {
        await framed.send(get(1, '/held'));
        await stage.eventually(() => streams.has('/held'), 'the request');
        streams.get('/held')?.close(CODE.ENHANCE_YOUR_CALM);
        const first = await framed.until((got) => got.stream === 1);
        if (originErrors === 'respond') expect(statusOf(first)).toBe(502);
        else expect([first.type, codeOf(first)]).toEqual([TYPE.RST_STREAM, CODE.ENHANCE_YOUR_CALM]);
        expect((await stage.over()).error?.code).toBe('ORIGIN_CLOSED');
        // The connection goes on.
        await framed.send(get(3, '/'));
        expect(statusOf(await framed.next(TYPE.HEADERS, 3))).toBe(200);
      }));
  }

  it('after its head, is reset with the code of the origin, and never ended', () =>
    withFrames({}, async (framed, stage, streams) => {
      stage.proxy.stream('**');
      await framed.send(get(1, '/part'));
      await framed.next(TYPE.DATA, 1);
      cut(streams.get('/part'), CODE.CANCEL);
      expect(codeOf(await framed.next(TYPE.RST_STREAM, 1))).toBe(CODE.CANCEL);
      expect(of(framed, 1).filter((got) => got.type !== TYPE.RST_STREAM && got.flags & END_STREAM)).toEqual(
        [],
      );
      expect((await stage.over()).error?.code).toBe('ORIGIN_CLOSED');
    }));

  it('by a hook that throws is answered 502, and by a transform after the head is reset', () =>
    withFrames({}, async (framed, stage) => {
      stage.proxy.stream('**/part', {
        // biome-ignore lint/correctness/useYield: it fails first
        response: async function* () {
          throw new Error('mine');
        },
      });
      stage.proxy.on('request', (flow) => {
        if (flow.request.path === '/hook') throw new Error('mine');
      });
      await framed.send(get(1, '/hook'), get(3, '/part'));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(502);
      expect(codeOf(await framed.next(TYPE.RST_STREAM, 3))).toBe(CODE.INTERNAL_ERROR);
      expect(of(framed, 3).filter((got) => got.type === TYPE.DATA)).toEqual([]);
      await expect(stage.proxy.verify()).rejects.toThrow(/mine.*mine/s);
    }));

  it('while its client takes no more is reset once it has what came', () =>
    withFrames({}, async (framed, stage, streams) => {
      stage.proxy.stream('**');
      await framed.send(get(1, '/part'));
      await framed.next(TYPE.DATA, 1);
      // More than its window of 65 535 octets, so that something is left over.
      streams.get('/part')?.write(octets(300_000));
      await stage.eventually(
        () => (stage.proxy.flows.at(0)?.response?.transfer.received.bytes ?? 0) > 65_535,
        'the octets at the proxy',
      );
      cut(streams.get('/part'), CODE.INTERNAL_ERROR);
      await framed.send(windowUpdate(0, 1_000_000), windowUpdate(1, 1_000_000));
      expect(codeOf(await framed.next(TYPE.RST_STREAM, 1))).toBe(CODE.INTERNAL_ERROR);
      const body = of(framed, 1).filter((got) => got.type === TYPE.DATA);
      expect(body.filter((got) => got.flags & END_STREAM)).toEqual([]);
      const { received } = (await stage.over()).response?.transfer ?? {};
      expect(body.reduce((sum, got) => sum + got.payload.length, 0)).toBe(received?.bytes);
    }));
});

describe('close() and idle', () => {
  it('close() ends every stream with PROXY_CLOSED', () =>
    withFrames({}, async (framed, stage, streams) => {
      stage.proxy.stream('**/part');
      await framed.send(get(1, '/part'), get(3, '/held'), post(5, '/upload'), data(5, 'x'));
      await framed.next(TYPE.DATA, 1);
      await stage.eventually(() => streams.has('/held') && stage.proxy.flows.length === 3, 'all of them');
      await stage.proxy.close();
      await framed.peer.ending;
      expect(stage.proxy.flows.map((flow) => flow.error?.code)).toEqual(Array(3).fill('PROXY_CLOSED'));
    }));

  it('a connection that is idle for long is closed with GOAWAY; one in use is not', () =>
    withFrames({ timeouts: { idle: 300 } }, async (framed, stage, streams) => {
      const busy = await openHttp2(stage, 'app.test:80');
      const answer = ask(busy, { ':path': '/held' });
      await stage.eventually(() => streams.has('/held'), 'the request');
      await framed.send(get(1, '/'));
      await framed.next(TYPE.DATA, 1);
      expect(codeOf(await framed.next(TYPE.GOAWAY))).toBe(CODE.NO_ERROR);
      await framed.peer.ending;
      streams.get('/held')?.respond({ ':status': 204 }, { endStream: true });
      expect((await answer).status).toBe(204);
    }));

  it('so is one on which nothing was ever asked, or not even its settings came', () =>
    withProxy({ timeouts: { idle: 200 } }, async (stage) => {
      let gone = 0;
      stage.proxy.on('clientDisconnect', () => {
        gone++;
      });
      const settled = await openFrames(stage, 'app.test:80');
      const silent = await stage.client();
      await silent.send('PRI * HTTP/2.0\r\n\r\nSM');
      await Promise.all([settled.peer.ending, silent.ending]);
      // Neither closes its side: they are not waited for.
      await stage.eventually(() => gone === 2, 'both to be gone');
    }));
});
