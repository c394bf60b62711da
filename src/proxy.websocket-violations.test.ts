import { describe, expect, it } from '@jest/globals';
import { octets } from './testing/bytes.js';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  Compressor,
  closing,
  DEFLATE,
  endsOf,
  type FrameInit,
  frameFrom,
  openWebSocket,
  PING,
  PONG,
  RSV1,
  readFrame,
  shown,
  TEXT,
  whenOver,
} from './testing/websocket.js';
import { withProxy } from './testing/with-proxy.js';

const ENDS = ['client', 'server'] as const;
const EURO = Buffer.from('€');

interface Violation {
  frames: [opcode: number, payload?: string | Uint8Array, init?: FrameInit][];
  code: 1002 | 1007;
  says: RegExp;
  extensions?: string;
  /** Of a streamed connection's record: what is there of it besides the valid messages around it. */
  recorded?: string[];
  /** Nothing compressed can be recorded any more. */
  warnings?: number;
}

const fin = false;
const VIOLATIONS: Record<string, Violation> = {
  'text that is not UTF-8': {
    frames: [[TEXT, Buffer.from([0x61, 0xff, 0x62])]],
    code: 1007,
    says: /sent a text message that is not UTF-8/,
    recorded: ['text a\ufffdb'],
  },
  'an overlong character': {
    frames: [[TEXT, Buffer.from([0xc0, 0xaf])]],
    code: 1007,
    says: /not UTF-8/,
    recorded: ['text \ufffd\ufffd'],
  },
  'a character whose end is missing': {
    frames: [
      [TEXT, 'a', { fin }],
      [CONTINUATION, EURO.subarray(0, 2)],
    ],
    code: 1007,
    says: /not UTF-8/,
    recorded: ['text a\ufffd'],
  },
  'a character that is split, and then is none': {
    frames: [
      [TEXT, EURO.subarray(0, 2), { fin }],
      [CONTINUATION, 'a'],
    ],
    code: 1007,
    says: /not UTF-8/,
    recorded: ['text \ufffda'],
  },
  'compressed text that is not UTF-8': {
    // What zlib makes of 0xff.
    frames: [[TEXT, Buffer.from([0xfa, 0x0f, 0x00]), { rsv: RSV1 }]],
    extensions: DEFLATE,
    code: 1007,
    says: /not UTF-8/,
    recorded: ['text \ufffd'],
  },
  'a reserved bit': {
    frames: [[TEXT, 'a', { rsv: 2 }]],
    code: 1002,
    says: /sent a frame with reserved bits \(010\)/,
    recorded: ['text a'],
  },
  'the bit of compression without compression': {
    frames: [[TEXT, 'a', { rsv: RSV1 }]],
    code: 1002,
    says: /reserved bits \(100\)/,
    recorded: ['text a'],
  },
  'a compressed control frame': {
    frames: [[PING, 'a', { rsv: RSV1 }]],
    extensions: DEFLATE,
    code: 1002,
    says: /reserved bits \(100\)/,
  },
  'a reserved opcode': {
    frames: [[3, 'a']],
    code: 1002,
    says: /sent a frame with reserved opcode 3/,
    recorded: ['binary a'],
  },
  'a reserved opcode of a control frame': { frames: [[11, 'a']], code: 1002, says: /reserved opcode 11/ },
  'a control frame that is too large': {
    frames: [[PING, octets(126)]],
    code: 1002,
    says: /a control frame of 126 octets/,
  },
  'a control frame in fragments': {
    frames: [[PING, 'a', { fin }]],
    code: 1002,
    says: /a control frame in fragments/,
  },
  'a continuation without a beginning': {
    frames: [[CONTINUATION, 'a']],
    code: 1002,
    says: /a continuation frame without a message to continue/,
    recorded: ['binary a'],
  },
  'a message within a message': {
    frames: [
      [TEXT, 'a', { fin }],
      [TEXT, 'b'],
    ],
    code: 1002,
    says: /a new message before the last fragment/,
    recorded: ['text a', 'text b'],
  },
  'broken compression': {
    frames: [[TEXT, Buffer.from([0xff, 0xff, 0xff]), { rsv: RSV1 }]],
    extensions: DEFLATE,
    code: 1007,
    says: /sent a compressed message that can't be decompressed/,
  },
};
const CLOSES: Record<string, [payload: Buffer, code: 1002 | 1007, says: RegExp]> = {
  'a close frame of one octet': [Buffer.from([3]), 1002, /a close frame of one octet/],
  'close code 999': [closing(999), 1002, /a close frame with code 999/],
  'close code 1005': [closing(1005), 1002, /code 1005/],
  'close code 1006': [closing(1006), 1002, /code 1006/],
  'close code 5000': [closing(5000), 1002, /code 5000/],
  'a reason that is not UTF-8': [Buffer.concat([closing(1000), Buffer.from([0xff])]), 1007, /not UTF-8/],
};

