import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { expect } from 'expect';
import { octets } from './testing/bytes.js';
import type { ProxyReport } from './testing/proxy-process.js';
import { RawOrigin, type RawPeer, rawClient } from './testing/raw-peer.js';
import {
  BINARY,
  CONTINUATION,
  DEFLATE,
  fromClient,
  fromServer,
  RSV1,
  SWITCHED,
  UPGRADE,
} from './testing/websocket.js';

const MiB = 1024 * 1024;
const SIZE = 256 * MiB;
/** Decompressing takes longer. */
const BOMB = 128 * MiB;
/** How far garbage may pile up before it is collected; newer versions of Node leave it lying for longer. */
const SLACK = 96 * MiB;

describe('a message of 256 MiB on a streamed connection', () => {
  it('passes without being held, in one frame, in many or compressed, from either end', async () => {
    const options = JSON.stringify({ streamWebsockets: true, maxStoredMessageSize: '1m' });
    const args = ['--expose-gc', '--import', 'tsx', 'src/testing/proxy-process.ts', options];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const next = async (): Promise<ProxyReport> => JSON.parse((await once(lines, 'line'))[0]);
    const report = () => {
      const answer = next();
      child.stdin.write('\n');
      return answer;
    };
    const origin = await RawOrigin.listen();
    let client: RawPeer | undefined;
    try {
      const { port } = await next();
      client = await rawClient(port);
      await client.send(`GET http://${origin.host}/ HTTP/1.1\r\nHost: ${origin.host}\r\n${UPGRADE}\r\n\r\n`);
      const upstream = await origin.accept();
      await upstream.head();
      await upstream.send(`${SWITCHED}Sec-WebSocket-Extensions: ${DEFLATE}\r\n\r\n`);
      await client.head();
      // Read buffers and code are in place after these.
      await transfer(client, upstream, inMany(fromClient, 8 * MiB));
      await transfer(upstream, client, inMany(fromServer, 8 * MiB));
      const { peakRss: before } = await report();
      for (const make of [inOne, inMany]) {
        await transfer(client, upstream, make(fromClient, SIZE));
        await transfer(upstream, client, make(fromServer, SIZE));
      }
      // Little on the wire, much to decompress.
      const bomb = Buffer.concat([deflateRawSync(Buffer.alloc(BOMB)), Buffer.from([0])]);
      await transfer(client, upstream, [fromClient(BINARY, bomb, { rsv: RSV1 })]);
      await transfer(upstream, client, [fromServer(BINARY, bomb, { rsv: RSV1 })]);
      let last = await report();
      while (last.messages.length < 8) last = await report();
      const { peakRss, messages, warnings } = last;
      expect(peakRss - before).toBeLessThan(SLACK);
      const cut = { stored: MiB, truncated: true };
      expect(messages.slice(2)).toEqual([
        ...[1, 1, 256, 256].map((fragments) => ({ ...cut, size: SIZE, fragments })),
        ...[1, 1].map((fragments) => ({ ...cut, size: BOMB, fragments })),
      ]);
      expect(warnings).toEqual([]);
    } finally {
      client?.destroy();
      origin.close();
      child.stdin.end();
      await once(child, 'exit');
    }
  });
});

/** As frames of 1 MiB. */
function* inMany(frame: typeof fromServer, size: number): Generator<Buffer> {
  const payload = octets(MiB);
  const first = frame(BINARY, payload, { fin: false });
  const middle = frame(CONTINUATION, payload, { fin: false });
  const last = frame(CONTINUATION, payload);
  const count = size / MiB;
  for (let i = 0; i < count; i++) yield i === 0 ? first : i === count - 1 ? last : middle;
}

/** As one frame. */
function* inOne(frame: typeof fromServer, size: number): Generator<Buffer> {
  const part = frame(BINARY, octets(MiB));
  const header = Buffer.from(part.subarray(0, part.length - MiB));
  header.writeBigUInt64BE(BigInt(size), 2);
  yield header;
  // The key's phase is the same in each: they are multiples of four octets.
  for (let i = 0; i < size / MiB; i++) yield part.subarray(part.length - MiB);
}

async function transfer(from: RawPeer, to: RawPeer, parts: Iterable<Buffer>): Promise<void> {
  for (const part of parts) {
    const arrived = to.read(part.length);
    await from.send(part);
    expect((await arrived).equals(part)).toBe(true);
  }
}
