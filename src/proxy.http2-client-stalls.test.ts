import { describe, expect, it } from '@jest/globals';
import { octets } from './testing/bytes.js';
import {
  data,
  END_STREAM,
  type FramePeer,
  frame,
  Http2Server,
  headers,
  openFrames,
  request,
  TYPE,
  windowUpdate,
} from './testing/http2.js';
import { type HeldTimers, holdTimers } from './testing/timers.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

/** More than sockets hold. */
const SIZE = 24 * 1024 * 1024;

/** Lets the looks that are taken at connections from time to time come, with what they send in between. */
async function pass(timers: HeldTimers, looks: number): Promise<void> {
  for (let look = 0; look < looks; look++) {
    timers.fire();
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A client, before an origin that has a large body for it, while time only goes on when it is told to. */
async function withStall(
  secure: boolean,
  play: (
    framed: FramePeer,
    stage: Stage,
    errors: string[],
    pass: (looks: number) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const name = secure ? 'app.test' : undefined;
  const origin = await Http2Server.listen((stream) => {
    stream.respond({ ':status': 200 });
    stream.end(octets(SIZE));
  }, name);
  try {
    const upstreamCa = secure ? { upstreamCa: origin.ca } : {};
    await withProxy({ hosts: { 'app.test': origin.host }, ...upstreamCa }, async (stage) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (_client, error) => {
        errors.push(error.message);
      });
      stage.proxy.stream('**');
      using timers = holdTimers();
      const framed = await openFrames(stage, `app.test:${secure ? 443 : 80}`, name);
      await play(framed, stage, errors, (looks) => pass(timers, looks));
    });
  } finally {
    origin.close();
  }
}

const fields = (secure: boolean) => request('app.test', '/', secure ? [[':scheme', 'https']] : []);
const all = windowUpdate(0, 2 * SIZE);

/** Takes the rest of a body. */
async function bodyOf(framed: FramePeer): Promise<number> {
  await framed.until((got) => got.type === TYPE.DATA && got.flags === END_STREAM);
  const parts = framed.seen.filter((got) => got.type === TYPE.DATA);
  return parts.reduce((sum, got) => sum + got.payload.length, 0);
}

describe('a stall, however long, is not the end of an HTTP/2 connection', () => {
  for (const secure of [false, true]) {
    const where = secure ? ' in TLS' : '';
    it(`by a client whose window is full${where}`, () =>
      withStall(secure, async (framed, stage, errors, pass) => {
        await framed.send(headers(1, fields(secure)));
        await framed.next(TYPE.DATA, 1);
        await stage.eventually(
          () => (stage.proxy.flows.at(0)?.response?.transfer.received.bytes ?? 0) > 65_535,
          'the window to be full',
        );
        await pass(10);
        await framed.send(all, windowUpdate(1, 2 * SIZE));
        expect(await bodyOf(framed)).toBe(SIZE);
        expect((await stage.over()).error).toBeUndefined();
        expect(errors).toEqual([]);
      }));

    it(`by a client that does not read${where}`, () =>
      withStall(secure, async (framed, stage, errors, pass) => {
        await framed.send(frame(TYPE.SETTINGS, { payload: Buffer.from([0, 4, 0x40, 0, 0, 0]) }), all);
        await framed.send(headers(1, fields(secure)));
        await framed.next(TYPE.DATA, 1);
        framed.peer.pause();
        const sent = () => stage.proxy.flows.at(0)?.response?.transfer.sent.bytes ?? 0;
        // Ten looks since something could be written.
        for (let looks = 0, before = 0; looks < 10; looks = sent() === before ? looks + 1 : 0) {
          before = sent();
          await framed.send(frame(TYPE.PING, { payload: '12345678' }));
          await pass(1);
        }
        framed.peer.resume();
        expect(await bodyOf(framed)).toBe(SIZE);
        expect((await stage.over()).error).toBeUndefined();
        expect(errors).toEqual([]);
      }));
  }

  it('by a client that sends now and then, and is never answered', () =>
    withStall(false, async (framed, stage, errors, pass) => {
      stage.proxy.on('request', () => new Promise(() => undefined));
      await framed.send(headers(1, request('app.test', '/', [[':method', 'POST']]), 0));
      for (let i = 0; i < 10; i++) {
        await framed.send(data(1, 'x'));
        await pass(1);
      }
      expect(errors).toEqual([]);
      expect(stage.proxy.flows.at(0)?.error).toBeUndefined();
      await framed.send(frame(TYPE.PING, { payload: 'are you?' }));
      await framed.until((got) => got.type === TYPE.PING && got.payload.toString() === 'are you?');
    }));
});
