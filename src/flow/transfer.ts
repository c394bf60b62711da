import { PieceLog } from './pieces.js';
import type { Side, Transfer } from './types.js';

/** Milliseconds since the epoch, with fractions, never going backwards. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export class SideRecord implements Side {
  bytes = 0;
  decoded?: { bytes: number; sha256: string };
  #sha256: string | (() => string | undefined) | undefined;
  #pieces: PieceLog | (() => PieceLog) | undefined;

  get sha256(): string | undefined {
    if (typeof this.#sha256 === 'function') this.#sha256 = this.#sha256();
    return this.#sha256;
  }

  /** Sets the digest, or how to compute it when it is first asked for. */
  setSha256(digest: string | (() => string | undefined) | undefined): void {
    this.#sha256 = digest;
  }

  get pieces(): PieceLog {
    if (typeof this.#pieces === 'function') return this.#pieces();
    this.#pieces ??= new PieceLog();
    return this.#pieces;
  }

  /** Derives the pieces from another log instead of keeping one. */
  setPieces(pieces: PieceLog | (() => PieceLog)): void {
    this.#pieces = pieces;
  }
}

export class TransferRecord implements Transfer {
  readonly received = new SideRecord();
  readonly sent = new SideRecord();
  readonly startedAt = now();
  firstByteAt?: number;
  endedAt?: number;
}
