import type { Headers } from '../flow/headers.js';
import type { BodyEvents } from '../stream/body.js';
import {
  type Framing,
  LIMITS,
  ProtocolError,
  parseRequestHead,
  parseResponseHead,
  parseTrailers,
  type RequestHead,
  type ResponseHead,
} from './head.js';

/** What a parser tells, in this order: head, then the body's events. */
export interface ParserEvents<H> extends BodyEvents {
  head(head: H): void;
}

enum State {
  Head,
  Length,
  UntilClose,
  ChunkLine,
  ChunkData,
  ChunkEnd,
  Trailers,
  /** A message without a body: its end is still to be told. */
  End,
  /** A message is over and the next one has not been asked for. */
  Between,
  Failed,
}

const CR = 0x0d;
const LF = 0x0a;
const EMPTY = Buffer.alloc(0);
const SECTION_END = Buffer.from('\r\n\r\n');
/** RFC 9112 section 7.1.1. A quote left open could hide the line's end from another parser. */
const EXTENSIONS =
  /^(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~\w]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)+$/;

/**
 * Turns the octets of one direction of a connection into events. It does no I/O and holds no body: only an unfinished
 * head, chunk line or trailer section is kept between calls.
 *
 * After each message it stops until {@link next}; {@link pause} stops it anywhere. `execute` tells how far it came.
 */
abstract class Parser<H extends { framing: Framing }> {
  #state = State.Head;
  /** Its first `#held` octets are the beginning of a head, line or trailer section that is not complete. */
  #carry: Buffer = EMPTY;
  #held = 0;
  #left = 0;
  #paused = false;
  #chunked = false;
  #lastLine: string | undefined;

  constructor(protected readonly events: ParserEvents<H>) {}

  protected abstract parseHead(text: string): H;

  /** Between two messages, with nothing of the next one seen. */
  get idle(): boolean {
    return this.#state === State.Between || (this.#state === State.Head && this.#held === 0);
  }

  /** A body is being read that ends with the connection. */
  get untilClose(): boolean {
    return this.#state === State.UntilClose;
  }

  /** A head has begun but is not complete. */
  get midHead(): boolean {
    return this.#state === State.Head && this.#held > 0;
  }

  /** Stops after the event that is being told (and the `wire` of what was told so far). */
  pause(): void {
    this.#paused = true;
  }

  /** Call `execute` again afterwards, also with no octets left: an `end` may be due. */
  resume(): void {
    this.#paused = false;
  }

