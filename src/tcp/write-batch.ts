import type { Socket } from 'node:net';
import { nextTick, setImmediate } from '../clock.js';

/** Sockets that leave together at the most. With more, peers run out of work while a turn goes on. */
const BURST = 8;

/** Sockets that are corked until the end of this turn of the event loop. */
let corked: Socket[] = [];

/**
 * Holds back a socket's writes until everything that this turn of the event loop has read has been dealt with. Under
 * load, peers are then woken for a handful of messages at a time instead of for each: a write to a peer that sleeps
 * costs about twice one to a peer that is awake. Without load the turn ends at once.
 */
export function corkForThisTurn(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  const held = corked.push(socket);
  if (held === 1) setImmediate(uncorkAll);
  else if (held === BURST) nextTick(uncorkAll);
}

function uncorkAll(): void {
  const sockets = corked;
  corked = [];
  for (const socket of sockets) socket.uncork();
}
