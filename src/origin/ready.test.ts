import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { IdleWatch } from '../tcp/idle-watch.js';
import { RawOrigin, type RawPeer } from '../testing/raw-peer.js';
import { connectTcp, type Dialled } from './connect.js';
import { ReadyConnections } from './ready.js';

interface Stage {
  ready: ReadyConnections;
  /** A connection, and its other end. */
  connect(): Promise<{ dialled: Dialled; peer: RawPeer }>;
}

async function withReady(play: (stage: Stage) => Promise<void>): Promise<void> {
  const origin = await RawOrigin.listen();
  const watch = new IdleWatch();
  const sockets: Socket[] = [];
  const connect = async () => {
    const onSocket = (socket: Socket) => void sockets.push(socket);
    const target = { host: '127.0.0.1', port: origin.port, timeout: 5000, onSocket, plainReads: false };
    return { dialled: await connectTcp(target), peer: await origin.accept() };
  };
  try {
    await play({ ready: new ReadyConnections(watch), connect });
  } finally {
    for (const socket of sockets) socket.destroy();
    watch.close();
    origin.close();
  }
}

describe('ready connections', () => {
  it('are given once, by what they lead to, in order', () =>
    withReady(async ({ ready, connect }) => {
      const [first, second] = [await connect(), await connect()];
      ready.add('a', first.dialled, 60_000);
      ready.add('a', second.dialled, 60_000);
      expect([ready.has('a'), ready.has('b'), ready.take('b', true)]).toEqual([true, false, undefined]);
      expect(ready.take('a', false)?.socket).toBe(first.dialled.socket);
      expect(ready.take('a', true)?.socket).toBe(second.dialled.socket);
      expect([ready.has('a'), ready.take('a', true)]).toEqual([false, undefined]);
    }));

  it('on which something was said are for raw tunnels, with what was said', () =>
    withReady(async ({ ready, connect }) => {
      const [first, second] = [await connect(), await connect()];
      for (const { dialled, peer } of [first, second]) {
        ready.add('a', dialled, 60_000);
        const paused = once(dialled.socket, 'pause');
        await peer.send('220 ready');
        await paused;
      }
      expect(ready.take('a', true)?.rest?.toString()).toBe('220 ready');
      // Whoever wanted to speak first can't use the other one: it is closed.
      expect(ready.take('a', false)).toBeUndefined();
      await second.peer.ending;
      expect(ready.has('a')).toBe(false);
    }));

  it('that are closed or lost are not given', () =>
    withReady(async ({ ready, connect }) => {
      for (const how of ['end', 'reset'] as const) {
        const { dialled, peer } = await connect();
        ready.add('a', dialled, 60_000);
        const closed = new Promise((resolve) => dialled.socket.once('close', resolve));
        peer[how]();
        await closed;
        expect(ready.take('a', true)).toBeUndefined();
      }
    }));

  it('are closed when they are not needed, or after a while, but not once they are in use', () =>
    withReady(async ({ ready, connect }) => {
      const [unneeded, forgotten, used] = [await connect(), await connect(), await connect()];
      ready.add('a', unneeded.dialled, 60_000).close();
      await unneeded.peer.ending;
      ready.add('b', forgotten.dialled, 1);
      await forgotten.peer.ending;
      expect([ready.has('a'), ready.has('b')]).toEqual([false, false]);
      const handle = ready.add('c', used.dialled, 60_000);
      const taken = ready.take('c', false);
      handle.close();
      expect(taken?.socket.destroyed).toBe(false);
    }));
});
