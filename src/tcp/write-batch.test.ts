import { once } from 'node:events';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import { expect } from 'expect';
import { Transport } from './transport.js';

const RECORD = 16 * 1024;
const servers: net.Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** A transport, and the other end of its connection. */
async function connected(): Promise<{ transport: Transport; peer: net.Socket }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  await once(socket, 'connect');
  const transport = new Transport(socket);
  transport.attach({ data() {}, end() {}, close() {}, drain() {} });
  return { transport, peer };
}

async function received(peer: net.Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of peer) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

const part = (fill: string, size = RECORD) => Buffer.alloc(size, fill);
const NOOP = () => undefined;

describe('parts of a body', () => {
  it('wait for the end of the turn when they are as large as a TLS record', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    let told = 0;
    for (const fill of 'abc') transport.writePart(part(fill), () => told++);
    expect(transport.socket.writableLength).toBe(3 * RECORD);
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.socket.writableCorked).toBe(0);
    transport.end();
    expect(await whole).toEqual(Buffer.concat([part('a'), part('b'), part('c')]));
    expect(told).toBe(3);
  });

  it('leave at once when small, and take what waits with them in order', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    transport.writePart(part('a', 100), NOOP);
    expect(transport.socket.writableCorked).toBe(0);
    transport.writePart(part('b'), NOOP);
    transport.writePart(part('c', 100), NOOP);
    transport.write('0\r\n\r\n');
    await new Promise((resolve) => setImmediate(resolve));
    transport.end();
    const expected = [part('a', 100), part('b'), part('c', 100), Buffer.from('0\r\n\r\n')];
    expect(await whole).toEqual(Buffer.concat(expected));
  });

  it('wait however small they are when others are likely to follow', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    for (const fill of 'abc') transport.writePart(part(fill, 10), NOOP, true);
    expect(transport.socket.writableLength).toBe(30);
    await new Promise((resolve) => setImmediate(resolve));
    transport.end();
    expect(String(await whole)).toBe('aaaaaaaaaabbbbbbbbbbcccccccccc');
  });

  it('leave with what frames them', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    transport.writePart('3\r\n', undefined, true);
    transport.writePart(part('a', 3), NOOP, true);
    transport.writePart('\r\n', undefined, true);
    expect(transport.socket.writableLength).toBe(8);
    await new Promise((resolve) => setImmediate(resolve));
    transport.end();
    expect(String(await whole)).toBe('3\r\naaa\r\n');
  });

  it('leave though the first has no octets', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    transport.writePart('', NOOP, true);
    transport.writePart(part('a', 10), NOOP, true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.socket.writableCorked).toBe(0);
    transport.end();
    expect(String(await whole)).toBe('aaaaaaaaaa');
  });

  it('leave when there are enough of them, and again at the end of the turn', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    for (let i = 0; i < 16; i++) transport.writePart(part('a'), NOOP);
    expect(transport.socket.writableCorked).toBe(0);
    transport.writePart(part('b'), NOOP);
    expect(transport.socket.writableCorked).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.socket.writableCorked).toBe(0);
    transport.end();
    expect((await whole).length).toBe(17 * RECORD);
  });

  it('that were taken reach the peer of a connection that is destroyed in the same turn', async () => {
    const { transport, peer } = await connected();
    const whole = received(peer);
    transport.writePart(part('a'), NOOP);
    transport.destroy();
    expect(await whole).toEqual(part('a'));
  });

  it('that were taken have left when the connection is reset, or given up', async () => {
    for (const leave of ['reset', 'detach'] as const) {
      const { transport, peer } = await connected();
      peer.on('error', NOOP).resume();
      transport.writePart(part('a'), NOOP);
      transport[leave]();
      expect(transport.socket.writableLength).toBe(0);
      transport.socket.destroy();
    }
  });

  it('are too many when a thousand wait, however small', async () => {
    const { transport, peer } = await connected();
    peer.resume();
    const { writableHighWaterMark } = transport.socket;
    let parts = 0;
    while (transport.writePart(part('a', 1), NOOP, true)) parts++;
    expect(parts).toBeLessThan(writableHighWaterMark + 1024);
    // All of them leave, and then there is room again.
    await once(transport.socket, 'drain');
    expect(transport.writePart(part('a', 1), NOOP, true)).toBe(true);
    transport.destroy();
  });

  it('are never too many for a peer that takes them', async () => {
    const { transport, peer } = await connected();
    peer.resume();
    for (let batch = 0; batch < 100; batch++) {
      const room = Array.from({ length: 20 }, () => transport.writePart(part('a'), NOOP));
      expect(room).not.toContain(false);
      while (transport.socket.writableLength > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    transport.destroy();
  });

  it('are too many when a MiB waits for the peer', async () => {
    const { transport, peer } = await connected();
    peer.pause();
    let octets = 0;
    while (transport.writePart(part('a'), NOOP)) octets += RECORD;
    expect(octets).toBeGreaterThanOrEqual(1024 * 1024 - RECORD);
    // What the system took for the peer does not count.
    expect(transport.socket.writableLength).toBe(1024 * 1024);
    transport.destroy();
    peer.destroy();
  });
});