  /** Goes on to the next message. */
  next(): void {
    if (this.#state === State.Between) this.#state = State.Head;
  }

  /**
   * Reads `bytes` from `start`. Returns the offset of the first octet not consumed: `bytes.length`, or less when paused
   * or when a message is over.
   * @throws ProtocolError once; the parser is unusable afterwards
   */
  execute(bytes: Buffer, start = 0): number {
    let at = start;
    let wireFrom = at;
    try {
      while (!this.#paused && (at < bytes.length || this.#state === State.End)) {
        switch (this.#state) {
          case State.Head:
            at = wireFrom = this.#readHead(bytes, at);
            break;
          case State.Length:
          case State.UntilClose: {
            const to = this.#state === State.Length ? Math.min(bytes.length, at + this.#left) : bytes.length;
            this.#left -= to - at;
            this.events.data(bytes, at, to);
            at = to;
            if (this.#state === State.Length && this.#left === 0) this.#state = State.End;
            wireFrom = this.#flush(bytes, wireFrom, at);
            break;
          }
          case State.ChunkLine: {
            const lf = bytes.indexOf(LF, at);
            const end = lf === -1 ? bytes.length : lf + 1;
            if (this.#held > 0 || lf === -1) {
              wireFrom = this.#flush(bytes, wireFrom, at);
              this.#hold(bytes, at, end, LIMITS.chunkLine, 'a chunk line');
              at = wireFrom = end;
              if (lf === -1) break;
              const line = this.#take();
              // The line was split over reads, so it is not contiguous in `bytes`: it leaves on its own.
              if (this.#beginChunk(line, 0, line.length)) this.events.wire(line, 0, line.length);
            } else {
              if (end - at > LIMITS.chunkLine) throw tooLong('a chunk line', LIMITS.chunkLine);
              const last = !this.#beginChunk(bytes, at, end);
              if (last) wireFrom = this.#flush(bytes, wireFrom, at);
              at = end;
              if (last) wireFrom = at;
            }
            break;
          }
          case State.ChunkData: {
            const to = Math.min(bytes.length, at + this.#left);
            this.#left -= to - at;
            this.events.data(bytes, at, to);
            at = to;
            if (this.#left === 0) {
              this.#state = State.ChunkEnd;
              this.#left = 2;
            }
            break;
          }
          case State.ChunkEnd: {
            if (bytes[at] !== (this.#left === 2 ? CR : LF)) {
              throw new ProtocolError('a chunk is longer than its size says: no CRLF after its data');
            }
            at++;
            if (--this.#left === 0) this.#state = State.ChunkLine;
            break;
          }
          case State.Trailers:
            at = wireFrom = this.#readTrailers(bytes, at);
            break;
          case State.End:
            this.#end(undefined);
            break;
          case State.Between:
            return at;
          case State.Failed:
            throw new ProtocolError('the parser has failed before');
        }
      }
      if (this.#chunked) this.#flush(bytes, wireFrom, at);
      return at;
    } catch (error) {
      this.#state = State.Failed;
      // What came before the fault is passed on, as it would have been in a read of its own.
      if (this.#chunked && error instanceof ProtocolError) this.#flush(bytes, wireFrom, at);
      throw error;
    }
  }

  /**
   * The peer has closed its side. Tells the end of a close-delimited body, and one that was held back by a pause.
   * @returns whether that was a clean end: between messages, or of such a body
   */
  finish(): boolean {
    if (this.#state === State.UntilClose || this.#state === State.End) {
      this.#end(undefined);
      return true;
    }
    return this.idle;
  }

  /** Tells of octets that passed. Returns up to where. */
  #flush(bytes: Buffer, from: number, to: number): number {
    if (to > from) this.events.wire(bytes, from, to);
    return to;
  }

  #readHead(bytes: Buffer, at: number): number {
    const found = this.#section(bytes, at, LIMITS.head, 'a head');
    if (found === undefined) return bytes.length;
    // Empty lines before a start line are skipped (RFC 9112 section 2.2).
    if (found.text !== '') {
      const head = this.parseHead(found.text);
      this.#enterBody(head.framing);
      this.events.head(head);
    }
    return found.end;
  }

  #enterBody(framing: Framing): void {
    this.#chunked = framing.kind === 'chunked';
    switch (framing.kind) {
      case 'length':
        this.#left = framing.length;
        this.#state = State.Length;
        break;
      case 'chunked':
        this.#state = State.ChunkLine;
        break;
      case 'close':
        this.#state = State.UntilClose;
        break;
      case 'none':
        this.#state = State.End;
        break;
    }
  }

  /** Reads a chunk line that ends with LF at `end`. Returns false for the last chunk's. */
  #beginChunk(bytes: Buffer, start: number, end: number): boolean {
    if (bytes[end - 2] !== CR) throw new ProtocolError('a chunk line ended by a bare LF');
    let size = 0;
    let at = start;
    for (; at < end - 2; at++) {
      const digit = hexDigit(bytes[at] ?? 0);
      if (digit === -1) break;
      size = size * 16 + digit;
      if (size > Number.MAX_SAFE_INTEGER) throw new ProtocolError('a chunk size over 2^53', 413);
    }
    if (at === start) throw new ProtocolError(`bad chunk size ${quote(bytes, start, end)}`);
    if (at < end - 2) {
      const text = bytes.toString('latin1', at, end - 2);
      if (!EXTENSIONS.test(text)) {
        throw new ProtocolError(`bad chunk size or extension ${quote(bytes, start, end)}`);
      }
    }
    if (size === 0) {
      this.#lastLine = bytes.toString('latin1', start, end - 2);
      this.#state = State.Trailers;
      return false;
    }
    this.#left = size;
    this.#state = State.ChunkData;
    this.events.chunk(size, bytes.subarray(start, end - 2));
    return true;
  }

  #readTrailers(bytes: Buffer, at: number): number {
    const found = this.#section(bytes, at, LIMITS.trailers, 'a trailer section');
    if (found === undefined) return bytes.length;
    this.#end(found.text === '' ? undefined : parseTrailers(found.text));
    return found.end;
  }

  /** Finds the lines up to an empty one, over several calls if need be. The empty line is not in the text. */
  #section(
    bytes: Buffer,
    at: number,
    limit: number,
    what: string,
  ): { text: string; end: number } | undefined {
    if (this.#held === 0) {
      if (bytes[at] === CR && bytes[at + 1] === LF) return { text: '', end: at + 2 };
      const found = bytes.indexOf(SECTION_END, at);
      if (found !== -1) {
        const end = found + SECTION_END.length;
        if (end - at > limit) throw tooLong(what, limit);
        return { text: bytes.toString('latin1', at, end - 2), end };
      }
    }
    // It comes in pieces: put together line by line, which looks at no octet twice.
    let from = at;
    for (let lf = bytes.indexOf(LF, from); lf !== -1; lf = bytes.indexOf(LF, from)) {
      this.#hold(bytes, from, lf + 1, limit, what);
      from = lf + 1;
      // By the strict terminator it might never end: refused at once, not when the connection idles out.
      if (this.#carry[this.#held - 2] !== CR) throw new ProtocolError(`${what} with a bare LF`);
      if (this.#held === 2 || this.#carry[this.#held - 3] === LF) {
        const section = this.#take();
        return { text: section.toString('latin1', 0, section.length - 2), end: from };
      }
    }
    this.#hold(bytes, from, bytes.length, limit, what);
    return undefined;
  }

  /** Keeps a copy: the buffers given to `execute` are used again by their owner. */
  #hold(bytes: Buffer, start: number, end: number, limit: number, what: string): void {
    const held = this.#held + end - start;
    if (held > limit) throw tooLong(what, limit);
    if (held > this.#carry.length) {
      // Doubled, so that a section of many small pieces is not copied for each of them.
      const larger = Buffer.allocUnsafe(Math.max(held, 2 * this.#carry.length));
      this.#carry.copy(larger, 0, 0, this.#held);
      this.#carry = larger;
    }
    bytes.copy(this.#carry, this.#held, start, end);
    this.#held = held;
  }

  /** Gives away what is held. */
  #take(): Buffer {
    const held = this.#carry.subarray(0, this.#held);
    this.#carry = EMPTY;
    this.#held = 0;
    return held;
  }

  #end(trailers: Headers | undefined): void {
    this.#state = State.Between;
    const lastLine = this.#lastLine;
    this.#lastLine = undefined;
    this.events.end(lastLine, trailers);
  }
}

export class RequestParser extends Parser<RequestHead> {
  protected override parseHead(text: string): RequestHead {
    return parseRequestHead(text);
  }
}

/** Reads the responses on one connection. `method` must be set before each; interim responses are heads of their own. */
export class ResponseParser extends Parser<ResponseHead> {
  /** Of the request whose response comes next. */
  method = 'GET';

  protected override parseHead(text: string): ResponseHead {
    return parseResponseHead(text, this.method);
  }
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function tooLong(what: string, limit: number): ProtocolError {
  return new ProtocolError(`${what} of more than ${limit} octets`, 431);
}

function quote(bytes: Buffer, start: number, end: number): string {
  return JSON.stringify(bytes.toString('latin1', start, Math.min(end - 2, start + 60)));
}
