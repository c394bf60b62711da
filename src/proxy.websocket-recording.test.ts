import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { ClientOptions, ServerOptions } from 'ws';
import { octets } from './testing/bytes.js';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  Compressor,
  closing,
  DEFLATE,
  expectReceived,
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
  withSockets,
} from './testing/websocket.js';
import { withProxy } from './testing/with-proxy.js';

/** How compression is agreed on: what each end of `ws` is told, and what the handshake's response says then. */
const AGREEMENTS: {
  [name: string]: [ServerOptions['perMessageDeflate'], ClientOptions['perMessageDeflate']];
} = {
  'no compression': [false, false],
  'permessage-deflate': [{ threshold: 0 }, { threshold: 0 }],
  'no context takeover': [
    { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
    { threshold: 0 },
  ],
  'no context takeover by the server': [{ threshold: 0, serverNoContextTakeover: true }, { threshold: 0 }],
  'no context takeover by the client': [{ threshold: 0, clientNoContextTakeover: true }, { threshold: 0 }],
  'small windows': [{ threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 10 }, { threshold: 0 }],
  'the smallest windows, on whose size ws and zlib do not agree': [
    { threshold: 0, serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
    { threshold: 0 },
  ],
};

describe('what is recorded of a WebSocket', () => {
  for (const streamWebsockets of [false, true]) {
    const mode = streamWebsockets ? 'streamed' : 'buffered';
    for (const [name, [server, client]] of Object.entries(AGREEMENTS)) {
      it(`is every message, ${mode}, with ${name}`, async () => {
        // Far back references need the window; the same text twice needs the context.
        const far = name.startsWith('the smallest') ? octets(200) : octets(70_000);
        const sent = ['hello', 'hello', 'ü€😀', '', far, far, Buffer.alloc(0), 'hello'];
        const options = {
          proxy: { streamWebsockets },
          server: { perMessageDeflate: server },
          client: { perMessageDeflate: client },
        } as const;
        await withSockets(options, async (sockets) => {
          const { flow } = sockets;
          const began = Date.now();
          for (const message of sent) sockets.client.send(message);
          await expectReceived(sockets, 'server', sent);
          for (const message of sent) sockets.server.send(message);
          await expectReceived(sockets, 'client', sent);
          sockets.client.close(4000, 'that is it');
          await whenOver(sockets.stage, flow);
          const { messages } = flow.websocket;
          const expected = (['client', 'server'] as const).flatMap((from) =>
            sent.map((data) => [
              from,
              typeof data === 'string' ? 'text' : 'binary',
              Buffer.from(data as string),
            ]),
          );
          expect(messages.map(({ from, type, data }) => [from, type, data])).toEqual(expected);
          expect(messages.map(({ size }) => size)).toEqual(expected.map(([, , data]) => data?.length));
          const times = messages.map(({ timestamp }) => timestamp);
          expect(times).toEqual([...times].sort((a, b) => a - b));
          expect(times[0]).toBeGreaterThanOrEqual(began - 5);
          expect(times.at(-1)).toBeLessThanOrEqual(Date.now() + 5);
          const compressed = messages.filter(({ fragments, size }) => fragments[0] !== size).length;
          if (server === false) expect(compressed).toBe(0);
          else expect(compressed).toBeGreaterThan(10);
          const { closeCode, closeReason, closedBy, closed } = flow.websocket;
          expect({ closeCode, closeReason, closedBy, closed }).toEqual({
            closeCode: 4000,
            closeReason: 'that is it',
            closedBy: 'client',
            closed: true,
          });
          expect([flow.error, flow.warnings]).toEqual([undefined, []]);
          expect([flow.request.complete, flow.response.complete]).toEqual([true, true]);
        });
      });
    }

    it(`are fragments, pings and pongs of either end, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { client, upstream, flow } = await openWebSocket(stage);
        const toServer = Buffer.concat([
          fromClient(TEXT, 'one', { fin: false }),
          fromClient(PING, 'are you there?'),
          fromClient(CONTINUATION, '', { fin: false }),
          fromClient(CONTINUATION, ' two'),
          fromClient(PONG),
          fromClient(BINARY, octets(70_000)),
          fromClient(PONG, octets(125)),
        ]);
        await client.send(toServer);
        await upstream.read(toServer.length);
        const toClient = Buffer.concat([
          fromServer(BINARY, octets(200), { fin: false }),
          fromServer(CONTINUATION, octets(126)),
          fromServer(PONG, 'are you there?'),
          fromServer(PING),
        ]);
        await upstream.send(toClient);
        await client.read(toClient.length);
        const { messages, pings } = flow.websocket;
        expect(messages.map(({ from, type, fragments, size }) => [from, type, fragments, size])).toEqual([
          ['client', 'text', [3, 0, 4], 7],
          ['client', 'binary', [70_000], 70_000],
          ['server', 'binary', [200, 126], 326],
        ]);
        expect(messages[0]?.text()).toBe('one two');
        expect(messages[1]?.data).toEqual(octets(70_000));
        expect(messages[2]?.data).toEqual(Buffer.concat([octets(200), octets(126)]));
        expect(pings.map(({ from, type, data }) => [from, type, data])).toEqual([
          ['client', 'ping', Buffer.from('are you there?')],
          ['client', 'pong', Buffer.alloc(0)],
          ['client', 'pong', octets(125)],
          ['server', 'pong', Buffer.from('are you there?')],
          ['server', 'ping', Buffer.alloc(0)],
        ]);
        const times = pings.map(({ timestamp }) => timestamp);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }));

    it(`are fragments of a compressed message as they were on the wire, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { client, upstream, flow } = await openWebSocket(stage, { extensions: DEFLATE });
        const payload = await new Compressor().compress('a'.repeat(1000));
        const first = fromClient(TEXT, payload.subarray(0, 3), { fin: false, rsv: RSV1 });
        const ping = fromClient(PING, 'between');
        // Not every message has to be compressed.
        const rest = [fromClient(CONTINUATION, payload.subarray(3)), fromClient(TEXT, 'plain')];
        await client.send(first, ping, ...rest);
        // A ping does not wait for the message that it stands in.
        const expected = Buffer.concat([...(streamWebsockets ? [first, ping] : [ping, first]), ...rest]);
        expect(await upstream.read(expected.length)).toEqual(expected);
        await stage.eventually(() => flow.websocket.messages.length === 2, 'both messages');
        const [one, two] = flow.websocket.messages;
        expect([one?.text(), one?.size]).toEqual(['a'.repeat(1000), 1000]);
        expect(one?.fragments).toEqual([3, payload.length - 3]);
        expect([two?.text(), two?.fragments]).toEqual(['plain', [5]]);
      }));

    it(`is a compressed message with a final block, and what follows it, ${mode}`, () =>
      withProxy({ streamWebsockets }, async (stage) => {
        const { client, upstream, flow } = await openWebSocket(stage, { extensions: DEFLATE });
        // RFC 7692 section 7.2.3.4: BFINAL, and the octet that lets the next message be appended.
        const payload = Buffer.concat([deflateRawSync('finally'), Buffer.from([0])]);
        const frame = fromClient(TEXT, payload, { rsv: RSV1 });
        const begin = fromClient(TEXT, payload, { rsv: RSV1, fin: false });
        const splits = [
          [frame, Buffer.alloc(0)],
          [frame.subarray(0, -1), frame.subarray(-1)],
          [begin, fromClient(CONTINUATION)],
        ] as const;
        for (const [first, end] of splits) {
          const rest = Buffer.concat([end, fromClient(TEXT, 'next'), fromClient(PING, 'last')]);
          await client.send(first);
          // Served later: the first part has been looked at by then.
          await serveAnother(stage);
          await client.send(rest);
          expect(await upstream.read(first.length + rest.length)).toEqual(Buffer.concat([first, rest]));
        }
        const each = ['client text finally', 'client text next'];
        await stage.eventually(() => flow.websocket.messages.length === 6, 'all messages');
        expect(shown(flow.websocket.messages)).toEqual([...each, ...each, ...each]);
        expect(flow.warnings).toEqual([]);
      }));

    for (const closedBy of ['client', 'server'] as const) {
      it(`is a close frame without a code, by the ${closedBy}: 1005, ${mode}`, () =>
        withProxy({ streamWebsockets }, async (stage) => {
          const { client, upstream, flow } = await openWebSocket(stage);
          const [closer, other] = closedBy === 'client' ? [client, upstream] : [upstream, client];
          const [frame, answer] = closedBy === 'client' ? [fromClient, fromServer] : [fromServer, fromClient];
          await closer.send(frame(CLOSE));
          expect(await other.read(frame(CLOSE).length)).toEqual(frame(CLOSE));
          await other.send(answer(CLOSE, closing(1001, 'never mind')));
          await closer.read(answer(CLOSE, closing(1001, 'never mind')).length);
          upstream.end();
          expect(await client.ending).toBe('fin');
          client.end();
          await whenOver(stage, flow);
          const { closeCode, closeReason, closedBy: by } = flow.websocket;
          expect([closeCode, closeReason, by]).toEqual([1005, '', closedBy]);
          expect([flow.error, flow.warnings]).toEqual([undefined, []]);
        }));
    }
  }
});
