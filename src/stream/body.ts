/**
 * The two ends of a body's way through the proxy. Protocols implement them; nothing here knows any.
 * @module
 */
import type { Headers } from '../flow/headers.js';

/** What the receiving side tells of a body, in this order: (chunk? data* wire*)* end. */
export interface BodyEvents {
  /** A chunk begins. `line` is its size and extensions as they came, without CRLF; valid during the call. */
  chunk(size: number, line: Buffer): void;
  /** Body octets, `bytes[start, end)`, without framing; valid during the call. */
  data(bytes: Buffer, start: number, end: number): void;
  /**
   * The octets that carried what was told since the last call, framing included: for a receiver that passes them on
   * as they are. The last chunk and the trailers are never among them.
   */
  wire(bytes: Buffer, start: number, end: number): void;
  /** The body is over. `lastLine` is the line of the last chunk as it came. */
  end(lastLine: string | undefined, trailers: Headers | undefined): void;
}

/** How a body ended. */
export interface BodyEnd {
  lastLine: string | undefined;
  trailers: Headers | undefined;
}

/** The side a body comes from. */
export interface BodySource {
  /** Stops after the event being told. */
  pause(): void;
  resume(): void;
  /**
   * Keeps the octets of the event being told valid until the function it returns is called. If that never happens they
   * stay valid for good.
   */
  lend(): () => void;
}

/** Octets of a body that wait for its receiver before more are asked for. With a few, its sender stops at every read. */
const WINDOW = 1024 * 1024;
/** Parts that wait: one of a few octets takes up many times as much. */
const PARTS = 1024;

/** Says when so much waits for a body's receiver that its sender has to stop. */
export class Backlog {
  #parts = 0;
  #octets = 0;

  /** @param window octets that may wait */
  constructor(private readonly window = WINDOW) {}

  /**
   * Counts a part that was written. Returns whether there is room for more; if not, 'drain' follows.
   * @param room what `write()` of the receiver's stream returned
   * @param octets that wait in it
   */
  add(room: boolean, octets: number): boolean {
    // Fewer than before: what waited has left since.
    this.#parts = octets <= this.#octets ? 1 : this.#parts + 1;
    this.#octets = octets;
    return room || (octets < this.window && this.#parts < PARTS);
  }
}

/** Told when what was written has gone to the system, or why it will not. */
export type Written = (error?: Error | null) => void;

/** The side a body goes to. It does the framing. */
export interface BodyOutlet {
  /** Told when a write that returned false has drained. */
  onDrain: (() => void) | undefined;
  /** Writes octets that carry their framing already. Returns false when full. */
  raw(bytes: Buffer, written: Written): boolean;
  /** Writes body octets in a frame of their own, where the framing has such. Returns false when full. */
  piece(bytes: Buffer, written: Written): boolean;
  /** Ends the body. `lastLine` is the last chunk's line to use, where there is one. */
  end(lastLine: string | undefined, trailers: Headers | undefined, written: Written): void;
}
