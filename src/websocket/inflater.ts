import { createInflateRaw, type InflateRaw } from 'node:zlib';
import type { DeflateSide } from './extensions.js';

/** What a compressed message lacks at its end (RFC 7692 section 7.2.2). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
/** Compressed octets that may wait; beyond, whoever feeds it should pause. */
const HIGH_WATER = 256 * 1024;

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
 * Decompresses the messages of one direction one after another, with the context they share. What is written while a
 * message is ending waits for it, so that output is always told of the right one.
 */
export class Inflater {
  #stream: InflateRaw | undefined;
  #backlog = 0;
  #ending = false;
  #full = false;
  #closed = false;
  /** What the stream was given and has not taken in full, in order. */
  readonly #given: Buffer[] = [];
  /** Octets of the stream before the first of these. */
  #taken = 0;
  readonly #waiting: (Buffer | 'end')[] = [];

  constructor(
    private readonly side: DeflateSide,
    private readonly events: InflaterEvents,
  ) {}

  /** @returns whether more may come at once. The octets must stay as they are. */
  write(bytes: Buffer): boolean {
    this.#backlog += bytes.length;
    if (this.#backlog > HIGH_WATER) this.#full = true;
    if (this.#ending) this.#waiting.push(bytes);
    else this.#feed(bytes);
    return !this.#full;
  }

  /** The message that was being written has come to its end. */
  end(): void {
    if (this.#ending) this.#waiting.push('end');
    else this.#finish();
  }

  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#stream?.close();
  }

  #feed(bytes: Buffer): void {
    if (this.#closed) return;
    const stream = this.#open();
    this.#given.push(bytes);
    stream.write(bytes, () => {
      // Not if the write was given up with its stream.
      if (stream !== this.#stream || this.#closed) return;
      this.#given.shift();
      this.#taken += bytes.length;
      if (bytes === TAIL) this.#ended();
      else this.#consumed(bytes.length);
    });
  }

  #finish(): void {
    this.#ending = true;
    this.#feed(TAIL);
  }

  #ended(): void {
    this.#ending = false;
    if (this.side.noContextTakeover) this.#stream?.reset();
    this.events.messageEnd();
    while (this.#waiting.length > 0 && !this.#ending) {
      const next = this.#waiting.shift();
      if (next === 'end') this.#finish();
      else if (next !== undefined) this.#feed(next);
    }
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
    if (this.#closed) return;
    const left = this.#given.splice(0);
    const used = stream.bytesWritten - this.#taken;
    this.#stream = undefined;
    this.#taken = 0;
    stream.close();
    for (const [i, bytes] of left.entries()) {
      if (i > 0) {
        this.#feed(bytes);
      } else if (bytes === TAIL) {
        this.#ended();
      } else {
        this.#feed(bytes.subarray(used));
        this.#consumed(used);
      }
    }
  }
}
