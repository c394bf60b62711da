/** What a scanner tells of the frames that pass. */
export interface FrameEvents {
  /**
   * A frame's header is there, to be read from the scanner.
   * @param at where the header begins in the octets that are being scanned; negative if octets before these hold its begin
   */
  frameStart(at: number): void;
  /** Octets of its payload, as they are on the wire. */
  payload(bytes: Buffer, start: number, end: number): void;
  /** @param at the index after its last octet */
  frameEnd(at: number): void;
}

const LONGEST_HEADER = 14;

/**
 * Finds the frames in the octets of one direction (RFC 6455 section 5.2), however they are split. It neither copies
 * payload nor judges what it finds; the fields below are those of the frame that is being told.
 */
export class FrameScanner {
  fin = false;
  /** The three reserved bits. */
  rsv = 0;
  opcode = 0;
  masked = false;
  /** The masking key, its first octet in the lowest bits. */
  key = 0;
  /** Octets of payload. */
  length = 0;
  /** Payload octets of the frame that are still to come. */
  left = 0;
  headerLength = 0;
  /** In the middle of a frame's payload. */
  inFrame = false;
  /** The frame's length is beyond 2^53: where the next one begins can't be known. */
  lost = false;
  /** The beginning of a header, while it is not whole. */
  readonly #header = Buffer.alloc(LONGEST_HEADER);
  #held = 0;
  #stopped = false;

  constructor(private readonly events: FrameEvents) {}

  /** Close, ping and pong, and what may be defined beside them (RFC 6455 section 5.5). */
  get isControl(): boolean {
    return this.opcode > 7;
  }

  /** Octets of a header that is not whole: the last of those scanned. */
  get headerHeld(): number {
    return this.#held;
  }

  /** A copy of the current frame's header as it was on the wire. */
  header(): Buffer {
    return Buffer.from(this.#header.subarray(0, this.headerLength));
  }

  /** Ends the scan after the frame that is being told. */
  stop(): void {
    this.#stopped = true;
  }

  /** @returns how many octets were looked at: all, unless it was stopped */
  scan(bytes: Buffer, start = 0): number {
    const { events } = this;
    const total = bytes.length;
    let at = start;
    this.#stopped = false;
    for (;;) {
      if (!this.inFrame) {
        if (at === total || this.lost) return total;
        const begin = at - this.#held;
        const whole = this.#readHeader(bytes, at);
        if (whole === -1) return total;
        at = whole;
        this.left = this.length;
        this.inFrame = true;
        events.frameStart(begin);
      }
      if (this.left > 0) {
        if (at === total) return total;
        const end = Math.min(total, at + this.left);
        const begin = at;
        at = end;
        events.payload(bytes, begin, end);
        // Only now: the phase of the mask is told by what is left.
        this.left -= end - begin;
        if (this.left > 0) return total;
      }
      this.inFrame = false;
      events.frameEnd(at);
      if (this.#stopped) return at;
    }
  }

  /** @returns the index after the header, or -1 if it is not whole yet */
  #readHeader(bytes: Buffer, start: number): number {
    const header = this.#header;
    const before = this.#held;
    const copied = bytes.copy(header, before, start, Math.min(bytes.length, start + LONGEST_HEADER - before));
    const have = before + copied;
    if (have < 2) {
      this.#held = have;
      return -1;
    }
    const first = header[0] ?? 0;
    const second = header[1] ?? 0;
    const short = second & 127;
    const lengthOctets = short < 126 ? 0 : short === 126 ? 2 : 8;
    const masked = second > 127;
    const whole = 2 + lengthOctets + (masked ? 4 : 0);
    if (have < whole) {
      this.#held = have;
      return -1;
    }
    this.#held = 0;
    this.fin = first > 127;
    this.rsv = (first >> 4) & 7;
    this.opcode = first & 15;
    this.masked = masked;
    this.headerLength = whole;
    this.length = short;
    if (lengthOctets === 2) this.length = header.readUInt16BE(2);
    else if (lengthOctets === 8) this.length = header.readUInt32BE(2) * 2 ** 32 + header.readUInt32BE(6);
    if (!Number.isSafeInteger(this.length)) this.lost = true;
    if (masked) this.key = header.readInt32LE(whole - 4);
    return start + whole - before;
  }
}
