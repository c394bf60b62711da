/**
 * Bytes that anybody can compute: a body of any size, or any part of it, without keeping it.
 * @module
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

/** Which bytes: of which sequence (default 0), from which offset (default 0). */
export interface Which {
  seed?: number;
  from?: number;
}

/** No power of two, so that nothing that is off by a piece or a page looks right. */
const BLOCK = 1_000_003;
const blocks = new Map<number, Buffer>();

/** `size` bytes of the sequence, in memory. */
export function bytesOf(size: number, { seed = 0, from = 0 }: Which = {}): Buffer {
  const block = blockOf(seed);
  const result = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const inBlock = (from + at) % BLOCK;
    at += block.copy(result, at, inBlock, Math.min(BLOCK, inBlock + size - at));
  }
  return result;
}

/** `size` bytes of the sequence, as a stream that keeps none of them. */
export function streamOf(size: number, { seed = 0, from = 0 }: Which = {}): Readable {
  const block = blockOf(seed);
  let at = 0;
  return new Readable({
    highWaterMark: 2 * BLOCK,
    read() {
      if (at >= size) {
        this.push(null);
        return;
      }
      const inBlock = (from + at) % BLOCK;
      const piece = block.subarray(inBlock, Math.min(BLOCK, inBlock + size - at));
      at += piece.length;
      this.push(piece);
    },
  });
}

/** Digest text in counter mode: it looks random, so it neither compresses away nor repeats within a block. */
function blockOf(seed: number): Buffer {
  const known = blocks.get(seed);
  if (known !== undefined) return known;
  const parts: Buffer[] = [];
  for (let n = 0; n * 64 < BLOCK; n++) parts.push(createHash('sha512').update(`${seed}:${n}`).digest());
  const block = Buffer.concat(parts).subarray(0, BLOCK);
  blocks.set(seed, block);
  return block;
}