describe('what RFC 6455 rules out', () => {
  for (const [name, violation] of Object.entries(VIOLATIONS)) {
    for (const from of ENDS) {
      const { frames, code, says, extensions, recorded = [] } = violation;
      const open = extensions === undefined ? {} : { extensions };
      const wire = frames.map((args) => frameFrom[from](...args));
      const before = [frameFrom[from](TEXT, 'before'), frameFrom[from](BINARY, 'it')];

      it(`${name}, by the ${from}, buffered: both ends are told`, () =>
        withProxy({}, async (stage) => {
          const opened = await openWebSocket(stage, open);
          const { flow, client, upstream } = opened;
          const { sender, receiver } = endsOf(opened, from);
          await sender.send(...before, ...wire, frameFrom[from](TEXT, 'after'), frameFrom[from](PING));
          const valid = Buffer.concat(before);
          expect(await receiver.read(valid.length)).toEqual(valid);
          for (const peer of [client, upstream]) {
            const frame = await readFrame(peer);
            expect(frame).toMatchObject({
              opcode: CLOSE,
              fin: true,
              rsv: 0,
              masked: peer === upstream,
              code,
            });
            expect(frame.payload.toString('utf8', 2)).toMatch(says);
            expect(await peer.ending).toBe('fin');
            expect(peer.unread).toHaveLength(0);
            peer.end();
          }
          await whenOver(stage, flow);
          expect(flow.error).toMatchObject({
            code: 'WEBSOCKET_PROTOCOL',
            message: expect.stringMatching(says),
          });
          expect(flow.error?.message).toContain(`the ${from} sent`);
          expect(flow.websocket.closeCode).toBe(code);
          expect(flow.websocket.closedBy).toBeUndefined();
          expect(shown(flow.websocket.messages)).not.toContain(`${from} text after`);
          expect(flow.websocket.pings).toEqual([]);
        }));

      it(`${name}, by the ${from}, streamed: it passes as it is`, () =>
        withProxy({ streamWebsockets: true }, async (stage) => {
          const opened = await openWebSocket(stage, open);
          const { sender, receiver } = endsOf(opened, from);
          const after = [frameFrom[from](TEXT, 'after'), frameFrom[from](PONG, 'it')];
          const all = Buffer.concat([...before, ...wire, ...after]);
          await sender.send(all);
          expect(await receiver.read(all.length)).toEqual(all);
          const { websocket, warnings, error } = opened.flow;
          const expected = ['text before', 'binary it', ...recorded, 'text after'].map(
            (one) => `${from} ${one}`,
          );
          await stage.eventually(() => websocket.messages.length >= expected.length, 'the messages');
          expect(shown(websocket.messages)).toEqual(expected);
          expect(warnings[0]).toMatch(says);
          expect(warnings[0]).toContain(`the ${from} sent`);
          expect([error, websocket.closeCode]).toEqual([undefined, undefined]);
          expect(websocket.pings.at(-1)?.type).toBe('pong');
        }));
    }
  }

  for (const from of ENDS) {
    const wrong = from === 'client' ? 'a frame that is not masked' : 'a masked frame';
    const other = from === 'client' ? 'server' : 'client';

    it(`${wrong}, by the ${from}`, async () => {
      const wire = Buffer.concat([frameFrom[from](TEXT, 'good'), frameFrom[other](TEXT, 'bad')]);
      await withProxy({}, async (stage) => {
        const opened = await openWebSocket(stage);
        const { sender, receiver } = endsOf(opened, from);
        await sender.send(wire);
        expect((await readFrame(receiver)).text).toBe('good');
        for (const peer of [sender, receiver]) expect((await readFrame(peer)).code).toBe(1002);
        expect(opened.flow.error?.message).toBe(`the ${from} sent ${wrong}`);
      });
      await withProxy({ streamWebsockets: true }, async (stage) => {
        const opened = await openWebSocket(stage);
        const { sender, receiver } = endsOf(opened, from);
        await sender.send(wire);
        expect(await receiver.read(wire.length)).toEqual(wire);
        expect(shown(opened.flow.websocket.messages)).toEqual([`${from} text good`, `${from} text bad`]);
        expect(opened.flow.warnings).toEqual([`websocket: the ${from} sent ${wrong}`]);
      });
    });

    for (const [name, [payload, code, says]] of Object.entries(CLOSES)) {
      it(`${name}, by the ${from}`, async () => {
        const wire = Buffer.concat([frameFrom[from](TEXT, 'good'), frameFrom[from](CLOSE, payload)]);
        await withProxy({}, async (stage) => {
          const opened = await openWebSocket(stage);
          const { sender, receiver } = endsOf(opened, from);
          await sender.send(wire);
          expect((await readFrame(receiver)).text).toBe('good');
          for (const peer of [sender, receiver]) expect((await readFrame(peer)).code).toBe(code);
          expect(opened.flow.error).toMatchObject({ code: 'WEBSOCKET_PROTOCOL' });
          expect(opened.flow.error?.message).toMatch(says);
        });
        await withProxy({ streamWebsockets: true }, async (stage) => {
          const opened = await openWebSocket(stage);
          const { sender, receiver } = endsOf(opened, from);
          await sender.send(wire);
          expect(await receiver.read(wire.length)).toEqual(wire);
          expect(opened.flow.warnings).toEqual([expect.stringMatching(says)]);
          expect(opened.flow.websocket.closedBy).toBe(from);
        });
      });
    }
  }

  it('a message that waits for a hook is delivered before what follows it is judged', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', () => new Promise((resolve) => setImmediate(resolve)));
      const opened = await openWebSocket(stage);
      const { sender, receiver } = endsOf(opened, 'server');
      await sender.send(frameFrom.server(TEXT, '1'), frameFrom.server(TEXT, '2'), frameFrom.server(7));
      expect((await readFrame(receiver)).text).toBe('1');
      expect((await readFrame(receiver)).text).toBe('2');
      expect((await readFrame(receiver)).code).toBe(1002);
    }));

  it('after broken compression, what is not compressed is still recorded on a streamed connection', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      const opened = await openWebSocket(stage, { extensions: DEFLATE });
      const { client, upstream, flow } = opened;
      const good = await new Compressor().compress('good');
      const frame = frameFrom.server;
      const wire = [
        frame(TEXT, good, { rsv: RSV1 }),
        frame(TEXT, Buffer.from([0xff, 0xff, 0xff]), { rsv: RSV1 }),
        frame(TEXT, 'plain'),
        frame(TEXT, good, { rsv: RSV1 }),
        frame(TEXT, 'plain again'),
      ];
      await upstream.send(...wire);
      expect(await client.read(Buffer.concat(wire).length)).toEqual(Buffer.concat(wire));
      await stage.eventually(() => flow.websocket.messages.length === 3, 'what can be recorded');
      expect(shown(flow.websocket.messages)).toEqual(
        ['good', 'plain', 'plain again'].map((t) => `server text ${t}`),
      );
      expect(flow.warnings).toEqual([expect.stringMatching(/neither can those after it/)]);
    }));
});
