import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'expect';
import { RawPeer } from '../testing/raw-peer.js';
import { relay } from './relay.js';

/** A connection: the end a relay gets, and its peer. */
async function connection(server: net.Server): Promise<{ near: net.Socket; peer: RawPeer }> {
  const accepted = once(server, 'connection');
  const { port } = server.address() as net.AddressInfo;
  const near = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [far] = (await accepted) as [net.Socket];
  if (near.connecting) await once(near, 'connect');
  near.pause();
  return { near, peer: new RawPeer('peer', far) };
}

async function withPair(
  play: (a: { near: net.Socket; peer: RawPeer }, b: { near: net.Socket; peer: RawPeer }) => Promise<void>,
): Promise<void> {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const a = await connection(server);
  const b = await connection(server);
  try {
    await play(a, b);
  } finally {
    for (const { near, peer } of [a, b]) {
      near.destroy();
      peer.destroy();
    }
    server.close();
  }
}

const NOTHING = Buffer.alloc(0);

describe('a raw relay', () => {
  it('passes what was read before, and an end in one direction leaves the other open', () =>
    withPair(async (a, b) => {
      relay({ socket: a.near, rest: Buffer.from('early ') }, { socket: b.near, rest: NOTHING });
      await a.peer.send('and late');
      a.peer.end();
      expect((await b.peer.rest()).toString()).toBe('early and late');
      await b.peer.send('answer');
      b.peer.end();
      expect((await a.peer.rest()).toString()).toBe('answer');
      expect([a.peer.ended, b.peer.ended]).toEqual(['fin', 'fin']);
    }));

  it('delivers what waits for a slow reader after both sides have ended', () =>
    withPair(async (a, b) => {
      a.peer.pause();
      let filled = 0;
      const chunk = Buffer.alloc(4096, 'x');
      // Until the kernel takes no more of it: what follows waits in this process.
      while (a.near.writableLength === 0) {
        a.near.write(chunk);
        filled += chunk.length;
        await setImmediate();
      }
      a.peer.end();
      await b.peer.send('the tail');
      b.peer.end();
      relay({ socket: a.near, rest: NOTHING }, { socket: b.near, rest: NOTHING });
      expect(await b.peer.ending).toBe('fin');
      await once(b.near, 'close');
      a.peer.resume();
      expect((await a.peer.rest()).subarray(filled).toString()).toBe('the tail');
      expect(a.peer.ended).toBe('fin');
    }));

  it('passes on a reset', () =>
    withPair(async (a, b) => {
      relay({ socket: a.near, rest: NOTHING }, { socket: b.near, rest: NOTHING });
      a.peer.reset();
      expect(await b.peer.ending).toBe('rst');
    }));

  it('passes on a loss that happened before it began', () =>
    withPair(async (a, b) => {
      a.near.destroy();
      relay({ socket: a.near, rest: NOTHING }, { socket: b.near, rest: NOTHING });
      expect(await b.peer.ending).toBe('rst');
    }));
});
