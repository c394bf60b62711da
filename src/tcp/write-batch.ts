import type { Socket } from 'node:net';

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
  if (corked.push(socket) === 1) setImmediate(uncorkAll);
}

function uncorkAll(): void {
  const sockets = corked;
  corked = [];
  for (const socket of sockets) socket.uncork();
}
