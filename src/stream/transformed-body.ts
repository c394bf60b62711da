import type { FlowError } from '../errors.js';
import type { Headers } from '../flow/headers.js';
import type { MessageRecord } from '../flow/message.js';
import { PieceLog } from '../flow/pieces.js';
import type { BodyEnd, BodyEvents, BodyOutlet, BodySource } from './body.js';
import { PieceQueue } from './piece-queue.js';
import type { Taps } from './taps.js';
import { yieldedBytes, yieldsOf } from './transforms.js';
import { Valve } from './valve.js';

/** A transform yielded more or fewer octets than Content-Length promises. */
export class LengthBrokenError extends Error {}

export interface TransformedBodyEvents {
  /** The transform has yielded its last octet, of a source that ended or that it did not want to the end. */
  end(end: BodyEnd, early: boolean): void;
  /** The source has ended, before the transform did or, with `early`, after it. */
  sourceEnded(early: boolean): void;
  /** The transform threw; `error` is what it threw. */
  failed(error: unknown): void;
}

/** A streamed body on its way through a transform. */
export class TransformedBody implements BodyEvents {
  readonly #queue = new PieceQueue();
  readonly #log = new PieceLog();
  readonly #sentLog = new PieceLog();
  readonly #abort = new AbortController();
  #iterator: AsyncIterator<Uint8Array | string> | undefined;
  #chunked = false;
  /** The source's end, once it has come. */
  #sourceEnd: BodyEnd | undefined;
  #over = false;
  /** Holds the source back. */
  readonly #inflow: Valve;
  /** Holds the transform back. */
  readonly #outflow: Valve;
  #drained: (() => void) | undefined;

  constructor(
    private readonly message: MessageRecord,
    source: BodySource,
    private readonly outlet: BodyOutlet,
    private readonly taps: { received: Taps; sent: Taps },
    /** Octets to yield exactly, if the transform is declared length-preserving. */
    private readonly length: number | undefined,
    private readonly events: TransformedBodyEvents,
  ) {
    const { received, sent } = message.transfer;
    received.follow(this.#log);
    sent.follow(this.#sentLog);
    this.#inflow = new Valve(source);
    this.#queue.onFull = (full) => this.#inflow.set('transform', full);
    taps.received.onDrain = () => this.#inflow.set('taps', false);
    this.#outflow = new Valve({ pause: () => undefined, resume: () => this.#drained?.() });
    outlet.onDrain = () => this.#outflow.set('outlet', false);
    taps.sent.onDrain = () => this.#outflow.set('taps', false);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Starts the transform, once whoever sets the body up is done with it. */
  start(transform: (pieces: AsyncIterable<Buffer>) => AsyncIterable<Uint8Array | string>): void {
    const started = Promise.resolve().then(() => (this.#over ? undefined : this.#pump(transform)));
    started.catch((error: unknown) => {
      if (this.#over) return;
      this.#stop(error);
      this.events.failed(error);
    });
  }

  chunk(size: number, _line: Buffer): void {
    this.#chunked = true;
    this.#log.addPiece(size);
    this.#queue.chunk(size);
  }

  data(bytes: Buffer, start: number, end: number): void {
    const { transfer } = this.message;
    transfer.begin();
    transfer.received.bytes += end - start;
    if (!this.#chunked) this.#log.addOctets(end - start);
    const part = bytes.subarray(start, end);
    if (!this.taps.received.write(part)) this.#inflow.set('taps', true);
    // A transform may keep its pieces for good, so it never gets octets of a buffer that is used again.
    this.#queue.push(Buffer.from(part));
  }

  wire(): void {
    // The transform's output has framing of its own.
  }

  end(lastLine: string | undefined, trailers: Headers | undefined): void {
    this.#sourceEnd = { lastLine, trailers };
    this.message.transfer.received.end();
    const early = this.#over;
    const ended = () => {
      this.#queue.end();
      this.events.sourceEnded(early);
    };
    const slow = this.taps.received.finish();
    if (slow === undefined) ended();
    else slow.then(ended);
  }

  /** Every octet has been written. */
  sentAll(): void {
    this.message.transfer.sent.end();
  }

  /** The message is aborted: `next()` rejects, and the transform's `return()` is called, not waited for. */
  abort({ code, message, cause }: FlowError): void {
    if (!this.#over) this.#stop(Object.assign(new Error(message, { cause }), { code }));
    this.taps.sent.cut();
  }

  #stop(error: unknown): void {
    this.#over = true;
    this.outlet.onDrain = undefined;
    this.#abort.abort(error);
    this.#queue.fail(error);
    if (this.#sourceEnd === undefined) this.taps.received.cut();
    else this.taps.received.destroy();
    this.taps.sent.cut();
    this.#drained?.();
    const iterator = this.#iterator;
    // What it throws now has no message to fail any more; the flow's error is the cause of it all.
    Promise.resolve()
      .then(() => iterator?.return?.())
      .then(undefined, () => undefined);
  }

  async #pump(
    transform: (pieces: AsyncIterable<Buffer>) => AsyncIterable<Uint8Array | string>,
  ): Promise<void> {
    const iterator = yieldsOf(transform(this.#queue));
    this.#iterator = iterator;
    let yielded = 0;
    for (;;) {
      const result = await this.#next(iterator);
      if (this.#over) return;
      if (result.done === true) break;
      const bytes = yieldedBytes(result.value);
      if (bytes.length === 0) continue;
      yielded += bytes.length;
      if (this.length !== undefined && yielded > this.length) throw this.#lengthBroken(`${yielded} or more`);
      this.#write(bytes);
      if (this.#outflow.closed) await this.#drain();
      if (this.#over) return;
    }
    if (this.length !== undefined && yielded !== this.length) throw this.#lengthBroken(`${yielded}`);
    await this.taps.sent.finish();
    if (this.#over) return;
    this.#over = true;
    this.outlet.onDrain = undefined;
    const early = this.#sourceEnd === undefined;
    await this.#queue.return();
    this.events.end(this.#sourceEnd ?? { lastLine: undefined, trailers: undefined }, early);
  }

  /** One that ended, or failed, by itself gets no `return()`. */
  async #next(
    iterator: AsyncIterator<Uint8Array | string>,
  ): Promise<IteratorResult<Uint8Array | string, unknown>> {
    try {
      const result = await iterator.next();
      if (result.done === true) this.#iterator = undefined;
      return result;
    } catch (error) {
      this.#iterator = undefined;
      throw error;
    }
  }

  #write(bytes: Buffer): void {
    const { sent } = this.message.transfer;
    this.#sentLog.addPiece(bytes.length);
    if (!this.taps.sent.write(bytes)) this.#outflow.set('taps', true);
    const roomLeft = this.outlet.piece(bytes, (error) => {
      if (!error) sent.bytes += bytes.length;
    });
    if (!roomLeft) this.#outflow.set('outlet', true);
  }

  #drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = () => {
        this.#drained = undefined;
        resolve();
      };
    });
  }

  #lengthBroken(yielded: string): LengthBrokenError {
    return new LengthBrokenError(
      `the transform is declared with keepsLength but yielded ${yielded} octets of ${this.length}`,
    );
  }
}
