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

/** Octets that make a batch. */
const BATCH = 256 * 1024;
/** What one record of TLS carries, at most (RFC 8446 section 5.1). A smaller read is the last for now. */
const RECORD = 16 * 1024;

/**
 * Parts of a body that were read one by one and leave in one write. TLS gives out what it read a record at a time, and
 * a client's socket 64 KiB at a time: written like that, each costs a system call.
 */
export class WriteBatch {
  #open = false;
  #octets = 0;
  #scheduled = false;

  constructor(private readonly socket: Socket) {}

  /**
   * Counts a part that is about to be written. Returns whether the batch leaves with it.
   * @param more others are likely to follow, however small this one is
   */
  add(octets: number, more: boolean): boolean {
    if (!this.#open) {
      if ((octets < RECORD && !more) || octets >= BATCH) return false;
      this.#open = true;
      this.#octets = 0;
      this.socket.cork();
      if (!this.#scheduled) {
        this.#scheduled = true;
        setImmediate(this.#turnEnds);
      }
    }
    this.#octets += octets;
    return this.#octets >= BATCH;
  }

  leave(): void {
    if (!this.#open) return;
    this.#open = false;
    this.socket.uncork();
  }

  readonly #turnEnds = () => {
    this.#scheduled = false;
    this.leave();
  };
}
