import type { Socket } from 'node:net';
import type { ReadBuffers } from './read-buffers.js';

/** One end of a raw tunnel. */
export interface RelayEnd {
  socket: Socket;
  /** Octets already read from it. */
  rest: Buffer;
  /** What it reads into; without it the socket has 'data' events. */
  buffers?: ReadBuffers;
}

/**
 * Joins two connections as they are: octets in both directions, an orderly end passed on as one, a loss as a loss.
 * Nothing is recorded.
 */
export function relay(a: RelayEnd, b: RelayEnd): void {
  join(a, b);
  join(b, a);
}

function join(from: RelayEnd, to: RelayEnd): void {
  // Nobody may have listened for a while: what was lost in the meantime is lost on the other side too.
  if (from.socket.destroyed) {
    lose(to.socket);
    return;
  }
  if (from.rest.length > 0) to.socket.write(from.rest);
  const { buffers } = from;
  if (buffers === undefined) {
    from.socket.pipe(to.socket);
  } else {
    buffers.onRead = (bytes) => {
      if (!to.socket.write(bytes, buffers.lend())) from.socket.pause();
    };
    to.socket.on('drain', () => from.socket.resume());
    from.socket.on('end', () => to.socket.end());
  }
  from.socket.on('error', () => lose(to.socket));
  from.socket.on('close', () => {
    // After an orderly end there may be octets that are still on their way out.
    if (!from.socket.readableEnded) lose(to.socket);
  });
  from.socket.resume();
}

function lose(socket: Socket): void {
  // A TLS socket can't be reset; closing it without close_notify tells the peer the same.
  if ('encrypted' in socket || socket.destroyed) socket.destroy();
  else socket.resetAndDestroy();
}
