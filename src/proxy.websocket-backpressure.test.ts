import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, open, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { octets, sha256 } from './testing/bytes.js';
import {
  BINARY,
  DEFLATE,
  endsOf,
  frameFrom,
  fromClient,
  openWebSocket,
  RSV1,
  sendMany,
  standsStill,
  TEXT,
} from './testing/websocket.js';
import { withProxy } from './testing/with-proxy.js';

const ENDS = ['client', 'server'] as const;
const MiB = 1024 * 1024;

/** Keeps every thread that zlib could run on busy, without work. @returns what lets go of them */
function blockThreads(): () => void {
  const folder = mkdtempSync(path.join(tmpdir(), 'threads-'));
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  const pipes = Array.from({ length: threads }, (_, i) => path.join(folder, String(i)));
  execFileSync('mkfifo', pipes);
  for (const pipe of pipes) {
    // Waits in its thread for somebody who writes.
    open(pipe, 'r', (error, reader) => {
      if (error === null) closeSync(reader);
    });
  }
  return () => {
    for (const pipe of pipes) openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    rmSync(folder, { recursive: true });
  };
}

describe('who sends through a WebSocket faster than it is taken', () => {
  for (const streamWebsockets of [false, true]) {
    const mode = streamWebsockets ? 'streamed' : 'buffered';
    for (const from of ENDS) {
      it(`waits for who does not read, from the ${from}, ${mode}`, () =>
        withProxy({ streamWebsockets, maxStoredMessageSize: 0 }, async (stage) => {
          const opened = await openWebSocket(stage);
          const { sender, receiver } = endsOf(opened, from);
          const frame = frameFrom[from](BINARY, octets(MiB));
          receiver.pause();
          const sending = sendMany(sender, frame, 48);
          await standsStill(
            stage,
            () => sending.sent,
            () => receiver.total,
          );
          expect(sending.sent).toBeLessThan(32);
          // Meanwhile the other way is open.
          const other = frameFrom[from === 'client' ? 'server' : 'client'](TEXT, 'hello');
          await receiver.send(other);
          expect(await sender.read(other.length)).toEqual(other);
          receiver.resume();
          for (let i = 0; i < 48; i++) expect((await receiver.read(frame.length)).equals(frame)).toBe(true);
          await sending.done;
          expect(opened.flow.websocket.messages).toHaveLength(49);
        }));

      it(`waits for decompression, from the ${from}, ${mode}`, () =>
        withProxy({ streamWebsockets, maxStoredMessageSize: 0 }, async (stage) => {
          const extensions = `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`;
          const opened = await openWebSocket(stage, { extensions });
          const { sender, receiver } = endsOf(opened, from);
          // An empty block at its end, as a flush leaves it, and without its last four octets.
          const payload = Buffer.concat([deflateRawSync(octets(MiB), { level: 0 }), Buffer.from([0])]);
          const frame = frameFrom[from](BINARY, payload, { rsv: RSV1 });
          const letGo = blockThreads();
          const sending = sendMany(sender, frame, 32);
          try {
            await standsStill(
              stage,
              () => sending.sent,
              () => receiver.total,
            );
            expect(receiver.total).toBeLessThan(streamWebsockets ? 6 * MiB : 1024);
            expect(sending.sent).toBeLessThan(24);
          } finally {
            letGo();
          }
          for (let i = 0; i < 32; i++) expect((await receiver.read(frame.length)).equals(frame)).toBe(true);
          await sending.done;
          const { messages } = opened.flow.websocket;
          await stage.eventually(() => messages.length === 32, 'all messages to be recorded');
          expect(new Set(messages.map(({ size }) => size))).toEqual(new Set([MiB]));
        }));
    }
  }

  it('waits for a hook, the messages that came with the handshake included', () =>
    withProxy({ maxStoredMessageSize: 0 }, async (stage) => {
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      stage.proxy.on('websocketMessage', () => held);
      const early = fromClient(BINARY, octets(10));
      const { client, upstream } = await openWebSocket(stage, { early });
      const frame = fromClient(BINARY, octets(MiB));
      const sending = sendMany(client, frame, 48);
      await standsStill(stage, () => sending.sent);
      expect(sending.sent).toBeLessThan(24);
      expect(upstream.unread).toHaveLength(0);
      go();
      await upstream.read(early.length);
      for (let i = 0; i < 48; i++) expect((await upstream.read(frame.length)).equals(frame)).toBe(true);
      await sending.done;
    }));
});

describe('maxStoredMessageSize', () => {
  for (const streamWebsockets of [false, true]) {
    for (const extensions of [undefined, DEFLATE]) {
      const mode = `${streamWebsockets ? 'streamed' : 'buffered'}, ${extensions ?? 'plain'}`;
      it(`limits what is recorded, and nothing else: ${mode}`, () =>
        withProxy({ streamWebsockets, maxStoredMessageSize: '1k' }, async (stage) => {
          const seen: number[] = [];
          stage.proxy.on('websocketMessage', (_flow, { data }) => void seen.push(data.length));
          const opened = await openWebSocket(stage, extensions === undefined ? {} : { extensions });
          const { websocket } = opened.flow;
          for (const from of ENDS) {
            const { sender, receiver } = endsOf(opened, from);
            for (const size of [1023, 1024, 1025, 300_000]) {
              const content = octets(size);
              const payload =
                extensions === undefined
                  ? content
                  : Buffer.concat([deflateRawSync(content), Buffer.from([0])]);
              const wire = Buffer.concat([
                frameFrom[from](BINARY, payload.subarray(0, 100), {
                  fin: false,
                  ...(extensions === undefined ? {} : { rsv: RSV1 }),
                }),
                frameFrom[from](0, payload.subarray(100)),
              ]);
              const { length } = websocket.messages;
              await sender.send(wire);
              expect(sha256(await receiver.read(wire.length))).toBe(sha256(wire));
              await stage.eventually(() => websocket.messages.length > length, 'the message');
              const message = websocket.messages.at(-1);
              expect(message).toMatchObject({ from, size, truncated: size > 1024 });
              expect(message?.fragments).toEqual([100, payload.length - 100]);
              expect(message?.data).toEqual(content.subarray(0, 1024));
              // What is held anyway, hooks see to its end.
              expect(seen.at(-1)).toBe(streamWebsockets ? Math.min(size, 1024) : size);
            }
          }
          expect(opened.flow.warnings).toEqual([]);
        }));
    }
  }

  it('limits what is recorded of edited, dropped and injected messages', () =>
    withProxy({ maxStoredMessageSize: 4 }, async (stage) => {
      stage.proxy.on('websocketMessage', (_flow, message) => {
        if (message.text() === 'drop this') message.drop();
        else message.data = 'edited';
      });
      const { client, upstream, flow } = await openWebSocket(stage);
      await client.send(fromClient(TEXT, 'drop this'), fromClient(TEXT, 'edit this'));
      const wire = fromClient(TEXT, 'edited');
      await upstream.read(wire.length);
      expect(
        flow.websocket.messages.map((one) => [one.text(), one.size, one.truncated, one.dropped]),
      ).toEqual([
        ['drop', 9, true, true],
        ['edit', 6, true, false],
      ]);
    }));
});
