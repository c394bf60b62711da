import { connect, type Socket } from 'node:net';
import { RawPeer } from '../../testing/raw-peer.js';
import type { Stage } from '../../testing/with-proxy.js';

/**
 * A client that can tell a reset from an orderly end also where it comes together with octets. libuv takes a hang-up for
 * the end of file once a read has not filled its buffer; one of a single octet is always filled, so that the next read
 * gives the error. Slow: for small bodies.
 */
export function exactClient({ proxy }: Stage): Promise<RawPeer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({
      port: proxy.port,
      host: '127.0.0.1',
      allowHalfOpen: true,
      onread: {
        buffer: Buffer.alloc(1),
        callback: (size, buffer) => socket.emit('data', Buffer.from(buffer.subarray(0, size))),
      },
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new RawPeer('exact client', socket));
    });
  });
}
