import { describe, it } from 'node:test';
import { expect } from 'expect';
import { applyMask } from '../flow/mask.js';
import { FrameScanner } from './frame-scanner.js';

/** A frame as it was told; places count from the first octet of all. */
interface ToldFrame {
  at: number;
  fin: boolean;
  rsv: number;
  opcode: number;
  length: number;
  masked: boolean;
  header: string;
  /** Unmasked. */
  payload: string;
  end: number;
}

class Listener {
  readonly frames: ToldFrame[] = [];
  readonly scanner: FrameScanner;
  /** Called with each frame's end. */
  onEnd: () => void = () => undefined;
  #base = 0;
  #payload: Buffer[] = [];
  #open: Omit<ToldFrame, 'payload' | 'end'> | undefined;

  constructor() {
    const scanner = new FrameScanner({
      frameStart: (at) => {
        const { fin, rsv, opcode, length, masked } = scanner;
        const header = scanner.header().toString('hex');
        expect(header.length).toBe(2 * scanner.headerLength);
        this.#open = { at: this.#base + at, fin, rsv, opcode, length, masked, header };
        this.#payload = [];
      },
      payload: (bytes, start, end) => {
        expect(end).toBeGreaterThan(start);
        const part = Buffer.from(bytes.subarray(start, end));
        if (scanner.masked) applyMask(part, 0, part.length, scanner.key, scanner.length - scanner.left);
        this.#payload.push(part);
      },
      frameEnd: (at) => {
        if (this.#open === undefined) throw new Error('an end without a start');
        const payload = Buffer.concat(this.#payload).toString('hex');
        this.frames.push({ ...this.#open, payload, end: this.#base + at });
        this.#open = undefined;
        this.onEnd();
      },
    });
    this.scanner = scanner;
  }

  /** @returns how many were looked at */
  scan(bytes: Buffer): number {
    const looked = this.scanner.scan(bytes);
    this.#base += looked;
    return looked;
  }
}

function framesOf(...parts: Buffer[]): ToldFrame[] {
  const listener = new Listener();
  for (const part of parts) expect(listener.scan(part)).toBe(part.length);
  return listener.frames;
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const textOf = (frame: ToldFrame | undefined) => Buffer.from(frame?.payload ?? '', 'hex').toString();

/** All kinds: plain, masked, empty, each form of length, control frames between fragments, reserved bits and opcodes. */
const TRANSCRIPT = Buffer.concat([
  hex('81 05 48656c6c6f'),
  hex('81 85 37fa213d 7f9f4d5158'),
  hex('01 03 48656c'),
  hex('89 00'),
  hex('8a 85 00000000 48656c6c6f'),
  hex('80 02 6c6f'),
  hex('82 80 01020304'),
  hex('c1 07 f248cdc9c90700'),
  hex('02 7e 0080'),
  Buffer.alloc(128, 7),
  // Longer forms than needed.
  hex('00 fe 0003 ffffffff 010203'),
  hex('80 7f 0000000000000002 aabb'),
  hex('f3 ff 0000000000000005 80ff0001 0102030405'),
  hex('88 02 03e8'),
]);

describe('FrameScanner', () => {
  it("finds the RFC's examples (RFC 6455 section 5.7)", () => {
    const [hello] = framesOf(hex('81 05 48 65 6c 6c 6f'));
    expect(hello).toMatchObject({ at: 0, fin: true, rsv: 0, opcode: 1, length: 5, masked: false, end: 7 });
    expect(textOf(hello)).toBe('Hello');

    const [masked] = framesOf(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'));
    expect(masked).toMatchObject({ fin: true, opcode: 1, length: 5, masked: true, header: '818537fa213d' });
    expect(textOf(masked)).toBe('Hello');

    const [first, second] = framesOf(hex('01 03 48 65 6c 80 02 6c 6f'));
    expect(first).toMatchObject({ at: 0, fin: false, opcode: 1, length: 3, end: 5 });
    expect(second).toMatchObject({ at: 5, fin: true, opcode: 0, length: 2, end: 9 });
    expect([textOf(first), textOf(second)]).toEqual(['Hel', 'lo']);

    const [ping, pong] = framesOf(hex('89 05 48656c6c6f 8a 85 37fa213d 7f9f4d5158'));
    expect(ping).toMatchObject({ opcode: 9, masked: false });
    expect(pong).toMatchObject({ opcode: 10, masked: true });
    expect([textOf(ping), textOf(pong)]).toEqual(['Hello', 'Hello']);

    for (const [header, length] of [
      ['82 7E 0100', 256],
      ['82 7F 0000000000010000', 65_536],
    ] as const) {
      const payload = Buffer.alloc(length, 'x');
      const [frame] = framesOf(Buffer.concat([hex(header), payload]));
      expect(frame).toMatchObject({ opcode: 2, length, payload: payload.toString('hex') });
    }
  });

  it('tells the same wherever the octets are cut', () => {
    const whole = framesOf(TRANSCRIPT);
    expect(whole.map(({ opcode }) => opcode)).toEqual([1, 1, 1, 9, 10, 0, 2, 1, 2, 0, 0, 3, 8]);
    expect(whole.map(({ header }) => header).join(' ')).toBe(
      '8105 818537fa213d 0103 8900 8a8500000000 8002 828001020304 c107 027e0080 00fe0003ffffffff 807f0000000000000002 f3ff000000000000000580ff0001 8802',
    );
    expect(whole[11]).toMatchObject({ fin: true, rsv: 7, opcode: 3, payload: '81fd030585' });
    expect(whole.at(-1)?.end).toBe(TRANSCRIPT.length);

    for (let i = 0; i <= TRANSCRIPT.length; i++) {
      for (let j = i; j <= Math.min(TRANSCRIPT.length, i + 20); j++) {
        const parts = [TRANSCRIPT.subarray(0, i), TRANSCRIPT.subarray(i, j), TRANSCRIPT.subarray(j)];
        expect(framesOf(...parts)).toEqual(whole);
      }
    }
    expect(framesOf(...Array.from(TRANSCRIPT, (octet) => Buffer.from([octet])))).toEqual(whole);
  });

  it('knows of each place whether it is in a header or in a frame', () => {
    const { scanner } = new Listener();
    const seen: string[] = [];
    for (const octet of hex('81 83 01020304 aabbcc 8900')) {
      scanner.scan(Buffer.from([octet]));
      seen.push(`${scanner.headerHeld}${scanner.inFrame ? `+${scanner.left}` : ''}`);
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5', '0+3', '0+2', '0+1', '0', '1', '0']);
  });

  it('stops behind the frame that is being told, and goes on from there', () => {
    for (const cut of [0, 3, 7, 9]) {
      const bytes = hex('81 05 48656c6c6f 8900 81 01 61');
      const listener = new Listener();
      listener.scan(bytes.subarray(0, cut));
      // Each frame, and twice that it should.
      listener.onEnd = () => {
        listener.scanner.stop();
        listener.scanner.stop();
      };
      let at = cut;
      const stops: number[] = [];
      while (at < bytes.length) {
        at += listener.scan(bytes.subarray(at));
        stops.push(at);
      }
      expect(stops).toEqual([7, 9, 12].filter((end) => end > cut));
      expect(listener.frames.map(({ end }) => end)).toEqual([7, 9, 12]);
    }
  });

  it('reads lengths up to 2^53, and is lost beyond', () => {
    for (const [length, value, lost] of [
      ['0000000100000001', 2 ** 32 + 1, false],
      ['001fffffffffffff', Number.MAX_SAFE_INTEGER, false],
      ['0020000000000000', 2 ** 53, true],
      ['8000000000000000', 2 ** 63, true],
      ['ffffffffffffffff', 2 ** 64, true],
    ] as const) {
      const { scanner, frames } = new Listener();
      scanner.scan(hex(`82 7f ${length}`));
      expect([length, scanner.length, scanner.lost]).toEqual([length, value, lost]);
      // All that comes is its payload.
      expect(scanner.scan(hex('810161'))).toBe(3);
      expect([scanner.inFrame, frames.length]).toEqual([true, 0]);
    }
  });

  it('keeps no octets of a read but those of a header', () => {
    const listener = new Listener();
    const read = hex('81 05 48656c6c6f 81 fe');
    listener.scan(read);
    read.fill(0xff);
    listener.scan(hex('0001 01020304 62'));
    expect(listener.frames.map(({ header, payload }) => [header, payload])).toEqual([
      ['8105', '48656c6c6f'],
      ['81fe000101020304', '63'],
    ]);
  });
});
