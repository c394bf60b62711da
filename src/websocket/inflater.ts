import { createInflateRaw, type InflateRaw } from 'node:zlib';
import { queueMicrotask } from '../clock.js';
import type { DeflateSide } from './extensions.js';
import { Fifo } from './fifo.js';

/** What a compressed message lacks at its end (RFC 7692 section 7.2.2). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
/** Compressed octets that may wait; beyond, whoever feeds it should pause. */
const HIGH_WATER = 256 * 1024;
/** Octets up to which parts of a message are joined before zlib is given them. */
const BATCH = 64 * 1024;

export interface InflaterEvents {
  /** Octets of the message that was begun first of those not ended. */
  output(bytes: Buffer): void;
  /** That message has come to its end. */
  messageEnd(): void;
  /** It can't be decompressed, and neither can what follows. */
  broken(why: string): void;
  /** Less is waiting now. */
  drain(): void;
}

/**
 * Decompresses the messages of one direction one after another, with the context they share. zlib is given one message at
 * a time, so that output is always told of the right one.
 */
export class Inflater {
  #stream: InflateRaw | undefined;
  #backlog = 0;
  #full = false;
  #closed = false;
  #scheduled = false;
  /** What the stream was given and has not taken in full. */
  #given: Buffer | undefined;
  /** A message's end is the last of it. */
  #ending = false;
  /** Octets that the stream had taken before it. */
  #taken = 0;
  readonly #waiting = new Fifo<Buffer>();

  constructor(
    private readonly side: DeflateSide,
    private readonly events: InflaterEvents,
  ) {}

  /** @returns whether more may come at once. The octets must stay as they are. */
  write(bytes: Buffer): boolean {
    this.#backlog += bytes.length;
    if (this.#backlog > HIGH_WATER) this.#full = true;
    if (bytes.length > 0 && !this.#closed) this.#waiting.push(bytes);
    this.#schedule();
    return !this.#full;
  }

  /** The message that was being written has come to its end. @returns as {@link write} */
  end(): boolean {
    return this.write(TAIL);
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#stream?.close();
  }

  /** Small parts are worth waiting for: each write is a way to another thread and back. */
  #schedule(): void {
    if (this.#scheduled || this.#given !== undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#proceed();
    });
  }

  /** Gives the stream what waits of one message. */
  #proceed(): void {
    if (this.#closed || this.#given !== undefined) return;
    const parts: Buffer[] = [];
    let octets = 0;
    let part: Buffer | undefined;
    while (part !== TAIL && octets < BATCH) {
      part = this.#waiting.shift();
      if (part === undefined) break;
      parts.push(part);
      octets += part.length;
    }
    const [first] = parts;
    if (first === undefined) return;
    this.#ending = part === TAIL;
    this.#feed(parts.length === 1 ? first : Buffer.concat(parts));
  }

  #feed(bytes: Buffer): void {
    const stream = this.#open();
    this.#given = bytes;
    this.#taken = stream.bytesWritten;
    stream.write(bytes, () => {
      // Not if the write was given up with its stream.
      if (stream === this.#stream && !this.#closed) this.#done(bytes.length);
    });
  }

  /** The stream has taken what it was given. */
  #done(octets: number): void {
    this.#given = undefined;
    this.#consumed(octets);
    if (this.#ending) {
      if (this.side.noContextTakeover) this.#stream?.reset();
      this.events.messageEnd();
    }
    this.#proceed();
  }

  #consumed(octets: number): void {
    this.#backlog -= octets;
    if (!this.#full || this.#backlog > HIGH_WATER / 2) return;
    this.#full = false;
    this.events.drain();
  }

  #open(): InflateRaw {
    if (this.#stream !== undefined) return this.#stream;
    const stream = createInflateRaw({ windowBits: this.side.windowBits, chunkSize: 64 * 1024 });
    this.#stream = stream;
    stream.on('data', (bytes: Buffer) => this.events.output(bytes));
    stream.on('end', () => this.#startAgain(stream));
    stream.on('error', (error) => {
      this.close();
      this.events.broken(error.message);
    });
    return stream;
  }

  /**
   * Behind a final block zlib takes nothing, and does not call back for what it left. Other blocks may follow in the same
   * message (RFC 7692 section 7.2.1), or just its end.
   */
  #startAgain(stream: InflateRaw): void {
    const given = this.#given;
    if (this.#closed || given === undefined) return;
    const left = given.subarray(stream.bytesWritten - this.#taken);
    this.#stream = undefined;
    stream.close();
    if (this.#ending && left.length <= TAIL.length) {
      this.#done(given.length);
      return;
    }
    this.#consumed(given.length - left.length);
    this.#feed(left);
  }
}
