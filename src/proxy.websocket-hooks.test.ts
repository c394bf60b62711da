import { describe, expect, it } from '@jest/globals';
import {
  endsOf,
  type FrameInit,
  frameFrom,
  fromClient,
  fromServer,
  openWebSocket,
  readFrame,
  shown,
  TEXT,
  whenOver,
} from './testing/websocket.js';
import { problemOf, withProxy } from './testing/with-proxy.js';

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe('hooks of a WebSocket', () => {
  for (const streamWebsockets of [false, true]) {
    const mode = streamWebsockets ? 'streamed' : 'buffered';

    it(`run in order, and websocketEnd once, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const ran: string[] = [];
        const moments: string[] = [];
        for (const hook of ['request', 'response', 'websocketStart', 'websocketEnd', 'error'] as const) {
          stage.proxy.on(hook, () => void ran.push(hook));
        }
        stage.proxy.on('websocketMessage', (_flow, message) => void ran.push(message.text()));
        stage.proxy.watch((_flow, moment) => moments.push(moment));
        const { client, upstream, flow } = await openWebSocket(stage);
        await client.send(fromClient(TEXT, '1'));
        await readFrame(upstream);
        await upstream.send(fromServer(TEXT, '2'));
        await readFrame(client);
        client.reset();
        upstream.end();
        await whenOver(stage, flow);
        expect(ran).toEqual(['request', 'response', 'websocketStart', '1', '2', 'websocketEnd']);
        expect(moments.filter((moment) => /complete|websocket/.test(moment))).toEqual([
          'complete',
          'websocketStart',
          'websocketMessage',
          'websocketMessage',
          'websocketEnd',
        ]);
      }));

    for (const asynchronous of [false, true]) {
      const how = `${asynchronous ? 'asynchronous, ' : ''}${mode}`;
      const fail = (): void | Promise<void> => {
        if (asynchronous) return tick().then(() => Promise.reject(new Error('mine')));
        throw new Error('mine');
      };

      it(`that throw in websocketStart cut the connection: ${how}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          stage.proxy.on('websocketStart', fail);
          const { client, upstream, flow } = await openWebSocket(stage, {
            greeting: fromServer(TEXT, 'not seen'),
          });
          await Promise.all([client.ending, upstream.ending]);
          await whenOver(stage, flow);
          expect(flow.error).toMatchObject({
            code: 'HOOK_FAILED',
            message: 'the websocketStart hook threw: mine',
            cause: new Error('mine'),
          });
          expect(client.unread).toHaveLength(0);
          expect(await problemOf(stage.proxy)).toEqual(new Error('mine'));
        }));

      it(`that throw in websocketEnd fail the test: ${how}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          stage.proxy.on('websocketEnd', fail);
          const { client, upstream, flow } = await openWebSocket(stage);
          client.end();
          upstream.end();
          await stage.eventually(() => flow.error !== undefined, 'the error');
          expect(flow.error?.message).toBe('the websocketEnd hook threw: mine');
          expect(await problemOf(stage.proxy)).toEqual(new Error('mine'));
          flow.websocket.send('client', 'late');
          expect(flow.warnings).toEqual([expect.not.stringContaining('hook')]);
        }));

      for (const from of ['client', 'server'] as const) {
        it(`that throw in websocketMessage about the ${from}'s: ${how}`, () =>
          withProxy({ streamWebsockets }, async (stage) => {
            stage.proxy.on('websocketMessage', (_flow, message) =>
              message.text() === 'bad' ? fail() : undefined,
            );
            const opened = await openWebSocket(stage);
            const { client, upstream, flow } = opened;
            const { sender, receiver } = endsOf(opened, from);
            const frame = (text: string, init?: FrameInit) => frameFrom[from](TEXT, text, init);
            await sender.send(frame('good'), frame('bad'), frame('next'));
            expect((await readFrame(receiver)).text).toBe('good');
            if (streamWebsockets) {
              // Nothing waits for the hooks of a streamed connection, and nothing that passes depends on them.
              expect((await readFrame(receiver)).text).toBe('bad');
              expect((await readFrame(receiver)).text).toBe('next');
              await stage.eventually(() => flow.error !== undefined, 'the error');
              expect(shown(flow.websocket.messages)).toHaveLength(3);
            } else {
              for (const peer of [client, upstream]) {
                expect(await readFrame(peer)).toMatchObject({ code: 1011, masked: peer === upstream });
                expect(await peer.ending).toBe('fin');
                expect(peer.unread).toHaveLength(0);
                peer.end();
              }
              await whenOver(stage, flow);
              expect(flow.websocket.closeCode).toBe(1011);
            }
            expect(flow.error).toMatchObject({
              code: 'HOOK_FAILED',
              message: 'the websocketMessage hook threw: mine',
              cause: new Error('mine'),
            });
            expect(await problemOf(stage.proxy)).toEqual(new Error('mine'));
          }));
      }
    }
  }

  it('that throw close connections of ends that stay', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', () => {
        throw new Error('mine');
      });
      const { client, upstream, flow } = await openWebSocket(stage);
      await client.send(fromClient(TEXT, 'bad'));
      await whenOver(stage, flow);
      await stage.eventually(
        () => client.socket.destroyed || client.ended !== undefined,
        'the end of the client',
      );
      expect([client.ended, upstream.ended]).toEqual(['fin', 'fin']);
      flow.websocket.send('client', 'late');
      expect(flow.warnings).toHaveLength(1);
      expect(await problemOf(stage.proxy)).toEqual(new Error('mine'));
    }));
});
