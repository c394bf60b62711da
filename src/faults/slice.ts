import { performance } from '../clock.js';
import type { StreamTransform } from '../flow/types.js';
import type { Size } from '../size.js';
import { keepsLength } from '../stream/transforms.js';
import { readMilliseconds, readPositiveSize } from './arguments.js';
import { waitUntil } from './waiting.js';

/**
 * Cuts a body anew: into pieces of `bytes` octets and a remainder, each sent on its own, so that a receiver meets cuts
 * where it does not expect them. Octets wait until their piece is full, or the body ends. Content-Length stays.
 *
 * @param bytes octets, or digits with `k`, `m` or `g`
 * @param delay milliseconds, at least, between a piece and the next. Default 0
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/events', { response: slice(1) });
 */
export function slice(bytes: Size, delay = 0): StreamTransform {
  const size = readPositiveSize('slice', 'bytes', bytes);
  const ms = readMilliseconds('slice', 'delay', delay);
  if (ms === 0) return keepsLength((pieces) => recut(pieces, size));
  return keepsLength(async function* (pieces, { signal }) {
    let next = 0;
    for await (const piece of recut(pieces, size)) {
      await waitUntil(next, signal);
      yield piece;
      next = performance.now() + ms;
    }
  });
}

async function* recut(pieces: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  /** Of the piece that is not full yet. */
  let parts: Buffer[] = [];
  let gathered = 0;
  for await (const piece of pieces) {
    let at = 0;
    while (piece.length - at >= size - gathered) {
      const end = at + size - gathered;
      const rest = piece.subarray(at, end);
      yield parts.length === 0 ? rest : Buffer.concat([...parts, rest], size);
      parts = [];
      gathered = 0;
      at = end;
    }
    if (at === piece.length) continue;
    parts.push(piece.subarray(at));
    gathered += piece.length - at;
  }
  if (gathered > 0) yield Buffer.concat(parts, gathered);
}
