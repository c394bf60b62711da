import { createHash } from 'node:crypto';

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Octets in which every position can be told from its neighbours; the same for the same size. */
export function octets(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff;
  return bytes;
}

/** Numbers from 0 to 1 that are the same in each run. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `bytes` in `count` or fewer parts, cut at random. */
export function split(bytes: Buffer, count: number, seed: number): Buffer[] {
  const next = random(seed);
  const cuts = Array.from({ length: count - 1 }, () => Math.floor(next() * bytes.length));
  const ends = [...new Set([...cuts, bytes.length])].filter((end) => end > 0).sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

/** A chunk as it stands on the wire. @param extension with its semicolon */
export function chunk(data: Uint8Array | string, extension = ''): Buffer {
  const bytes = Buffer.from(data as string);
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}${extension}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
}

export const LAST_CHUNK = '0\r\n\r\n';

/** The data of a chunked body section that ends it. */
export function dechunk(wire: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = wire.indexOf('\r\n', at);
    const size = Number.parseInt(wire.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(wire.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
