import { octets, random } from '../../testing/bytes.js';
import type { DeflateSide } from '../extensions.js';
import { CLOSE, CONTINUATION, PING, PONG } from '../frame.js';
import { type Told, WsCompressor, wsFrame } from './ws.js';

/** A made-up stretch of one direction. */
export interface Sequence {
  masked: boolean;
  deflate: DeflateSide | undefined;
  wire: Buffer;
  /** What it says, in order of ends. */
  told: Told[];
  /** Sizes on the wire, of each message. */
  fragments: number[][];
  /** Where a frame of somebody else's may stand: before, between and after messages. */
  gaps: number[];
}

const LETTERS = ['a', 'é', '€', '😀', '\u0000', 'word ', '{"key":', '\u{10ffff}'];
/** Where the form of the length changes, and around the size of a read. */
const SIZES = [0, 1, 2, 5, 124, 125, 126, 127, 300, 65_535, 65_536, 70_000];

/** The same for the same seed. */
export async function randomSequence(seed: number, { close = true } = {}): Promise<Sequence> {
  const next = random(seed);
  // The lowest of its bits repeat soon.
  for (let i = 0; i < 5; i++) next();
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const masked = next() < 0.5;
  const deflate = next() < 0.6 ? { noContextTakeover: next() < 0.4, windowBits: 8 + below(8) } : undefined;
  const compressor = deflate && new WsCompressor(deflate);
  const frames: Buffer[] = [];
  const told: Told[] = [];
  const fragments: number[][] = [];
  const gaps: number[] = [0];
  let at = 0;
  const write = (opcode: number, payload: Buffer, fin = true, compressed = false) => {
    const key = masked
      ? { key: pick([octets(4), Buffer.from([0, 255, 128, below(256)]), Buffer.alloc(4)]) }
      : {};
    const frame = wsFrame({ opcode, payload, fin, compressed, ...key });
    frames.push(frame);
    at += frame.length;
  };
  const control = () => {
    const type = pick(['ping', 'pong'] as const);
    const data = octets(pick([0, 1, 4, 125]));
    write(type === 'ping' ? PING : PONG, data);
    told.push({ type, data: data.toString('hex') });
  };

  const count = 1 + below(8);
  for (let i = 0; i < count; i++) {
    if (next() < 0.3) control();
    gaps.push(at);
    const type = pick(['text', 'binary'] as const);
    const size = next() < 0.1 ? pick(SIZES) : pick(SIZES.slice(0, 9));
    let data = octets(size + 7).subarray(7);
    if (type === 'text') {
      const letters = Array.from({ length: Math.min(size, 40) }, () => pick(LETTERS)).join('');
      data = Buffer.from(letters.repeat(1 + Math.floor(size / 40)));
    }
    const compressed = compressor !== undefined && next() < 0.7;
    const payload = compressed ? await compressor.compress(data) : data;
    // Equal ends make empty fragments.
    const cuts = Array.from({ length: next() < 0.5 ? 0 : below(5) }, () => below(payload.length + 1));
    const ends = [...cuts.sort((a, b) => a - b), payload.length];
    for (const [n, end] of ends.entries()) {
      const opcode = n > 0 ? CONTINUATION : type === 'text' ? 1 : 2;
      write(opcode, payload.subarray(ends[n - 1] ?? 0, end), n === ends.length - 1, compressed && n === 0);
      if (n < ends.length - 1 && next() < 0.3) control();
    }
    gaps.push(at);
    told.push({ type, data: data.toString('hex') });
    fragments.push(ends.map((end, n) => end - (ends[n - 1] ?? 0)));
  }
  if (close) {
    const code = pick([1000, 1001, 1011, 3000, 4999, undefined]);
    const reason = code === undefined ? '' : pick(['', 'bye', 'später 😀']);
    const payload = Buffer.concat([
      Buffer.from(code === undefined ? [] : [code >> 8, code & 255]),
      Buffer.from(reason),
    ]);
    write(CLOSE, payload);
    told.push({ type: 'close', code: code ?? 1005, reason });
  }
  compressor?.close();
  return { masked, deflate, wire: Buffer.concat(frames), told, fragments, gaps };
}
