import { createHash } from 'node:crypto';
import { performance } from '../clock.js';
import { SluiceError } from '../errors.js';
import { decodeContent } from './content.js';
import { PieceLog } from './pieces.js';
import type { Side, Transfer } from './types.js';

/** Milliseconds since the epoch, with fractions, never going backwards. */
export function now(): number {
  return performance.timeOrigin + performance.now();
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

/** A recorded body, whose digests are computed when they are first asked for. */
interface Recorded {
  raw: Buffer;
  contentEncoding: string | undefined;
}

/**
 * One side of a transfer. There are two for each message that is recorded, so it keeps references rather than copies
 * or closures: to a log that both sides share, to the recorded body, or to the side that it equals.
 */
export class SideRecord implements Side {
  bytes = 0;
  #log: PieceLog | undefined;
  #ended = false;
  #sha256: string | undefined;
  #decoded: Digest | undefined;
  #recorded: Recorded | undefined;
  #twin: SideRecord | undefined;
  #partial: Digest | undefined;

  get sha256(): string | undefined {
    if (this.#twin !== undefined) return this.#twin.sha256;
    if (this.#sha256 === undefined && this.#recorded !== undefined) this.#sha256 = sha256(this.#recorded.raw);
    return this.#sha256;
  }

  get decoded(): Digest | undefined {
    if (this.#twin !== undefined) return this.#twin.decoded;
    if (this.#decoded === undefined && this.#recorded?.contentEncoding !== undefined) {
      this.#decoded = digestOfContent(this.#recorded.raw, this.#recorded.contentEncoding);
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
    this.#log ??= new PieceLog();
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
    this.#recorded = { raw, contentEncoding };
  }

  /** What went out is what came in. */
  mirror(other: SideRecord): void {
    this.bytes = other.bytes;
    this.#twin = other;
  }
}

export class TransferRecord implements Transfer {
  readonly received = new SideRecord();
  readonly startedAt = now();
  firstByteAt?: number;
  endedAt?: number;
  #sent: SideRecord | undefined;
  #sentAll = false;

  get sent(): SideRecord {
    if (this.#sent === undefined) {
      this.#sent = new SideRecord();
      if (this.#sentAll) this.#sent.mirror(this.received);
    }
    return this.#sent;
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
