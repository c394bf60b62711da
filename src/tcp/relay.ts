import type { Socket } from 'node:net';
import type { ReadBuffers } from './read-buffers.js';
import { countRead } from './read-garbage.js';

/** One end of a raw tunnel. */
export interface RelayEnd {
  socket: Socket;
  /** The TCP socket below `socket`, if that is a TLS one: only that one can be reset. */
  raw?: Socket;
  /** Octets already read from it. */
  rest: Buffer;
  /** What it reads into; without it the socket has 'data' events. */
  buffers?: ReadBuffers;
}

/** Octets that went through a relay. */
export interface Passed {
  up: number;
  down: number;
}

/**
 * Joins two connections as they are: octets in both directions, an orderly end passed on as one, a loss as a loss.
 * Nothing is recorded.
 * @param passed is told of the octets that come from `a` (`up`) and from `b` (`down`)
 */
export function relay(a: RelayEnd, b: RelayEnd, passed?: Passed): void {
  join(a, b, (octets) => {
    if (passed !== undefined) passed.up += octets;
  });
  join(b, a, (octets) => {
    if (passed !== undefined) passed.down += octets;
  });
}

function join(from: RelayEnd, to: RelayEnd, count: (octets: number) => void): void {
  // Nobody may have listened for a while: what was lost in the meantime is lost on the other side too.
  if (from.socket.destroyed) {
    lose(to);
    return;
  }
  count(from.rest.length);
  if (from.rest.length > 0) to.socket.write(from.rest);
  const { buffers } = from;
  if (buffers === undefined) {
    from.socket
      .on('data', (bytes: Buffer) => {
        countRead(bytes.length);
        count(bytes.length);
      })
      .pipe(to.socket);
  } else {
    buffers.onRead = (bytes) => {
      count(bytes.length);
      if (!to.socket.write(bytes, buffers.lend())) from.socket.pause();
    };
    to.socket.on('drain', () => from.socket.resume());
    if (from.socket.readableEnded) to.socket.end();
    else from.socket.on('end', () => to.socket.end());
  }
  from.socket.on('error', () => lose(to));
  from.socket.on('close', () => {
    // After an orderly end there may be octets that are still on their way out.
    if (!from.socket.readableEnded) lose(to);
  });
  from.socket.resume();
}

/** Ends a connection in a way that its peer does not take for an orderly end. */
export function lose({ socket, raw = socket }: Pick<RelayEnd, 'socket' | 'raw'>): void {
  // A TLS socket can't be reset; where that below it is not known, closing without close_notify tells the peer the same.
  if (!('encrypted' in raw) && !raw.destroyed) raw.resetAndDestroy();
  socket.destroy();
}
