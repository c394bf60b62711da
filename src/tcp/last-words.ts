import type { Socket } from 'node:net';
import { setImmediate } from '../clock.js';

type Callback = (error?: Error | null) => void;

/** Turns of the event loop without a read after which nothing more is coming: a reset is the last thing a peer sends. */
const QUIET_TURNS = 3;

/**
 * Lets what a peer said last be read when a write to it fails. A server that refuses an upload answers and closes; its
 * reset meets the next write before the answer is read (RFC 9112 section 9.6), and Node would drop the connection at the
 * failed write, with everything unread.
 */
export class LastWords {
  /** Why writing failed. From then on what is written goes nowhere. */
  error: Error | undefined;
  #reads = 0;
  #paused = false;
  #onResume: (() => void) | undefined;
  /** A stream has one callback for all its writes: it is wrapped once. */
  #wrapped: { callback: Callback; forgiving: Callback } | undefined;

  constructor(private readonly socket: Socket) {
    const write = socket._write.bind(socket);
    const writev = socket._writev?.bind(socket);
    socket._write = (chunk, encoding, callback) => write(chunk, encoding, this.#forgiving(callback));
    if (writev !== undefined) {
      socket._writev = (chunks, callback) => writev(chunks, this.#forgiving(callback));
    }
  }

  /** Something was read. */
  heard(): void {
    this.#reads++;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const next = this.#onResume;
    this.#onResume = undefined;
    next?.();
  }

  #forgiving(callback: Callback): Callback {
    if (this.#wrapped?.callback !== callback) {
      this.#wrapped = { callback, forgiving: this.#wrap(callback) };
    }
    return this.#wrapped.forgiving;
  }

  #wrap(callback: Callback): Callback {
    return (error) => {
      if (!isLoss(error)) {
        callback(error);
        return;
      }
      if (this.error === undefined) {
        this.error = error;
        this.#listen();
      }
      callback();
    };
  }

  /** Waits until everything has been read, then lets the connection go. */
  #listen(): void {
    let heard = this.#reads;
    let quiet = 0;
    const turn = () => {
      if (this.socket.destroyed) return;
      if (this.#paused) {
        quiet = 0;
        this.#onResume = turn;
        return;
      }
      quiet = this.#reads === heard ? quiet + 1 : 0;
      heard = this.#reads;
      if (quiet > QUIET_TURNS) this.socket.destroy(this.error);
      else setImmediate(turn);
    };
    turn();
  }
}

function isLoss(error: Error | null | undefined): error is Error {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'EPIPE' || code === 'ECONNRESET';
}
