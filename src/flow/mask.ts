/**
 * The masking of WebSocket payloads (RFC 6455 section 5.3).
 * @module
 */

/** Below this a loop over octets is faster than making a view of words. */
const WORDS_FROM = 64;

/**
 * Masks, or unmasks, octets in place.
 * @param key four octets, the first in the lowest bits
 * @param phase how many octets of the frame's payload stand before `start`
 */
export function applyMask(bytes: Buffer, start: number, end: number, key: number, phase: number): void {
  let at = start;
  let turn = phase & 3;
  if (end - start >= WORDS_FROM) {
    for (; ((bytes.byteOffset + at) & 3) !== 0; at++) {
      bytes[at] = (bytes[at] ?? 0) ^ ((key >>> (turn << 3)) & 255);
      turn = (turn + 1) & 3;
    }
    const word = turn === 0 ? key : (key >>> (turn << 3)) | (key << (32 - (turn << 3)));
    const count = (end - at) >> 2;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, count);
    for (let i = 0; i < count; i++) words[i] = (words[i] ?? 0) ^ word;
    at += count << 2;
  }
  for (; at < end; at++) {
    bytes[at] = (bytes[at] ?? 0) ^ ((key >>> (turn << 3)) & 255);
    turn = (turn + 1) & 3;
  }
}
