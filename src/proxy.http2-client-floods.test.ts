import { describe, expect, it } from '@jest/globals';
import {
  CODE,
  codeOf,
  data,
  END_STREAM,
  type FramePeer,
  fieldBlock,
  frame,
  headers,
  openFrames,
  request,
  reset,
  settings,
  statusOf,
  TYPE,
  windowUpdate,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const MANY = 10_000;
const times = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const get = (stream: number) => headers(stream, request('app.test'));
const post = (stream: number) => headers(stream, request('app.test', '/', [[':method', 'POST']]), 0);

interface Flooded {
  stage: Stage;
  framed: FramePeer;
  /** What clientError said. */
  errors: string[];
}

/** Floods the proxy while another client goes on; gives how the connection ended. */
function flood(bytes: Buffer, judge: (end: { code: number | undefined } & Flooded) => void): Promise<void> {
  return withProxy({}, async (stage) => {
    const errors: string[] = [];
    stage.proxy.on('clientError', (_client, error) => {
      errors.push(error.message);
    });
    stage.proxy.respond('**', { body: 'fine' });
    const witness = await openFrames(stage, 'witness.test:80');
    await witness.send(headers(1, request('witness.test', '/', [[':method', 'POST']]), 0), data(1, 'a'));
    const framed = await openFrames(stage, 'app.test:80');
    // The proxy may close the connection before all of it is out.
    framed.peer.socket.write(bytes, () => undefined);
    await framed.peer.ending;
    const goaway = (await framed.rest()).filter((got) => got.type === TYPE.GOAWAY).at(-1);
    await witness.send(data(1, 'b', END_STREAM), headers(3, request('witness.test')));
    expect(statusOf(await witness.next(TYPE.HEADERS, 1))).toBe(200);
    expect(statusOf(await witness.next(TYPE.HEADERS, 3))).toBe(200);
    judge({ code: goaway === undefined ? undefined : codeOf(goaway), stage, framed, errors });
  });
}

/** What a client may not do without end: the octets, and what clientError says of it. */
const FLOODS: Record<string, [bytes: Buffer, told: RegExp]> = {
  'CONTINUATION without end': [
    Buffer.concat([
      frame(TYPE.HEADERS, { stream: 1, flags: END_STREAM, payload: fieldBlock(request('app.test')) }),
      times(MANY, () => frame(TYPE.CONTINUATION, { stream: 1 })),
    ]),
    /CONTINUATION/,
  ],
  PING: [times(MANY * 5, () => frame(TYPE.PING, { payload: '12345678' })), /[Ff]lood/],
  SETTINGS: [times(MANY * 5, () => settings([[3, 100]])), /[Ff]lood/],
  'streams that are reset at once': [
    times(MANY, (i) => Buffer.concat([get(1 + 2 * i), reset(1 + 2 * i, CODE.CANCEL)])),
    /reset more than/,
  ],
  'streams that are reset at once, with NO_ERROR': [
    times(MANY, (i) => Buffer.concat([post(1 + 2 * i), reset(1 + 2 * i, CODE.NO_ERROR)])),
    /reset more than/,
  ],
  'streams that the proxy is made to reset': [
    times(MANY, (i) => Buffer.concat([post(1 + 2 * i), windowUpdate(1 + 2 * i, 0x7fffffff)])),
    /Flow control|reset more than/,
  ],
  'heads that are refused': [
    times(MANY, (i) => headers(1 + 2 * i, request('app.test', '/', [['connection', 'close']]))),
    /Too many invalid HTTP\/2 frames/,
  ],
};

describe('a flood over HTTP/2', () => {
  for (const [what, [bytes, told]] of Object.entries(FLOODS)) {
    it(`of ${what} ends its connection, is told of, and holds up nobody else`, () =>
      flood(bytes, ({ code, stage, errors }) => {
        expect([what, code]).toEqual([
          what,
          what === 'streams that the proxy is made to reset'
            ? CODE.FLOW_CONTROL_ERROR
            : CODE.ENHANCE_YOUR_CALM,
        ]);
        expect(errors.join('\n')).toMatch(told);
        // What stays of it are the flows: not all that was sent.
        expect(stage.proxy.flows.length).toBeLessThan(3000);
        for (const flow of stage.proxy.flows)
          if (flow.error !== undefined)
            expect(['CLIENT_ABORTED', 'CLIENT_PROTOCOL']).toContain(flow.error.code);
      }));
  }

  it('of streams that are reset, but no more than a page may, is let pass', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'fine' });
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(times(400, (i) => Buffer.concat([post(1 + 2 * i), reset(1 + 2 * i, CODE.CANCEL)])));
      await framed.send(get(801));
      expect(statusOf(await framed.next(TYPE.HEADERS, 801))).toBe(200);
      expect(stage.proxy.flows).toHaveLength(401);
    }));
});
