import { describe, expect, it } from '@jest/globals';
import { octets, split } from './testing/bytes.js';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  Compressor,
  closing,
  DEFLATE,
  endsOf,
  frameFrom,
  fromClient,
  fromServer,
  openWebSocket,
  PING,
  PONG,
  RSV1,
  serveAnother,
  shown,
  TEXT,
  whenOver,
} from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const ENDS = ['client', 'server'] as const;
const streamedBy = {
  'the option': { options: { streamWebsockets: true }, before: (_: Stage) => undefined },
  websocketStart: {
    options: {},
    before: ({ proxy }: Stage) => {
      proxy.on('websocketStart', (flow) => {
        flow.websocket.stream = true;
      });
    },
  },
  'an asynchronous websocketStart': {
    options: {},
    before: ({ proxy }: Stage) => {
      proxy.on('websocketStart', async (flow) => {
        await new Promise((resolve) => setImmediate(resolve));
        flow.websocket.stream = true;
      });
    },
  },
};

describe('a streamed WebSocket', () => {
  for (const [by, { options, before }] of Object.entries(streamedBy)) {
    it(`passes a fragment, and half of one, while the message is not recorded: by ${by}`, () =>
      withProxy(options, async (stage) => {
        before(stage);
        const opened = await openWebSocket(stage);
        const { flow } = opened;
        for (const from of ENDS) {
          const { sender, receiver } = endsOf(opened, from);
          const already = flow.websocket.messages.length;
          const one = frameFrom[from](TEXT, 'fragment one, ', { fin: false });
          const two = frameFrom[from](CONTINUATION, 'and two');
          await sender.send(one);
          expect(await receiver.read(one.length)).toEqual(one);
          const half = two.length - 3;
          await sender.send(two.subarray(0, half));
          expect(await receiver.read(half)).toEqual(two.subarray(0, half));
          expect(flow.websocket.messages).toHaveLength(already);
          await sender.send(two.subarray(half));
          expect(await receiver.read(3)).toEqual(two.subarray(half));
          // Whoever has the last octet finds the message recorded.
          expect(shown(flow.websocket.messages.slice(already))).toEqual([
            `${from} text fragment one, and two`,
          ]);
          expect(flow.websocket.messages.at(-1)?.fragments).toEqual([14, 7]);
        }
        expect(flow.websocket.stream).toBe(true);
        expect(flow.warnings).toEqual([]);
      }));
  }

  it('which is not so when it is buffered', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      for (const from of ENDS) {
        const { sender, receiver } = endsOf(opened, from);
        const { total } = receiver;
        const one = frameFrom[from](TEXT, 'fragment one, ', { fin: false });
        const two = frameFrom[from](CONTINUATION, 'and two');
        await sender.send(one, two.subarray(0, -1));
        await serveAnother(stage);
        expect(receiver.total).toBe(total);
        await sender.send(two.subarray(-1));
        expect(await receiver.read(one.length + two.length)).toEqual(Buffer.concat([one, two]));
      }
      expect(shown(opened.flow.websocket.messages)).toEqual([
        'client text fragment one, and two',
        'server text fragment one, and two',
      ]);
    }));

  it('records compressed messages that need each other in clear, and leaves their octets alone', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      const opened = await openWebSocket(stage, { extensions: DEFLATE });
      const { client, upstream, flow } = opened;
      const text = 'The same words again and again, the same words. ';
      const wires: { client?: Buffer; server?: Buffer } = {};
      for (const from of ENDS) {
        const compressor = new Compressor();
        const frames: Buffer[] = [];
        for (const message of [text, text, text + text]) {
          const payload = await compressor.compress(message);
          frames.push(frameFrom[from](TEXT, payload.subarray(0, 5), { fin: false, rsv: RSV1 }));
          frames.push(frameFrom[from](PING, from));
          frames.push(frameFrom[from](CONTINUATION, payload.subarray(5)));
        }
        wires[from] = Buffer.concat(frames);
      }
      const { client: toServer = Buffer.alloc(0), server: toClient = Buffer.alloc(0) } = wires;
      // In both directions at once, each octet by itself.
      for (let i = 0; i < Math.max(toServer.length, toClient.length); i++) {
        if (i < toServer.length) await client.send(toServer.subarray(i, i + 1));
        if (i < toClient.length) await upstream.send(toClient.subarray(i, i + 1));
      }
      expect(await upstream.read(toServer.length)).toEqual(toServer);
      expect(await client.read(toClient.length)).toEqual(toClient);
      await stage.eventually(() => flow.websocket.messages.length === 6, 'all messages');
      for (const from of ENDS) {
        const messages = flow.websocket.messages.filter((message) => message.from === from);
        expect(messages.map((message) => message.text())).toEqual([text, text, text + text]);
        expect(messages[1]?.fragments.reduce((a, b) => a + b)).toBeLessThan(text.length / 2);
      }
      expect(flow.websocket.pings).toHaveLength(6);
      expect(flow.warnings).toEqual([]);
    }));

  it('has an answer behind what it answers, though that takes its time to be decompressed', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      const { client, upstream, flow } = await openWebSocket(stage, { extensions: DEFLATE });
      const question = await new Compressor().compress(Buffer.alloc(4_000_000, 'question '));
      const broken = Buffer.from([0xff, 0xff, 0xff, 0xff]);
      const { websocket } = flow;
      const answered = (text: string) => websocket.waitForMessage(text, { from: 'server' });
      for (const round of ['1', '2', '3']) {
        const wire = fromClient(BINARY, question, { rsv: RSV1 });
        const sending = client.send(wire);
        await upstream.read(wire.length);
        await sending;
        await upstream.send(fromServer(TEXT, round));
        await answered(round);
      }
      // What can't be decompressed keeps nobody waiting.
      const wire = fromClient(BINARY, broken, { rsv: RSV1 });
      await client.send(wire);
      await upstream.read(wire.length);
      await upstream.send(fromServer(TEXT, 'what?'));
      await answered('what?');
      const told = websocket.messages.map(({ from, type }) => `${from} ${type}`);
      const round = ['client binary', 'server text'];
      expect(told).toEqual([...round, ...round, ...round, 'server text']);
      const times = websocket.messages.map(({ timestamp }) => timestamp);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }));

  it('passes every kind of frame as it came, however it is cut', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      const opened = await openWebSocket(stage);
      for (const from of ENDS) {
        const frame = frameFrom[from];
        const wire = Buffer.concat([
          frame(TEXT, 'short'),
          frame(TEXT, 'not minimal', { lengthBits: 16 }),
          frame(BINARY, 'not minimal at all', { lengthBits: 64 }),
          frame(BINARY, octets(66_000), { fin: false }),
          frame(PONG, octets(125)),
          frame(CONTINUATION, octets(126), { fin: false }),
          frame(CONTINUATION),
          frame(TEXT, ''),
          frame(TEXT, 'ü€😀'),
          frame(CLOSE, closing(3000, 'done')),
        ]);
        const { sender, receiver } = endsOf(opened, from);
        for (const part of split(wire, 100, 7)) await sender.send(part);
        expect(await receiver.read(wire.length)).toEqual(wire);
      }
      const { messages, pings } = opened.flow.websocket;
      const sizes = [5, 11, 18, 66_126, 0, 9];
      expect(messages.map(({ size }) => size)).toEqual([...sizes, ...sizes]);
      expect(messages[9]?.data).toEqual(Buffer.concat([octets(66_000), octets(126)]));
      expect(pings.map(({ data }) => data)).toEqual([octets(125), octets(125)]);
    }));

  it('has hooks that see each message, one after another, and that nothing waits for', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      const seen: string[] = [];
      stage.proxy.on('websocketMessage', async (_flow, message) => {
        seen.push(`${message.text()} begins`);
        await held;
        seen.push(`${message.text()} ends`);
      });
      const { upstream, client, flow } = await openWebSocket(stage);
      const wire = Buffer.concat([fromServer(TEXT, '1'), fromServer(TEXT, '2'), fromServer(TEXT, '3')]);
      await upstream.send(wire);
      expect(await client.read(wire.length)).toEqual(wire);
      expect(seen).toEqual(['1 begins']);
      upstream.end();
      client.end();
      go();
      await stage.eventually(() => seen.length === 6, 'all hooks');
      expect(seen).toEqual(['1', '2', '3'].flatMap((n) => [`${n} begins`, `${n} ends`]));
      await whenOver(stage, flow);
    }));

  it('ends after the hooks of its last message', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      const seen: string[] = [];
      stage.proxy.on('websocketMessage', async (_flow, message) => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(message.text());
      });
      stage.proxy.on('websocketEnd', () => {
        seen.push('the end');
      });
      const { upstream, client } = await openWebSocket(stage);
      await upstream.send(fromServer(TEXT, '1'), fromServer(TEXT, '2'), fromServer(TEXT, '3'));
      upstream.reset();
      client.end();
      await stage.eventually(() => seen.includes('the end'), 'the end');
      expect(seen).toEqual(['1', '2', '3', 'the end']);
    }));

  it('warns of edits, drops and decisions that have no effect', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      stage.proxy.on('websocketMessage', (flow, message) => {
        if (message.text() === 'edit') message.data = 'edited';
        if (message.text() === 'drop') message.drop();
        if (message.text() === 'buffer') flow.websocket.stream = false;
      });
      const opened = await openWebSocket(stage);
      const { flow } = opened;
      for (const from of ENDS) {
        const { sender, receiver } = endsOf(opened, from);
        const wire = Buffer.concat(['edit', 'drop', 'buffer'].map((text) => frameFrom[from](TEXT, text)));
        await sender.send(wire);
        expect(await receiver.read(wire.length)).toEqual(wire);
      }
      expect(shown(flow.websocket.messages)).toEqual(
        ENDS.flatMap((from) => ['edit', 'drop', 'buffer'].map((text) => `${from} text ${text}`)),
      );
      expect(flow.websocket.stream).toBe(true);
      expect(flow.warnings).toEqual([
        expect.stringMatching(
          /data was assigned on a streamed connection: it has no effect .*websocketMessage/,
        ),
        expect.stringMatching(
          /drop\(\) was called on a streamed connection: it has no effect .*websocketMessage/,
        ),
        expect.stringMatching(/websocket\.stream was set after the decision/),
      ]);
    }));

  it('records a message whose decompression takes longer than the connection lasts', () =>
    withProxy({ streamWebsockets: true, maxStoredMessageSize: '1k' }, async (stage) => {
      const { upstream, client, flow } = await openWebSocket(stage, { extensions: DEFLATE });
      const size = 96 * 1024 * 1024;
      const payload = await new Compressor().compress(Buffer.alloc(size, 'z'));
      const wire = fromServer(BINARY, payload, { rsv: RSV1 });
      await upstream.send(wire, fromServer(CLOSE, closing(1000)));
      upstream.end();
      expect((await client.read(wire.length)).equals(wire)).toBe(true);
      client.end();
      await whenOver(stage, flow);
      const [message] = flow.websocket.messages;
      expect([message?.size, message?.truncated, message?.data]).toEqual([
        size,
        true,
        Buffer.alloc(1024, 'z'),
      ]);
    }));
});
