import type { Socket } from 'node:net';
import { queueMicrotask } from '../clock.js';
import { Backlog, type Written } from '../stream/body.js';
import { LastWords } from './last-words.js';
import { giveUpLater } from './linger.js';
import type { ReadBuffers } from './read-buffers.js';
import { countRead } from './read-garbage.js';
import { corkForThisTurn, WriteBatch } from './write-batch.js';

/** What a transport tells its owner. */
export interface TransportEvents {
  /** Octets, valid during the call unless lent. */
  data(bytes: Buffer): void;
  /** The peer has closed its side. */
  end(): void;
  /** Nothing more will come; `error` if it was not an orderly end. */
  close(error: Error | undefined): void;
  /** A write that returned false has drained. */
  drain(): void;
}

const NOOP = () => undefined;

/**
 * A connection, plain or TLS, with the few operations that codecs need. It keeps hold of the raw socket below TLS,
 * because only that one can be reset.
 */
export class Transport {
  readonly socket: Socket;
  #raw: Socket;
  #events: TransportEvents | undefined;
  #error: Error | undefined;
  #buffers: ReadBuffers | undefined;
  #closed = false;
  #lastWords: LastWords | undefined;
  readonly #batch: WriteBatch;
  readonly #backlog = new Backlog();
  /** What comes is of no interest any more, and must not end it otherwise. */
  #resetting = false;

  /** @param raw the TCP socket below `socket`, if that is a TLS one */
  constructor(socket: Socket, raw: Socket = socket, buffers?: ReadBuffers) {
    this.socket = socket;
    this.#raw = raw;
    this.#buffers = buffers;
    this.#batch = new WriteBatch(socket);
    socket.setNoDelay(true);
    if (buffers === undefined) socket.on('data', this.#onFreshData);
    else buffers.onRead = this.#onData;
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    if (raw !== socket) raw.on('error', this.#onError);
  }

  /** When a write fails, what the peer had sent before is still told. */
  hearLastWords(): void {
    this.#lastWords = new LastWords(this.socket);
  }

  /** Hands what happens from now on to `events`. */
  attach(events: TransportEvents): void {
    this.#events = events;
  }

  /** What is read is lent: the buffers of reads are used again. */
  get lends(): boolean {
    return this.#buffers !== undefined;
  }

  get closed(): boolean {
    return this.#closed || this.socket.destroyed;
  }

  write(data: Buffer | string, written: Written = NOOP): boolean {
    const lastWords = this.#lastWords;
    if (this.socket.destroyed || this.socket.writableEnded || lastWords?.error !== undefined) {
      queueMicrotask(() => written(lastWords?.error ?? new Error('the connection is closed')));
      return true;
    }
    const told: Written =
      lastWords === undefined || written === NOOP ? written : (error) => written(error ?? lastWords.error);
    return typeof data === 'string' ? this.socket.write(data, 'latin1', told) : this.socket.write(data, told);
  }

  /** Writes a whole, small message, at the end of this turn of the event loop. */
  writeMessage(data: Buffer | string, written: Written): void {
    corkForThisTurn(this.socket);
    this.write(data, written);
  }

  /** See `Wire.writePart`. */
  writePart(part: Buffer | string, written?: Written, more = false): boolean {
    const last = this.#batch.add(part.length, more);
    const room = this.write(part, written);
    if (last) this.#batch.leave();
    return this.#backlog.add(room, this.socket.writableLength);
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  pause(): void {
    this.#lastWords?.pause();
    this.socket.pause();
  }

  resume(): void {
    this.#lastWords?.resume();
    if (!this.socket.destroyed) this.socket.resume();
  }

  /** See `BodySource.lend`. */
  lend(): () => void {
    return this.#buffers?.lend() ?? NOOP;
  }

  /** Closes this side when everything has gone out. */
  end(): void {
    this.socket.end();
  }

  /** Closes both sides at once. */
  destroy(): void {
    this.#batch.leave();
    this.socket.destroy();
    if (this.#raw !== this.socket) this.#raw.destroy();
  }

  /** Closes with RST, so that the peer can't take it for the end of a message. */
  reset(): void {
    this.#batch.leave();
    // resetAndDestroy throws on a TLS socket; the raw one below it works.
    if (!this.#raw.destroyed) this.#raw.resetAndDestroy();
    this.socket.destroy();
  }

  /** Closes with RST once what was written has gone out, or the peer has not taken it for two seconds. */
  resetWhenWritten(): void {
    if (this.closed) return;
    this.#resetting = true;
    giveUpLater(this.socket, () => this.reset());
    this.write('', () => this.reset());
  }

  /**
   * Calls back if the peer has closed its side in an orderly way; otherwise 'close' follows, with an error. Where a reset
   * comes with the last octets libuv tells of an end of file, and only the next system call of the reset.
   */
  confirmEnd(orderly: () => void): void {
    const { socket } = this;
    const raw = this.#raw;
    if (this.closed || raw.destroyed || socket.writableEnded || socket.writableLength > 0) {
      orderly();
      return;
    }
    const told: Written = (error) => {
      if (!error) orderly();
    };
    // TLS keeps the error of an empty write to itself.
    if (raw === socket) this.write('', told);
    else raw.write('', told);
  }

  /** Gives the connection up: nothing is told any more. */
  detach(): { socket: Socket; buffers?: ReadBuffers } {
    this.#events = undefined;
    this.#batch.leave();
    this.socket.pause();
    this.socket.off('data', this.#onFreshData);
    this.socket.off('end', this.#onEnd);
    this.socket.off('drain', this.#onDrain);
    this.socket.off('close', this.#onClose);
    // Its error handler stays: until the new owner listens, an error would be an uncaught one.
    return this.#buffers === undefined
      ? { socket: this.socket }
      : { socket: this.socket, buffers: this.#buffers };
  }

  readonly #onFreshData = (bytes: Buffer) => {
    countRead(bytes.length);
    this.#onData(bytes);
  };
  readonly #onData = (bytes: Buffer) => {
    this.#lastWords?.heard();
    if (!this.#resetting) this.#events?.data(bytes);
  };
  readonly #onEnd = () => {
    // Behind a reset there is an end of file that is none.
    if (this.#lastWords?.error === undefined && !this.#resetting) this.#events?.end();
  };
  readonly #onDrain = () => this.#events?.drain();
  readonly #onError = (error: Error) => {
    this.#error ??= error;
  };
  readonly #onClose = () => {
    this.#closed = true;
    this.#events?.close(this.#error);
  };
}
