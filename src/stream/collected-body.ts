import type { Headers } from '../flow/headers.js';
import type { MessageRecord } from '../flow/message.js';
import { PieceLog } from '../flow/pieces.js';
import type { BodyEnd, BodyEvents } from './body.js';
import type { Taps } from './taps.js';

/** The chunks of a recorded body. */
export interface ChunkList {
  sizes: number[];
  /** Lines that are more than the plain size, by chunk. */
  lines: Map<number, string>;
}

/** What is known beforehand of a body with Content-Length. */
export interface StatedLength {
  length: number;
  /** Octets that its head will take, or a few more. */
  headroom: number;
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

/** Larger bodies are not put together in one buffer from the start: they may never come. */
const ROOM_LIMIT = 64 * 1024;

/** Chunks that are kept as they came; a body of more leaves in one. */
const MAX_CHUNKS = 4096;

/** A body that is read whole and recorded. */
export class CollectedBody implements BodyEvents {
  #buffers: Buffer[] = [];
  /** Where a body of stated length is put together, with room for the head it will leave with. */
  #room: Buffer | undefined;
  /** The wire octets of a chunked body that may yet be streamed. */
  #wires: Buffer[] | undefined;
  #headroom = 0;
  #filled = 0;
  #chunks: ChunkList | undefined;
  #over = false;
  /** Of a chunked body. */
  #log: PieceLog | undefined;

  constructor(
    private readonly message: MessageRecord,
    private readonly taps: Taps | undefined,
    private readonly limits: CollectLimits,
    private readonly receiver: CollectReceiver,
    stated?: StatedLength,
  ) {
    if (stated !== undefined && stated.length <= ROOM_LIMIT) {
      this.#headroom = this.#filled = stated.headroom;
      this.#room = Buffer.allocUnsafe(stated.headroom + stated.length);
    }
  }

  get #mayStream(): boolean {
    return this.limits.streamOver !== Number.POSITIVE_INFINITY;
  }

  /** The chunks as they came, unless they were too many to keep. */
  get chunks(): ChunkList | undefined {
    return this.#chunks !== undefined && this.#chunks.sizes.length <= MAX_CHUNKS ? this.#chunks : undefined;
  }

  chunk(size: number, line: Buffer): void {
    if (this.#log === undefined) {
      this.#log = new PieceLog();
      this.message.transfer.received.follow(this.#log);
    }
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
    transfer.begin();
    transfer.received.bytes += end - start;
    if (this.#room !== undefined) {
      bytes.copy(this.#room, this.#filled, start, end);
      this.#filled += end - start;
    } else {
      this.#buffers.push(Buffer.from(bytes.subarray(start, end)));
    }
    this.taps?.write(bytes.subarray(start, end));
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

  /** The buffer that {@link take}'s octets are the end of, if it has room for a head before them. */
  get room(): Buffer | undefined {
    return this.#room?.length === this.#filled ? this.#room : undefined;
  }

  /** What has come, in one. */
  take(): Buffer {
    if (this.#room !== undefined) return this.#room.subarray(this.#headroom, this.#filled);
    const first = this.#buffers[0];
    const body = this.#buffers.length === 1 && first !== undefined ? first : Buffer.concat(this.#buffers);
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
