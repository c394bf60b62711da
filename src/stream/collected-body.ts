import type { Headers } from '../flow/headers.js';
import type { MessageRecord } from '../flow/message.js';
import { PieceLog } from '../flow/pieces.js';
import { now } from '../flow/transfer.js';
import type { BodyEnd, BodyEvents } from './body.js';
import type { Taps } from './taps.js';

/** The chunks of a recorded body. */
export interface ChunkList {
  sizes: number[];
  /** Lines that are more than the plain size, by chunk. */
  lines: Map<number, string>;
}

export interface CollectLimits {
  /** A larger body is refused. */
  refuseOver: number;
  /** A larger body is streamed; only for bodies that do not state their length. */
  streamOver: number;
}

/** Told what becomes of a body that is being collected. */
export interface CollectReceiver {
  bodyCollected(body: CollectedBody, end: BodyEnd): void;
  /** The body is larger than `refuseOver`. */
  bodyRefused(): void;
  /** The body is larger than `streamOver`; {@link CollectedBody.replay} passes on what has come. */
  bodyOutgrown(body: CollectedBody): void;
}

/** Chunks that are kept as they came; a body of more leaves in one. */
const MAX_CHUNKS = 4096;

/** A body that is read whole and recorded. */
export class CollectedBody implements BodyEvents {
  #buffers: Buffer[] = [];
  /** The wire octets of a chunked body that may yet be streamed. */
  #wires: Buffer[] | undefined;
  #chunks: ChunkList | undefined;
  #over = false;
  readonly #log = new PieceLog();

  constructor(
    private readonly message: MessageRecord,
    private readonly taps: Taps | undefined,
    private readonly limits: CollectLimits,
    private readonly receiver: CollectReceiver,
  ) {
    message.transfer.received.follow(this.#log);
  }

  get #mayStream(): boolean {
    return this.limits.streamOver !== Number.POSITIVE_INFINITY;
  }

  /** The chunks as they came, unless they were too many to keep. */
  get chunks(): ChunkList | undefined {
    return this.#chunks !== undefined && this.#chunks.sizes.length <= MAX_CHUNKS ? this.#chunks : undefined;
  }

  chunk(size: number, line: Buffer): void {
    this.#log.addPiece(size);
    this.#chunks ??= { sizes: [], lines: new Map() };
    if (this.#chunks.sizes.length > MAX_CHUNKS && !this.#mayStream) return;
    const text = line.toString('latin1');
    if (text !== size.toString(16)) this.#chunks.lines.set(this.#chunks.sizes.length, text);
    this.#chunks.sizes.push(size);
  }

  data(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const { transfer } = this.message;
    transfer.firstByteAt ??= now();
    transfer.received.bytes += end - start;
    if (this.#chunks === undefined) this.#log.addOctets(end - start);
    const copy = Buffer.from(bytes.subarray(start, end));
    this.#buffers.push(copy);
    this.taps?.write(copy);
    if (transfer.received.bytes > this.limits.refuseOver) {
      this.#over = true;
      this.receiver.bodyRefused();
    }
  }

  wire(bytes: Buffer, start: number, end: number): void {
    if (this.#over || !this.#mayStream) return;
    if (this.#chunks !== undefined) {
      this.#wires ??= [];
      this.#wires.push(Buffer.from(bytes.subarray(start, end)));
    }
    // Decided here and not at `data`: now what has been told and what was on the wire are the same.
    if (this.message.transfer.received.bytes > this.limits.streamOver) {
      this.#over = true;
      this.taps?.destroy();
      this.receiver.bodyOutgrown(this);
    }
  }

  end(lastLine: string | undefined, trailers: Headers | undefined): void {
    if (this.#over) return;
    this.message.transfer.received.end();
    const slow = this.taps?.finish();
    if (slow === undefined) this.receiver.bodyCollected(this, { lastLine, trailers });
    else slow.then(() => this.receiver.bodyCollected(this, { lastLine, trailers }));
  }

  /** What has come, in one. */
  take(): Buffer {
    const [only] = this.#buffers;
    const body = this.#buffers.length === 1 && only !== undefined ? only : Buffer.concat(this.#buffers);
    this.#buffers = [];
    return body;
  }

  /** Tells `body` everything that has come. */
  replay(body: BodyEvents): void {
    this.message.transfer.received.bytes = 0;
    const bytes = this.take();
    if (this.#chunks === undefined) {
      body.data(bytes, 0, bytes.length);
      body.wire(bytes, 0, bytes.length);
      return;
    }
    let at = 0;
    for (const [i, size] of this.#chunks.sizes.entries()) {
      body.chunk(size, Buffer.from(this.#chunks.lines.get(i) ?? size.toString(16), 'latin1'));
      const to = Math.min(at + size, bytes.length);
      if (to > at) body.data(bytes, at, to);
      at = to;
    }
    const wire = Buffer.concat(this.#wires ?? []);
    this.#wires = undefined;
    body.wire(wire, 0, wire.length);
  }
}
