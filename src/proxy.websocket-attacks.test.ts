import { describe, expect, it } from '@jest/globals';
import type { ProxyOptions } from './options/types.js';
import {
  CLOSE,
  CONTINUATION,
  closing,
  DEFLATE,
  fromServer,
  type Opened,
  openWebSocket,
  RSV1,
  shown,
  TEXT,
  whenOver,
} from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const fin = false;
/** "a", compressed, as a message holds it; and the same as a final block. */
const A = Buffer.from([0x4a, 0x04, 0x00]);
const A_FINAL = Buffer.from([0x4b, 0x04, 0x00]);

const repeated = (frame: Buffer, times: number) => Buffer.alloc(frame.length * times, frame);

/** Has the server send all that at once, and close. Work that grows with the square of it takes minutes: the test hangs. */
function flood(
  options: ProxyOptions,
  { frames, extensions }: { frames: Buffer; extensions?: string },
  check: (opened: Opened, stage: Stage) => void | Promise<void>,
): Promise<void> {
  return withProxy(options, async (stage) => {
    // Returns a promise: each message waits for it.
    stage.proxy.on('websocketMessage', async () => undefined);
    const opened = await openWebSocket(stage, extensions === undefined ? {} : { extensions });
    const { client, upstream, flow } = opened;
    const sent = upstream.send(frames, fromServer(CLOSE, closing(1000)));
    upstream.end();
    await sent;
    await client.ending;
    client.end();
    await whenOver(stage, flow);
    // As it came.
    expect(client.unread.subarray(0, frames.length).equals(frames)).toBe(true);
    await check(opened, stage);
  });
}

describe('a flood on a WebSocket is worked off in time', () => {
  it('small messages, each of which a hook holds', () =>
    flood({}, { frames: repeated(fromServer(TEXT, 'a'), 300_000) }, ({ flow }) => {
      expect(flow.websocket.messages.length).toBe(300_000);
    }));

  for (const streamWebsockets of [false, true]) {
    const mode = streamWebsockets ? 'streamed' : 'buffered';

    it(`octets of a compressed message, each a fragment, ${mode}`, () => {
      const frames = Buffer.concat([
        fromServer(TEXT, A.subarray(0, 2), { rsv: RSV1, fin }),
        // Empty stored blocks.
        repeated(
          Buffer.concat(
            [0, 0, 0, 0xff, 0xff].map((b) => fromServer(CONTINUATION, Buffer.from([b]), { fin })),
          ),
          100_000,
        ),
        fromServer(CONTINUATION, Buffer.from([0])),
      ]);
      return flood({ streamWebsockets }, { frames, extensions: DEFLATE }, ({ flow }) => {
        expect(shown(flow.websocket.messages)).toEqual(['server text a']);
        expect(flow.websocket.messages[0]?.fragments.length).toBe(500_002);
      });
    });

    it(`fragments that each end a compressed stream, ${mode}`, () => {
      const frames = Buffer.concat([
        fromServer(TEXT, A_FINAL, { rsv: RSV1, fin }),
        repeated(fromServer(CONTINUATION, A_FINAL, { fin }), 9_999),
        fromServer(CONTINUATION, Buffer.from([0])),
      ]);
      return flood({ streamWebsockets }, { frames, extensions: DEFLATE }, ({ flow }) => {
        expect(flow.websocket.messages.map((message) => message.text())).toEqual(['a'.repeat(10_000)]);
      });
    });
  }

  it('violations, of which those that are told first are listed', () => {
    const codes = Array.from({ length: 50_000 }, (_, i) => fromServer(CLOSE, closing(5000 + i)));
    return flood({ streamWebsockets: true }, { frames: Buffer.concat(codes) }, ({ flow }) => {
      expect(flow.warnings.length).toBe(101);
      expect(flow.warnings[0]).toBe('websocket: the server sent a close frame with code 5000');
      expect(flow.warnings.at(-1)).toMatch(/not listed/);
    });
  });
});

it('send() in the midst of a close frame does not follow it (RFC 6455 section 5.5.1)', () =>
  withProxy({ streamWebsockets: true }, async (stage) => {
    const { client, upstream, flow } = await openWebSocket(stage);
    const close = fromServer(CLOSE, closing(1000));
    await upstream.send(close.subarray(0, 3));
    await client.read(3);
    flow.websocket.send('client', 'too late');
    await upstream.send(close.subarray(3));
    upstream.end();
    expect(await client.rest()).toEqual(close.subarray(3));
    client.end();
    await whenOver(stage, flow);
    expect(flow.websocket.messages).toEqual([]);
    expect(flow.warnings).toEqual([
      expect.stringMatching(/^websocket: 1 message of send\(\) to the client did not/),
    ]);
  }));
