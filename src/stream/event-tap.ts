import type { Transform } from 'node:stream';
import { messageOf } from '../errors.js';
import { contentDecoders } from '../flow/content.js';
import { EventStreamParser } from '../flow/event-stream.js';
import type { EventLog } from '../flow/events.js';
import { now } from '../flow/transfer.js';

/** Told what becomes of the events. */
export interface EventTapReceiver {
  /** There are more in the record than at the last call, or no more will be recorded. */
  changed(): void;
  /** Why no more can be read, before that is told. */
  unreadable(why: string): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * Records the events of an event stream while its octets pass by: those of plain octets during `write`. Encoded ones are
 * decoded on Node's thread pool, and `settled` tells when.
 */
export class EventTap {
  readonly #parser: EventStreamParser;
  #decoders: Transform[] | undefined;
  /** Nothing more is recorded. */
  #over = false;
  /** How many writes there were, and how many of them have been read to the end. */
  #writes = 0;
  #read = 0;
  /** What is to be called once so many writes have been read. */
  #waiting: { writes: number; then: () => void }[] = [];

  constructor(
    private readonly log: EventLog,
    contentEncoding: string | undefined,
    private readonly receiver: EventTapReceiver,
  ) {
    this.#parser = new EventStreamParser((event) => log.add(event, now()));
    const decoders = contentDecoders(contentEncoding);
    if (decoders === undefined) this.#fail(`Content-Encoding ${contentEncoding} is not known`);
    else if (decoders.length > 0) this.#connect(decoders);
  }

  /** Events can be recorded later than in `write`. */
  get slow(): boolean {
    return this.#decoders !== undefined;
  }

  /** @param bytes valid during the call only */
  write(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#decoders === undefined) {
      this.#parse(bytes);
      return;
    }
    this.#writes++;
    this.#pass(0, Buffer.from(bytes), () => this.#written());
  }

  /** Calls `then` once the events of everything that was written are in the record: at once, if they are. */
  settled(then: () => void): void {
    if (this.#read === this.#writes) then();
    else this.#waiting.push({ writes: this.#writes, then });
  }

  /** The body is over. Returns a promise only if something is still to be decoded. */
  finish(): Promise<void> | undefined {
    if (this.#read === this.#writes) {
      this.destroy();
      return undefined;
    }
    return new Promise((resolve) => {
      this.settled(() => {
        this.destroy();
        resolve();
      });
    });
  }

  /** The body will not be completed, or is: nothing waits any more. */
  destroy(): void {
    this.#over = true;
    for (const decoder of this.#decoders ?? []) decoder.destroy();
  }

  #connect(decoders: Transform[]): void {
    this.#decoders = decoders;
    for (const [i, decoder] of decoders.entries()) {
      decoder.on('error', (error) => this.#fail(messageOf(error)));
      const next = decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const last = decoders.at(-1);
    last?.on('data', (content: Buffer) => {
      if (!this.#over) this.#parse(content);
    });
    // Content can end before the octets do.
    last?.on('end', () => this.#stop());
  }

  /** Leads octets through the decoders from that one on, and calls back when all that comes of them has been parsed. */
  #pass(stage: number, bytes: Buffer, done: () => void): void {
    const decoder = this.#decoders?.[stage];
    if (decoder === undefined) {
      done();
      return;
    }
    // What fed it has come to the end of its content: the end of all of it lets go what waits.
    if (decoder.writableEnded) return;
    decoder.write(bytes, () => {
      if (this.#over) return;
      // What it still holds is handed on now.
      while (decoder.read() !== null);
      this.#pass(stage + 1, EMPTY, done);
    });
  }

  #written(): void {
    this.#read++;
    this.#serve();
  }

  #serve(): void {
    while (this.#waiting[0] !== undefined && (this.#over || this.#waiting[0].writes <= this.#read)) {
      this.#waiting.shift()?.then();
    }
  }

  #parse(content: Buffer): void {
    const { log } = this;
    const before = log.events.length;
    if (!this.#parser.write(content)) log.truncated = true;
    if (log.truncated || log.events.length > before) this.receiver.changed();
    if (log.truncated) this.#stop();
  }

  #fail(why: string): void {
    if (this.#over) return;
    this.log.truncated = true;
    this.receiver.unreadable(why);
    this.receiver.changed();
    this.#stop();
  }

  /** What is held back goes on without its events. */
  #stop(): void {
    this.#over = true;
    for (const decoder of this.#decoders ?? []) decoder.destroy();
    this.#read = this.#writes;
    this.#serve();
  }
}
