import type { Pieces } from './types.js';

/** Octets of a piece of a body without chunks. */
export const PIECE_SIZE = 4096;
/** Runs a log keeps before it only counts. */
const MAX_RUNS = 4096;

/**
 * The pieces of a body, run-length encoded. A body without chunks is logged by octets and cut on the grid of
 * {@link PIECE_SIZE} by arithmetic; chunks, and the yields of a transform, are logged one by one.
 */
export class PieceLog implements Pieces {
  /** Octets of a body on the grid; pieces follow from it. */
  #octets = 0;
  /** size, times, size, times ...: of pieces logged one by one. */
  #log: number[] | undefined;
  #count = 0;
  #truncated = false;

  /** The pieces of a body without chunks. */
  static ofOctets(octets: number): PieceLog {
    const log = new PieceLog();
    log.addOctets(octets);
    return log;
  }

  /** Logs octets on the grid. */
  addOctets(octets: number): void {
    this.#octets += octets;
  }

  /** Logs one piece. */
  addPiece(size: number): void {
    this.#log ??= [];
    this.#count++;
    if (this.#truncated) return;
    const last = this.#log.length - 2;
    if (last >= 0 && this.#log[last] === size) {
      this.#log[last + 1] = (this.#log[last + 1] ?? 0) + 1;
    } else if (this.#log.length < MAX_RUNS * 2) {
      this.#log.push(size, 1);
    } else {
      this.#truncated = true;
    }
  }

  get count(): number {
    return this.#count + Math.ceil(this.#octets / PIECE_SIZE);
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  get runs(): [size: number, times: number][] {
    const runs: [number, number][] = [];
    const log = this.#log ?? [];
    for (let i = 0; i < log.length; i += 2) runs.push([log[i] ?? 0, log[i + 1] ?? 0]);
    const whole = Math.floor(this.#octets / PIECE_SIZE);
    const rest = this.#octets % PIECE_SIZE;
    if (whole > 0) runs.push([PIECE_SIZE, whole]);
    if (rest > 0) runs.push([rest, 1]);
    return runs;
  }

  sizes(): number[] {
    return this.runs.flatMap(([size, times]) => Array.from({ length: times }, () => size));
  }

  /** The same pieces as far as `octets` reach; the last one cut short where need be. */
  upTo(octets: number): PieceLog {
    const cut = new PieceLog();
    let left = octets;
    for (const [size, times] of this.runs) {
      const whole = Math.min(times, Math.floor(left / size));
      cut.#addRun(size, whole);
      left -= whole * size;
      if (whole < times) {
        if (left > 0) cut.#addRun(left, 1);
        return cut;
      }
    }
    cut.#truncated = this.#truncated;
    cut.#count = this.count;
    return cut;
  }

  #addRun(size: number, times: number): void {
    if (times === 0) return;
    this.#log ??= [];
    this.#log.push(size, times);
    this.#count += times;
  }
}
