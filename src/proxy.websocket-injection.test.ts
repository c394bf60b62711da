import { describe, expect, it } from '@jest/globals';
import type { WebSocketFlow } from './flow/types.js';
import { octets } from './testing/bytes.js';
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
  fromServer,
  openWebSocket,
  PING,
  RSV1,
  readFrame,
  shown,
  TEXT,
  whenOver,
  withSockets,
} from './testing/websocket.js';
import { withProxy } from './testing/with-proxy.js';

const ENDS = ['client', 'server'] as const;
const opposite = { client: 'server', server: 'client' } as const;

describe('websocket.send()', () => {
  for (const streamWebsockets of [false, true]) {
    const mode = streamWebsockets ? 'streamed' : 'buffered';

    it(`sends whole messages of either kind to either end, recorded as injected, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const hooked: string[] = [];
        stage.proxy.on('websocketMessage', (_flow, message) => void hooked.push(message.text()));
        const opened = await openWebSocket(stage, { extensions: DEFLATE });
        const { websocket } = opened.flow;
        for (const from of ENDS) {
          const to = opposite[from];
          const { receiver } = endsOf(opened, from);
          const masked = from === 'client';
          const bytes = octets(70_000);
          websocket.send(to, 'text ü');
          websocket.send(to, bytes.subarray(0));
          websocket.send(to, new Uint8Array([1, 2, 3]));
          websocket.send(to, '');
          const whole = { fin: true, rsv: 0, masked };
          expect(await readFrame(receiver)).toMatchObject({ ...whole, opcode: TEXT, text: 'text ü' });
          const binary = await readFrame(receiver);
          expect(binary).toMatchObject({ ...whole, opcode: BINARY });
          expect(binary.payload).toEqual(octets(70_000));
          expect(await readFrame(receiver)).toMatchObject({ ...whole, opcode: BINARY, text: '\x01\x02\x03' });
          expect(await readFrame(receiver)).toMatchObject({ ...whole, opcode: TEXT, text: '' });
          const own = websocket.messages.slice(-4);
          expect(
            own.map((message) => [message.from, message.type, message.fragments, message.injected]),
          ).toEqual([
            [from, 'text', [7], true],
            [from, 'binary', [70_000], true],
            [from, 'binary', [3], true],
            [from, 'text', [0], true],
          ]);
        }
        expect(hooked).toEqual([]);
        expect(opened.flow.warnings).toEqual([]);
      }));

    it(`takes a copy of what it is given, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { flow, client } = await openWebSocket(stage);
        const bytes = Buffer.from('mine');
        flow.websocket.send('client', bytes);
        bytes.fill('x');
        expect((await readFrame(client)).text).toBe('mine');
        expect(shown(flow.websocket.messages)).toEqual(['server binary mine injected']);
      }));

    it(`does not stand in the midst of another message, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const opened = await openWebSocket(stage);
        for (const from of ENDS) {
          const { sender, receiver } = endsOf(opened, from);
          const frame = frameFrom[from];
          const ping = frame(PING, 'seen');
          const [one, two] = [frame(TEXT, 'to be ', { fin: false }), frame(CONTINUATION, 'continued')];
          await sender.send(one, ping, two.subarray(0, 5));
          if (streamWebsockets) expect((await readFrame(receiver)).text).toBe('to be ');
          expect((await readFrame(receiver)).text).toBe('seen');
          opened.flow.websocket.send(opposite[from], 'injected');
          await sender.send(two.subarray(5), frame(TEXT, 'next'));
          const texts = [];
          for (let i = 0; i < (streamWebsockets ? 3 : 4); i++) texts.push((await readFrame(receiver)).text);
          expect(texts).toEqual(
            streamWebsockets
              ? ['continued', 'injected', 'next']
              : ['injected', 'to be ', 'continued', 'next'],
          );
        }
      }));

    it(`may be called from hooks, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        stage.proxy.on('websocketStart', async ({ websocket }) => {
          websocket.send('client', 'start');
          await new Promise((resolve) => setImmediate(resolve));
          websocket.send('server', 'start');
        });
        stage.proxy.on('websocketMessage', async ({ websocket }, message) => {
          if (message.text() === 'async') await new Promise((resolve) => setImmediate(resolve));
          websocket.send('client', `about ${message.text()}`);
          websocket.send('server', `about ${message.text()}`);
        });
        const opened = await openWebSocket(stage);
        const { client, upstream } = opened;
        for (const peer of [client, upstream]) expect((await readFrame(peer)).text).toBe('start');
        for (const from of ENDS) {
          for (const text of ['sync', 'async']) {
            const { sender, receiver } = endsOf(opened, from);
            await sender.send(frameFrom[from](TEXT, text));
            expect((await readFrame(sender)).text).toBe(`about ${text}`);
            const both = [(await readFrame(receiver)).text, (await readFrame(receiver)).text];
            expect(both.sort()).toEqual([`about ${text}`, text]);
          }
        }
      }));

    it(`goes out before the first message if it was called before the start, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        stage.proxy.on('websocketStart', ({ websocket }) => websocket.send('client', 'first'));
        const { client, flow } = await openWebSocket(stage, { greeting: fromServer(TEXT, 'second') });
        expect((await readFrame(client)).text).toBe('first');
        expect((await readFrame(client)).text).toBe('second');
        expect(shown(flow.websocket.messages)).toEqual(['server text first injected', 'server text second']);
      }));

    for (const takeover of [true, false]) {
      it(`harms no compressed message, ${mode}, ${takeover ? 'with' : 'without'} context takeover`, () => {
        const noTakeover = { serverNoContextTakeover: !takeover, clientNoContextTakeover: !takeover };
        const options = {
          proxy: { streamWebsockets },
          server: { perMessageDeflate: { threshold: 0, ...noTakeover } },
          client: { perMessageDeflate: { threshold: 0 } },
        };
        return withSockets(options, async (sockets) => {
          const text = 'The same words, the same words. ';
          for (const [i, own] of ['one', 'two', 'three'].entries()) {
            sockets.server.send(text);
            sockets.client.send(text);
            await expectReceived(sockets, 'client', [...preceding(text, i), text]);
            await expectReceived(sockets, 'server', [...preceding(text, i), text]);
            sockets.flow.websocket.send('client', own);
            sockets.flow.websocket.send('server', own);
            await expectReceived(sockets, 'client', preceding(text, i + 1));
            await expectReceived(sockets, 'server', preceding(text, i + 1));
          }
        });
      });
    }

    it(`only warns once the connection is closing, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { client, upstream, flow } = await openWebSocket(stage);
        const { websocket } = flow;
        const close = fromServer(CLOSE, closing(1000));
        await upstream.send(close);
        await client.read(close.length);
        websocket.send('client', 'too late');
        expect(flow.warnings).toEqual([
          expect.stringMatching(/send\('client', …\) was called when the connection was closing/),
        ]);
        // The other direction is still open.
        websocket.send('server', 'in time');
        expect((await readFrame(upstream)).text).toBe('in time');
        upstream.end();
        client.end();
        await whenOver(stage, flow);
        websocket.send('server', 'too late');
        expect(flow.warnings).toHaveLength(2);
        expect(shown(websocket.messages)).toEqual(['client text in time injected']);
        expect(client.unread).toHaveLength(0);
      }));

    it(`is recorded up to maxStoredMessageSize, ${mode}`, () =>
      withProxy({ streamWebsockets, maxStoredMessageSize: 4 }, async (stage) => {
        const { client, flow } = await openWebSocket(stage);
        flow.websocket.send('client', 'longer than that');
        expect((await readFrame(client)).text).toBe('longer than that');
        const [message] = flow.websocket.messages;
        expect([message?.text(), message?.size, message?.truncated]).toEqual(['long', 16, true]);
      }));
  }

  it('warns if the message it waits for never comes to its end', () =>
    withProxy({ streamWebsockets: true }, async (stage) => {
      const { client, upstream, flow } = await openWebSocket(stage);
      const begin = fromServer(TEXT, 'to be ', { fin: false });
      await upstream.send(begin);
      await client.read(begin.length);
      flow.websocket.send('client', 'injected');
      upstream.reset();
      client.end();
      await whenOver(stage, flow);
      expect(flow.websocket.messages).toEqual([]);
      expect(flow.warnings).toEqual([
        expect.stringMatching(/in the middle of a message from the server, which is not recorded \(6 octets/),
        expect.stringMatching(/1 message of send\(\) to the client did not go out/),
      ]);
    }));

  it('says what it accepts', () =>
    withProxy({}, async (stage) => {
      const { flow } = await openWebSocket(stage);
      const send = (...args: unknown[]) =>
        (flow as WebSocketFlow).websocket.send(...(args as ['client', '']));
      expect(() => send('origin', 'x')).toThrow(/"origin" is not accepted; give 'client' or 'server'/);
      expect(() => send('client', { a: 1 })).toThrow(/is not a payload/);
      expect(() => send('client')).toThrow(/is not a payload/);
    }));

  it('keeps what a re-encoded direction needs', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', ({ websocket }, message) => {
        if (message.text() !== 'edit') return;
        message.data = 'edited';
        websocket.send('client', 'between');
      });
      const { client, upstream } = await openWebSocket(stage, { extensions: DEFLATE });
      const compressor = new Compressor();
      for (const text of ['edit', 'hello hello']) {
        await upstream.send(fromServer(TEXT, await compressor.compress(text), { rsv: RSV1 }));
      }
      expect(await readFrame(client)).toMatchObject({ rsv: 0, text: 'between' });
      expect(await readFrame(client)).toMatchObject({ rsv: RSV1, opcode: TEXT });
      expect(await readFrame(client)).toMatchObject({ rsv: RSV1, opcode: TEXT });
    }));
});

/** What has arrived after so many rounds. */
function preceding(text: string, rounds: number): string[] {
  return ['one', 'two', 'three'].slice(0, rounds).flatMap((own) => [text, own]);
}
