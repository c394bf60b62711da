import { createHash } from 'node:crypto';
import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import { performance } from '../clock.js';
import { SluiceError } from '../errors.js';
import { decodeContent } from './content.js';
import { PieceLog } from './pieces.js';
import type { Side, Transfer } from './types.js';

/**
 * Microseconds since the process began. For half an hour they are small integers, which a record holds in itself; a
 * number with a fraction would be one more object each.
 */
function ticks(): number {
  return Math.floor(performance.now() * 1000);
}

function timeOf(tick: number): number {
  return performance.timeOrigin + tick / 1000;
}

/** Milliseconds since the epoch, with fractions, never going backwards. */
export function now(): number {
  return timeOf(ticks());
}

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Count and SHA-256 of octets. */
export interface Digest {
  bytes: number;
  sha256: string;
}

const EMPTY = Buffer.alloc(0);
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * One side of a transfer. There are two for each message that is recorded, so it keeps references rather than copies
 * or closures: to a log that both sides share, to the recorded body, or to the side that it equals.
 * Without a log, its pieces are those of a body without chunks.
 */
export class SideRecord implements Side {
  bytes = 0;
  #log: PieceLog | undefined;
  #ended = false;
  #sha256: string | undefined;
  #decoded: Digest | undefined;
  /** A recorded body, whose digests are computed when they are first asked for. */
  #raw: Buffer | undefined;
  #contentEncoding: string | undefined;
  #twin: SideRecord | undefined;
  #partial: Digest | undefined;

  get sha256(): string | undefined {
    if (this.#twin !== undefined) return this.#twin.sha256;
    if (this.#sha256 === undefined && this.#raw !== undefined) this.#sha256 = sha256(this.#raw);
    return this.#sha256;
  }

  get decoded(): Digest | undefined {
    if (this.#twin !== undefined) return this.#twin.decoded;
    if (this.#decoded === undefined && this.#raw !== undefined && this.#contentEncoding !== undefined) {
      this.#decoded = digestOfContent(this.#raw, this.#contentEncoding);
    }
    return this.#decoded;
  }

  /** What was written and then lost was digested all the same: then there is no digest of what was sent. */
  get partial(): Digest | undefined {
    return this.#partial?.bytes === this.bytes ? this.#partial : undefined;
  }

  /** Until the side has ended: the pieces as far as its octets reach. */
  get pieces(): PieceLog {
    if (this.#twin !== undefined) return this.#twin.pieces;
    if (this.#log === undefined) return PieceLog.ofOctets(this.bytes);
    return this.#ended ? this.#log : this.#log.upTo(this.bytes);
  }

  /** Takes its pieces from `log`, which whoever moves the body keeps. */
  follow(log: PieceLog): void {
    this.#log = log;
  }

  /** Every octet has passed. */
  end(): void {
    this.#ended = true;
  }

  /** The digest, where it was computed in passing. */
  setSha256(digest: string | undefined): void {
    this.#sha256 = digest;
  }

  /** It did not end normally: `passed` is what was digested of its beginning, which may be ahead of `bytes`. */
  cut(passed: Digest | undefined): void {
    this.#sha256 = undefined;
    this.#decoded = undefined;
    this.#partial = passed;
  }

  setDecoded(decoded: Digest | undefined): void {
    this.#decoded = decoded;
  }

  /** The octets are kept: digests can wait. */
  digestLater(raw: Buffer, contentEncoding: string | undefined): void {
    this.#raw = raw;
    this.#contentEncoding = contentEncoding;
  }

  /** What went out is what came in. */
  mirror(other: SideRecord): void {
    this.bytes = other.bytes;
    this.#twin = other;
  }
}

export class TransferRecord implements Transfer {
  readonly #startedAt = ticks();
  #firstByteAt: number | undefined;
  #endedAt: number | undefined;
  // Made when first used: most requests have no body.
  #received: SideRecord | undefined;
  #sent: SideRecord | undefined;
  #sentAll = false;
  /** There was no body, and its digest may be asked for. */
  #digestsNothing = false;

  get startedAt(): number {
    return timeOf(this.#startedAt);
  }

  get firstByteAt(): number | undefined {
    return this.#firstByteAt === undefined ? undefined : timeOf(this.#firstByteAt);
  }

  get endedAt(): number | undefined {
    return this.#endedAt === undefined ? undefined : timeOf(this.#endedAt);
  }

  /** Octets have come: only of the first is the time kept. */
  begin(): void {
    this.#firstByteAt ??= ticks();
  }

  /** It is over, as far as it came. */
  end(): void {
    this.#endedAt = ticks();
  }

  get received(): SideRecord {
    if (this.#received === undefined) {
      this.#received = new SideRecord();
      if (this.#digestsNothing) this.#received.digestLater(EMPTY, undefined);
    }
    return this.#received;
  }

  get sent(): SideRecord {
    if (this.#sent === undefined) {
      this.#sent = new SideRecord();
      if (this.#sentAll) this.#sent.mirror(this.received);
    }
    return this.#sent;
  }

  /** What `console.log` shows: times, and how much has passed. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    const { startedAt, firstByteAt, endedAt, received, sent } = this;
    return `Transfer ${inspect({ startedAt, firstByteAt, endedAt, received, sent }, options)}`;
  }

  /** What was received is kept: digests can wait. */
  digestLater(raw: Buffer, contentEncoding: string | undefined): void {
    if (raw.length === 0 && contentEncoding === undefined && this.#received === undefined)
      this.#digestsNothing = true;
    else this.received.digestLater(raw, contentEncoding);
  }

  /** What went out is what came in, to the last octet. */
  sentAsReceived(): void {
    this.#sentAll = true;
    this.#sent?.mirror(this.received);
  }
}

function digestOfContent(raw: Buffer, encoding: string): Digest | undefined {
  try {
    const content = decodeContent(raw, encoding);
    return { bytes: content.length, sha256: sha256(content) };
  } catch (error) {
    // Undecodable content has no digest; reading `body` says what is wrong with it.
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}
