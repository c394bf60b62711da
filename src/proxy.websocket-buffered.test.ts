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
  expectReceived,
  frameFrom,
  fromClient,
  fromServer,
  openWebSocket,
  PING,
  PONG,
  RSV1,
  readFrame,
  serveAnother,
  shown,
  TEXT,
  withSockets,
} from './testing/websocket.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const ENDS = ['client', 'server'] as const;

/** Edits what says so: `edit X` becomes X, `drop` does not arrive, `later …` is done after a turn of the event loop. */
function editing({ proxy }: Stage): void {
  proxy.on('websocketMessage', (_flow, message) => {
    const act = () => {
      const [, edited] = /\bedit (.*)$/s.exec(message.text()) ?? [];
      if (edited !== undefined) message.data = edited;
      if (/\bdrop$/.test(message.text())) message.drop();
    };
    if (!message.text().startsWith('later')) act();
    else return new Promise<void>((resolve) => setImmediate(() => resolve(act())));
    return undefined;
  });
}

describe('a buffered WebSocket', () => {
  it('passes untouched messages in their own frames, control frames in their midst', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage, { extensions: DEFLATE });
      for (const from of ENDS) {
        const frame = frameFrom[from];
        const compressed = await new Compressor().compress('compressed, compressed, compressed');
        const messages = [
          [frame(TEXT, 'short'), frame(BINARY, 'not minimal', { lengthBits: 16 })],
          [frame(TEXT, '', { lengthBits: 64 }), frame(TEXT, compressed, { rsv: RSV1, lengthBits: 64 })],
          [frame(PING, octets(125)), frame(PONG, 'not minimal', { lengthBits: 16 })],
          [frame(BINARY, octets(66_000), { fin: false }), frame(CONTINUATION, octets(3), { lengthBits: 64 })],
          [
            frame(TEXT, 'ü€', { fin: false }),
            frame(CONTINUATION, '', { fin: false }),
            frame(CONTINUATION, '😀'),
          ],
        ].flat();
        const wire = Buffer.concat(messages);
        const { sender, receiver } = endsOf(opened, from);
        for (const parts of [[wire], split(wire, 100, 5)]) {
          for (const part of parts) await sender.send(part);
          expect((await receiver.read(wire.length)).equals(wire)).toBe(true);
        }
        // The control frames overtake the message, and nothing else changes.
        const [begin, end] = [frame(TEXT, 'be', { fin: false }), frame(CONTINUATION, 'gin')];
        const controls = [frame(PING, '1'), frame(PONG, '2', { lengthBits: 64 })];
        const split1 = Buffer.concat([frame(TEXT, 'before'), begin, ...controls, end, frame(TEXT, 'after')]);
        const expected = Buffer.concat([
          frame(TEXT, 'before'),
          ...controls,
          begin,
          end,
          frame(TEXT, 'after'),
        ]);
        await sender.send(split1);
        expect(await receiver.read(expected.length)).toEqual(expected);
        for (let i = 0; i < split1.length; i++) await sender.send(split1.subarray(i, i + 1));
        expect(await receiver.read(expected.length)).toEqual(expected);
      }
      expect(opened.flow.warnings).toEqual([]);
    }));

  it('passes control frames at once while a message is not whole', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      for (const from of ENDS) {
        const { sender, receiver } = endsOf(opened, from);
        const ping = frameFrom[from](PING, 'now');
        await sender.send(frameFrom[from](TEXT, 'to be ', { fin: false }), ping);
        expect(await receiver.read(ping.length)).toEqual(ping);
        expect(opened.flow.websocket.pings.at(-1)?.from).toBe(from);
        expect(receiver.unread).toHaveLength(0);
      }
    }));

  it('keeps the fragments of an edited message where its length is the same, and makes one frame otherwise', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', (_flow, message) => {
        if (message.text() === 'abcdef') message.data = 'ABCDEF';
        else message.data = 'longer than it was';
      });
      const opened = await openWebSocket(stage);
      const { flow } = opened;
      for (const from of ENDS) {
        const { sender, receiver } = endsOf(opened, from);
        const frame = frameFrom[from];
        await sender.send(
          frame(TEXT, 'abc', { fin: false }),
          frame(CONTINUATION, '', { fin: false }),
          frame(CONTINUATION, 'def'),
          frame(BINARY, 'uvw', { fin: false }),
          frame(CONTINUATION, 'xyz'),
        );
        const masked = from === 'client';
        const expected = [
          { opcode: TEXT, fin: false, rsv: 0, masked, text: 'ABC' },
          { opcode: CONTINUATION, fin: false, rsv: 0, masked, text: '' },
          { opcode: CONTINUATION, fin: true, rsv: 0, masked, text: 'DEF' },
          { opcode: BINARY, fin: true, rsv: 0, masked, text: 'longer than it was' },
        ];
        for (const one of expected) expect(await readFrame(receiver)).toMatchObject(one);
        const [, same, other] = [undefined, ...flow.websocket.messages.slice(-2)];
        expect([same?.text(), same?.fragments, same?.size]).toEqual(['ABCDEF', [3, 0, 3], 6]);
        expect([other?.text(), other?.fragments, other?.size]).toEqual(['longer than it was', [3, 3], 18]);
      }
      expect(flow.warnings).toEqual([]);
    }));

  for (const [name, deflate] of Object.entries({
    'no compression': false,
    'context takeover': { threshold: 0 },
    'no context takeover': { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
    'small windows': { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
  })) {
    it(`edits and drops messages, and what follows is read rightly: ${name}`, () => {
      const options = {
        server: { perMessageDeflate: deflate },
        client: { perMessageDeflate: deflate && { threshold: 0 } },
        before: editing,
      };
      return withSockets(options, async (sockets) => {
        const text = 'The same words, the same words. ';
        const big = `${text.repeat(5000)} edit ${text.repeat(9000)}`;
        const sent = [
          text,
          `edit ${text}2`,
          text,
          'drop',
          text,
          'later drop',
          `later edit ${text}`,
          'edit ',
          text,
          big,
        ];
        const expected = [text, `${text}2`, text, text, text, '', text, text.repeat(9000)];
        for (const message of sent) sockets.client.send(message);
        for (const message of sent) sockets.server.send(message);
        await expectReceived(sockets, 'server', expected);
        await expectReceived(sockets, 'client', expected);
        const { messages } = sockets.flow.websocket;
        for (const from of ENDS) {
          const own = messages.filter((message) => message.from === from);
          expect(own.filter(({ dropped }) => !dropped).map((message) => message.text())).toEqual(expected);
          expect(own.filter(({ dropped }) => dropped).map((message) => message.text())).toEqual([
            'drop',
            'later drop',
          ]);
        }
        expect([sockets.flow.warnings, sockets.flow.error]).toEqual([[], undefined]);
      });
    });
  }

  it('keeps an edited message compressed, in as many frames where its length is the same', () =>
    withProxy({}, async (stage) => {
      editing(stage);
      const { client, upstream } = await openWebSocket(stage, { extensions: DEFLATE });
      const compressor = new Compressor();
      const payload = await compressor.compress('edit hello');
      await client.send(fromClient(TEXT, payload, { rsv: RSV1 }));
      const frame = await readFrame(upstream);
      expect(frame).toMatchObject({ opcode: TEXT, fin: true, rsv: RSV1, masked: true });
      // What was not compressed stays so.
      await client.send(fromClient(TEXT, 'edit plain'), fromClient(TEXT, 'plain'));
      expect(await readFrame(upstream)).toMatchObject({ rsv: 0, text: 'plain' });
      expect(await readFrame(upstream)).toMatchObject({ rsv: 0, text: 'plain' });
    }));

  it('keeps the order behind an asynchronous hook, while the other direction goes on', () =>
    withProxy({}, async (stage) => {
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      const seen: string[] = [];
      stage.proxy.on('websocketMessage', async (_flow, message) => {
        seen.push(message.text());
        if (message.text() === 'held') await held;
      });
      const { client, upstream, flow } = await openWebSocket(stage);
      const wire = Buffer.concat([
        fromClient(TEXT, 'held'),
        fromClient(PING, 'behind it'),
        fromClient(TEXT, 'next'),
        fromClient(CLOSE, closing(1000)),
      ]);
      await client.send(wire.subarray(0, wire.length - 4));
      await client.send(wire.subarray(wire.length - 4));
      client.end();
      for (const text of ['1', '2', '3']) {
        await upstream.send(fromServer(TEXT, text));
        expect((await readFrame(client)).text).toBe(text);
      }
      expect(seen).toEqual(['held', '1', '2', '3']);
      await serveAnother(stage);
      expect([upstream.unread.length, upstream.ended]).toEqual([0, undefined]);
      expect([flow.websocket.pings.length, flow.websocket.closeCode]).toEqual([0, undefined]);
      go();
      expect(await upstream.read(wire.length)).toEqual(wire);
      expect(await upstream.ending).toBe('fin');
      expect(seen).toEqual(['held', '1', '2', '3', 'next']);
      expect(flow.websocket.closeCode).toBe(1000);
    }));

  it('takes edits only in the hook', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, flow } = await openWebSocket(stage);
      const wire = fromServer(TEXT, 'gone');
      await upstream.send(wire);
      expect(await client.read(wire.length)).toEqual(wire);
      const [message] = flow.websocket.messages;
      if (message !== undefined) message.data = 'too late';
      message?.drop();
      flow.websocket.stream = true;
      expect(shown(flow.websocket.messages)).toEqual(['server text gone']);
      expect(flow.warnings).toEqual([
        expect.stringContaining('data was assigned after it had been sent: it has no effect'),
        expect.stringContaining('drop() was called after it had been sent: it has no effect'),
        expect.stringContaining('websocket.stream was set after the decision'),
      ]);
      expect(() => Object.assign(message ?? {}, { data: 7 })).toThrow(/7 is not a payload/);
      expect(() => Object.assign(flow.websocket, { stream: 'yes' })).toThrow(/"yes" is not accepted/);
    }));

  it('makes those wait who send more than a hook has seen', () =>
    withProxy({}, async (stage) => {
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      stage.proxy.on('websocketMessage', () => held);
      // The first of them comes with the handshake.
      const early = fromClient(BINARY, octets(10));
      const { client, upstream } = await openWebSocket(stage, { early });
      const wire = fromClient(BINARY, octets(1_000_000));
      const sending = Promise.all(Array.from({ length: 32 }, () => client.send(wire)));
      await stage.eventually(() => client.socket.writableLength > 0, 'the client to be made to wait');
      // It is made to wait for good: nothing moves in turns of the event loop in which other things do.
      let before = -1;
      await stage.eventually(() => {
        const now = client.socket.bytesWritten - client.socket.writableLength;
        const still = now === before;
        before = now;
        return still;
      }, 'the client to stand still');
      expect(client.socket.writableLength).toBeGreaterThan(16_000_000);
      go();
      await sending;
      const received = await upstream.read(early.length + 32 * wire.length);
      expect(received.subarray(early.length + 31 * wire.length).equals(wire)).toBe(true);
    }));
});
