import type { Headers } from '../flow/headers.js';
import type { MessageRecord } from '../flow/message.js';
import { PieceLog } from '../flow/pieces.js';
import type { BodyEnd, BodyEvents, BodyOutlet, BodySource } from './body.js';
import type { Taps } from './taps.js';
import { Valve } from './valve.js';

/**
 * A streamed body without a transform: its octets leave as they arrive, and only counts and digests stay. Where the
 * framing is the same on both sides a whole read leaves in one write, whatever number of pieces it holds.
 */
export class RelayedBody implements BodyEvents {
  readonly #log = new PieceLog();
  /** Body octets told but not yet part of a write. */
  #unwritten = 0;
  #chunked = false;
  #ended = false;
  #aborted = false;
  readonly #valve: Valve;

  constructor(
    private readonly message: MessageRecord,
    private readonly source: BodySource,
    private readonly outlet: BodyOutlet,
    private readonly taps: Taps,
    /** The sender's framing octets can go out as they are. */
    private readonly verbatim: boolean,
    private readonly onEnd: (end: BodyEnd) => void,
  ) {
    const { received, sent } = message.transfer;
    received.follow(this.#log);
    sent.follow(this.#log);
    this.#valve = new Valve(source);
    outlet.onDrain = () => this.#valve.set('outlet', false);
    taps.onDrain = () => this.#valve.set('taps', false);
  }

  chunk(size: number, _line: Buffer): void {
    this.#chunked = true;
    this.#log.addPiece(size);
  }

  data(bytes: Buffer, start: number, end: number): void {
    const { transfer } = this.message;
    transfer.begin();
    transfer.received.bytes += end - start;
    if (!this.#chunked) this.#log.addOctets(end - start);
    if (!this.taps.idle && !this.taps.write(bytes.subarray(start, end))) this.#valve.set('taps', true);
    if (this.verbatim) {
      this.#unwritten += end - start;
      return;
    }
    this.#write(bytes, start, end, end - start, false);
  }

  wire(bytes: Buffer, start: number, end: number): void {
    if (!this.verbatim) return;
    const octets = this.#unwritten;
    this.#unwritten = 0;
    this.#write(bytes, start, end, octets, true);
  }

  end(lastLine: string | undefined, trailers: Headers | undefined): void {
    this.#ended = true;
    this.outlet.onDrain = undefined;
    this.taps.onDrain = undefined;
    this.message.transfer.received.end();
    const slow = this.taps.finish();
    if (slow === undefined) this.onEnd({ lastLine, trailers });
    else {
      slow.then(() => {
        if (!this.#aborted) this.onEnd({ lastLine, trailers });
      });
    }
  }

  /** Every octet has been written: the sent side is the received one. */
  sentAll(): void {
    this.message.transfer.sentAsReceived();
  }

  abort(): void {
    this.#aborted = true;
    this.outlet.onDrain = undefined;
    this.taps.onDrain = undefined;
    // What was sent is what was received, as far as it got.
    this.message.transfer.sent.cut(this.taps.passed());
    if (this.#ended) this.taps.destroy();
    else this.taps.cut();
  }

  #write(bytes: Buffer, start: number, end: number, octets: number, raw: boolean): void {
    const release = this.source.lend();
    const { sent } = this.message.transfer;
    const written = (error?: Error | null) => {
      if (!error) sent.bytes += octets;
      release();
    };
    const part = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    const roomLeft = raw ? this.outlet.raw(part, written) : this.outlet.piece(part, written);
    if (!roomLeft) this.#valve.set('outlet', true);
  }
}
