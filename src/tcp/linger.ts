/**
 * Bounds the wait for the end of a connection or stream where that is up to its peer.
 * @module
 */
import type { EventEmitter } from 'node:events';
import { clearTimeout, setTimeout } from '../clock.js';

/**
 * How long a peer may take for the end, in milliseconds: to take what was written before a reset, to stop sending to a
 * connection that has been closed here, to close it itself, or to answer a close frame.
 */
export const LINGER = 2000;

/** Calls `giveUp` unless a socket or stream has emitted 'close' within {@link LINGER}. */
export function giveUpLater(closing: EventEmitter, giveUp: () => void): void {
  const timer = setTimeout(giveUp, LINGER);
  closing.once('close', () => clearTimeout(timer));
}
