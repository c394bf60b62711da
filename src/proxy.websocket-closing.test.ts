import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { WebSocketFlow } from './flow/types.js';
import { octets } from './testing/bytes.js';
import {
  BINARY,
  CLOSE,
  closing,
  endsOf,
  frameFrom,
  fromClient,
  fromServer,
  openWebSocket,
  readFrame,
  serveAnother,
  shown,
  TEXT,
  whenOver,
  withSockets,
} from './testing/websocket.js';
import { withProxy } from './testing/with-proxy.js';

const ENDS = ['client', 'server'] as const;
const opposite = { client: 'server', server: 'client' } as const;

function closeOf({ websocket }: WebSocketFlow) {
  const { closeCode, closeReason, closedBy, closed } = websocket;
  return [closeCode, closeReason, closedBy, closed];
}

describe('the end of a WebSocket', () => {
  for (const streamWebsockets of [false, true]) {
    const mode = streamWebsockets ? 'streamed' : 'buffered';

    for (const from of ENDS) {
      it(`is a close frame of the ${from}, with code and reason, ${mode}`, () =>
        withSockets({ proxy: { streamWebsockets } }, async ({ stage, flow, ...ends }) => {
          const other = once(ends[opposite[from]], 'close');
          const own = once(ends[from], 'close');
          ends[from].close(4000, 'bye ü');
          for (const closed of [await other, await own]) {
            expect([closed[0], String(closed[1])]).toEqual([4000, 'bye ü']);
          }
          await whenOver(stage, flow);
          expect(closeOf(flow)).toEqual([4000, 'bye ü', from, true]);
          expect([flow.error, flow.warnings]).toEqual([undefined, []]);
        }));

      it(`is an end of the ${from}'s connection without a close frame, ${mode}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          const opened = await openWebSocket(stage);
          const { sender, receiver } = endsOf(opened, from);
          const last = frameFrom[from](TEXT, 'last words');
          await sender.send(last);
          sender.end();
          expect(await receiver.read(last.length)).toEqual(last);
          expect(await receiver.ending).toBe('fin');
          // The other end may still have something to say.
          const answer = frameFrom[opposite[from]](TEXT, 'answer');
          await receiver.send(answer);
          expect(await sender.read(answer.length)).toEqual(answer);
          receiver.end();
          await whenOver(stage, opened.flow);
          expect(closeOf(opened.flow)).toEqual([1006, '', from, true]);
          expect(shown(opened.flow.websocket.messages)).toHaveLength(2);
          expect([opened.flow.error, opened.flow.warnings]).toEqual([undefined, []]);
        }));

      it(`is a reset by the ${from}; what had come is delivered, also to one who reads slowly, ${mode}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          const opened = await openWebSocket(stage);
          const { sender, receiver } = endsOf(opened, from);
          receiver.pause();
          const message = frameFrom[from](BINARY, octets(400_000));
          await sender.send(message);
          await sender.send(message);
          const { messages } = opened.flow.websocket;
          await stage.eventually(() => messages.length === 2, 'the messages to have come');
          sender.reset();
          await stage.eventually(() => opened.flow.websocket.closeCode !== undefined, 'the loss to be seen');
          expect(closeOf(opened.flow).slice(0, 3)).toEqual([1006, '', from]);
          receiver.resume();
          for (let i = 0; i < 2; i++)
            expect((await receiver.read(message.length)).equals(message)).toBe(true);
          await receiver.ending;
          receiver.end();
          await whenOver(stage, opened.flow);
          expect([opened.flow.error, opened.flow.warnings]).toEqual([undefined, []]);
        }));

      it(`warns of a message of the ${from} that had not come to its end, ${mode}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          const opened = await openWebSocket(stage);
          const { client, upstream, flow } = opened;
          const { sender } = endsOf(opened, from);
          const frame = frameFrom[from](TEXT, 'more than that');
          await sender.send(frameFrom[from](TEXT, 'whole'), frame.subarray(0, -4));
          sender.end();
          await endsOf(opened, from).receiver.ending;
          for (const peer of [client, upstream]) peer.end();
          await whenOver(stage, flow);
          expect(shown(flow.websocket.messages)).toEqual([`${from} text whole`]);
          const what = `middle of a message from the ${from}, which is not recorded (10 octets of its payload had come)`;
          expect(flow.warnings).toEqual([expect.stringContaining(what)]);
        }));
    }

    it(`leaves everything to one who reads slowly after the sender has closed, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { client, upstream, flow } = await openWebSocket(stage);
        client.pause();
        const message = fromServer(BINARY, octets(1_000_000));
        const sending = Array.from({ length: 16 }, () => upstream.send(message));
        const close = fromServer(CLOSE, closing(1001, 'gone'));
        const last = upstream.send(close);
        upstream.end();
        await stage.eventually(() => upstream.socket.writableLength > 0, 'the server to be made to wait');
        client.resume();
        for (let i = 0; i < 16; i++) expect((await client.read(message.length)).equals(message)).toBe(true);
        expect(await client.read(close.length)).toEqual(close);
        expect(await client.ending).toBe('fin');
        await Promise.all([...sending, last]);
        client.end();
        await whenOver(stage, flow);
        expect(closeOf(flow)).toEqual([1001, 'gone', 'server', true]);
        expect(flow.websocket.messages).toHaveLength(16);
      }));

    it(`is the proxy's: PROXY_CLOSED, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const ended: unknown[] = [];
        stage.proxy.on('websocketEnd', (flow) => void ended.push(flow));
        const { client, upstream, flow } = await openWebSocket(stage);
        await client.send(fromClient(TEXT, 'whole'), fromClient(TEXT, 'not whole').subarray(0, 8));
        expect((await readFrame(upstream)).text).toBe('whole');
        await stage.proxy.close();
        await Promise.all([client.ending, upstream.ending]);
        expect(flow.error?.code).toBe('PROXY_CLOSED');
        expect(closeOf(flow)).toEqual([1006, '', undefined, true]);
        expect(shown(flow.websocket.messages)).toEqual(['client text whole']);
        expect(ended).toEqual([flow]);
        await expect(stage.proxy.waitForFlow('**/chat')).rejects.toThrow(/PROXY_CLOSED/);
      }));

    it(`is flow.kill(), ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { client, upstream, flow } = await openWebSocket(stage);
        flow.kill();
        await Promise.all([client.ending, upstream.ending]);
        expect(flow.error).toMatchObject({ code: 'KILLED' });
        expect(closeOf(flow)).toEqual([1006, '', undefined, true]);
        flow.kill();
      }));

    it(`is flow.kill() in websocketMessage; the message goes nowhere, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const hooks: string[] = [];
        stage.proxy.on('websocketMessage', (flow, message) => {
          hooks.push(message.text());
          if (message.text() === 'kill') flow.kill();
        });
        stage.proxy.on('websocketEnd', () => void hooks.push('end'));
        const { client, upstream, flow } = await openWebSocket(stage);
        await client.send(fromClient(TEXT, 'before'), fromClient(TEXT, 'kill'), fromClient(TEXT, 'after'));
        await Promise.all([client.ending, upstream.ending]);
        expect(flow.error?.code).toBe('KILLED');
        expect(hooks).toEqual(['before', 'kill', 'end']);
        expect(upstream.unread.includes(fromClient(TEXT, 'after'))).toBe(false);
      }));

    it(`is flow.kill() while websocketMessage runs, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        let go: () => void = () => undefined;
        const held = new Promise<void>((resolve) => {
          go = resolve;
        });
        let reached = false;
        stage.proxy.on('websocketMessage', () => {
          reached = true;
          return held;
        });
        const { client, upstream, flow } = await openWebSocket(stage);
        await client.send(fromClient(TEXT, 'held'));
        await stage.eventually(() => reached, 'the hook');
        flow.kill();
        await Promise.all([client.ending, upstream.ending]);
        go();
        await whenOver(stage, flow);
        expect(flow.error?.code).toBe('KILLED');
        expect([flow.warnings, await stage.proxy.verify()]).toEqual([[], undefined]);
      }));
  }

  for (const from of ENDS) {
    it(`cuts an end that does not leave after the ${from} has`, () =>
      withProxy({ streamWebsockets: from === 'client' }, async (stage) => {
        const opened = await openWebSocket(stage);
        const { sender, receiver } = endsOf(opened, from);
        sender.reset();
        expect(await receiver.ending).toBe('fin');
        // It goes on sending for as long as it may.
        const still = frameFrom[opposite[from]](TEXT, 'still here');
        const sending = setInterval(() => receiver.socket.write(still), 20);
        try {
          await stage.eventually(() => receiver.socket.destroyed, 'the connection to be gone');
        } finally {
          clearInterval(sending);
        }
        await whenOver(stage, opened.flow);
        expect(closeOf(opened.flow)).toEqual([1006, '', from, true]);
      }));
  }

  it('does not come of silence, however long connections may be idle between exchanges', () =>
    withProxy({ timeouts: { idle: 50 } }, async (stage) => {
      const { client, upstream } = await openWebSocket(stage);
      // A connection that is closed for its silence began to be silent later.
      await serveAnother(stage);
      const idle = await stage.client();
      expect(await idle.ending).toBe('fin');
      await client.send(fromClient(TEXT, 'still here'));
      expect((await readFrame(upstream)).text).toBe('still here');
    }));

  for (const hook of ['requestHeaders', 'responseHeaders', 'response', 'websocketStart'] as const) {
    for (const asynchronous of [false, true]) {
      it(`is flow.kill() in ${hook}, ${asynchronous ? 'asynchronous' : 'at once'}`, () =>
        withProxy({}, async (stage) => {
          stage.proxy.on(hook, async (flow: { kill(): void }) => {
            if (asynchronous) await new Promise((resolve) => setImmediate(resolve));
            flow.kill();
          });
          const client = await stage.client();
          const head = `GET http://${stage.origin.host}/chat HTTP/1.1\r\nHost: ${stage.origin.host}\r\n`;
          await client.send(`${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
          if (hook !== 'requestHeaders') {
            const upstream = await stage.origin.accept();
            await upstream.head();
            await upstream.send('HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
            await upstream.ending;
          }
          await client.ending;
          const flow = stage.proxy.flows.last;
          await stage.eventually(() => flow?.error !== undefined, 'the error');
          expect(flow?.error?.code).toBe('KILLED');
          expect(flow?.websocket?.closed).toBe(hook === 'websocketStart' ? true : undefined);
        }));
    }
  }
});
