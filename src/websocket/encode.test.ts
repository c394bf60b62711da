import { describe, it } from 'node:test';
import { expect } from 'expect';
import { applyMask } from '../flow/mask.js';
import { octets } from '../testing/bytes.js';
import { Deflater } from './deflater.js';
import { encodeMessage, type Reencoding } from './encode.js';
import type { DeflateSide } from './extensions.js';
import { CLOSE, closeFrame, encodeFrame, isCloseCode, PING, TEXT } from './frame.js';
import { assembling, recordOf } from './testing/assembling.js';
import { readByWs, WsCompressor, wsFrame } from './testing/ws.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const KEY = hex('37fa213d');

interface Came {
  opcode?: number;
  /** One fragment each, as on the wire. */
  fragments: Buffer[];
  compressed?: boolean;
}

/** What `encodeMessage` writes of a message, after a hook did `edit`. */
async function encoded(
  { opcode = 1, fragments, compressed = false }: Came,
  how: Reencoding,
  edit?: Buffer | string,
): Promise<Buffer[]> {
  const { assembler, messages, idle } = assembling({
    masked: how.masked,
    deflate: how.deflate && { ...how.deflate, noContextTakeover: true },
  });
  for (const [i, payload] of fragments.entries()) {
    const fin = i === fragments.length - 1;
    const first = i === 0;
    const frame = { opcode: first ? opcode : 0, payload, fin, compressed: first && compressed };
    assembler.read(wsFrame(how.masked ? { ...frame, key: KEY } : frame));
  }
  await idle();
  assembler.close();
  const [message] = messages;
  if (message === undefined) throw new Error('no message');
  const record = recordOf(message);
  if (edit !== undefined) record.data = edit;
  return new Promise((resolve, reject) => {
    const now = encodeMessage(message, record, how, (frames, error) =>
      frames === undefined ? reject(error) : resolve(frames),
    );
    if (now !== undefined) resolve(now);
  });
}

function reencoding(deflate?: DeflateSide, masked = false): Reencoding {
  return { deflate, masked, begun: false, deflater: undefined };
}

/** Of each frame: opcode, whether it is the last, reserved bits, whether it is masked, and octets of payload. */
function shapes(frames: Buffer[]): [number, boolean, number, boolean, number][] {
  return frames.map((frame) => {
    const [first = 0, second = 0] = frame;
    const short = second & 127;
    const size =
      short === 126 ? frame.readUInt16BE(2) : short === 127 ? Number(frame.readBigUInt64BE(2)) : short;
    return [first & 15, first > 127, (first >> 4) & 7, second > 127, size];
  });
}

describe('encodeFrame', () => {
  it("writes the RFC's examples (RFC 6455 section 5.7)", () => {
    const hello = Buffer.from('Hello');
    const wire = (opcode: number, fin: boolean, payload: Buffer, rsv = 0) =>
      encodeFrame({ opcode, fin, rsv, masked: false }, payload).toString('hex');
    expect(wire(TEXT, true, hello)).toBe('810548656c6c6f');
    expect(wire(TEXT, false, hello.subarray(0, 3))).toBe('010348656c');
    expect(wire(0, true, hello.subarray(3))).toBe('80026c6f');
    expect(wire(PING, true, hello)).toBe('890548656c6c6f');
    expect(wire(TEXT, true, hex('f248cdc9c90700'), 4)).toBe('c107f248cdc9c90700');
    for (const [length, header] of [
      [0, '8200'],
      [125, '827d'],
      [126, '827e007e'],
      [256, '827e0100'],
      [65_535, '827effff'],
      [65_536, '827f0000000000010000'],
    ] as const) {
      const payload = octets(length);
      const frame = encodeFrame({ opcode: 2, fin: true, masked: false }, payload);
      const start = header.length / 2;
      expect(frame.toString('hex', 0, start)).toBe(header);
      expect(frame.subarray(start).equals(payload)).toBe(true);
    }
  });

  it('masks with another key each time, and leaves the payload as it was', () => {
    const payload = octets(300);
    const keys = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const frame = encodeFrame({ opcode: 2, fin: true, masked: true }, payload);
      expect(frame.toString('hex', 0, 4)).toBe('82fe012c');
      const key = frame.readInt32LE(4);
      keys.add(key);
      expect(frame.subarray(8).equals(payload)).toBe(key === 0);
      applyMask(frame, 8, frame.length, key, 0);
      expect(frame.subarray(8).equals(payload)).toBe(true);
    }
    expect(keys.size).toBeGreaterThan(15);
    expect(payload.equals(octets(300))).toBe(true);
  });
});

describe('closeFrame', () => {
  it('holds a code and a reason', async () => {
    expect(closeFrame(1000, '', false).toString('hex')).toBe('880203e8');
    expect(closeFrame(4001, 'bye', false).toString('hex')).toBe('88050fa1627965');
    const told = await readByWs(closeFrame(1011, 'später', true), { masked: true });
    expect(told).toEqual([{ type: 'close', code: 1011, reason: 'später' }]);
  });

  it('cuts a reason that is too long between characters', async () => {
    for (const [reason, kept] of [
      ['x'.repeat(123), 123],
      ['x'.repeat(124), 123],
      ['€'.repeat(41), 123],
      ['€'.repeat(42), 123],
      [`x${'€'.repeat(41)}`, 121],
      [`xx${'€'.repeat(41)}`, 122],
      [`${'😀'.repeat(31)}`, 120],
    ] as const) {
      const frame = closeFrame(1000, reason, false);
      const shown = Buffer.from(reason).subarray(0, kept).toString();
      expect(shown).not.toContain('\ufffd');
      const told = await readByWs(frame, { masked: false });
      expect(told).toEqual([{ type: 'close', code: 1000, reason: shown }]);
    }
  });

  it('knows the codes that may be sent', () => {
    const good = [
      1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ];
    const bad = [0, 1, 999, 1004, 1005, 1006, 1015, 5000, 65_535];
    expect([good.filter(isCloseCode), bad.filter(isCloseCode)]).toEqual([good, []]);
  });
});

describe('encodeMessage', () => {
  for (const masked of [false, true]) {
    const who = masked ? 'to a server' : 'to a client';
    it(`keeps the fragments of a message whose length is unchanged, ${who}`, async () => {
      const fragments = ['Hel', '', 'lo, you', ''].map((part) => Buffer.from(part));
      const frames = await encoded({ fragments }, reencoding(undefined, masked), 'HELLO, YOU');
      expect(shapes(frames)).toEqual([
        [1, false, 0, masked, 3],
        [0, false, 0, masked, 0],
        [0, false, 0, masked, 7],
        [0, true, 0, masked, 0],
      ]);
      const told = await readByWs(Buffer.concat(frames), { masked });
      expect(told).toEqual([{ type: 'text', data: Buffer.from('HELLO, YOU').toString('hex') }]);
    });

    it(`writes one frame if the length changed, ${who}`, async () => {
      const fragments = [octets(10), octets(20)];
      for (const edit of [octets(29), octets(31), octets(70_000), Buffer.alloc(0)]) {
        const frames = await encoded({ opcode: 2, fragments }, reencoding(undefined, masked), edit);
        expect(shapes(frames)).toEqual([[2, true, 0, masked, edit.length]]);
        const told = await readByWs(Buffer.concat(frames), { masked });
        expect(told).toEqual([{ type: 'binary', data: edit.toString('hex') }]);
      }
    });
  }

  it('leaves a message uncompressed that came so', async () => {
    const how = reencoding({ noContextTakeover: false, windowBits: 15 });
    const frames = await encoded({ fragments: [Buffer.from('plain')] }, how, 'edited');
    expect(Buffer.concat(frames).toString()).toContain('edited');
    expect(how.deflater).toBeUndefined();
  });

  for (const noContextTakeover of [false, true]) {
    for (const windowBits of [9, 10, 12, 15]) {
      const side = { noContextTakeover, windowBits };
      it(`compresses what came so, ${noContextTakeover ? 'each by itself' : 'with context'}, in a window of 2^${windowBits}`, async () => {
        const how = reencoding(side);
        const compressor = new WsCompressor({ ...side, noContextTakeover: true });
        const wire: Buffer[] = [];
        const alone: boolean[] = [];
        const expected: string[] = [];
        // Repetition near and far, so that a reference beyond the window would show.
        const far = octets(3000).toString('hex');
        const texts = ['Hello', 'Hello', far.repeat(12), '', far, far, 'Hello'];
        for (const text of texts) {
          const whole = await compressor.compress(Buffer.from(text));
          const cut = Math.ceil(whole.length / 2);
          const fragments = [whole.subarray(0, cut), whole.subarray(cut), Buffer.alloc(0)];
          // Of the same length, so that there are as many frames.
          const edit = text.replaceAll('7', '8');
          const frames = await encoded({ fragments, compressed: true }, how, edit);
          expect(shapes(frames).map(([opcode, fin, rsv]) => [opcode, fin, rsv])).toEqual([
            [1, false, 4],
            [0, false, 0],
            [0, true, 0],
          ]);
          expect(shapes(frames).every(([, , , , size], i) => size > 0 || i > 0)).toBe(true);
          wire.push(...frames);
          expected.push(Buffer.from(edit).toString('hex'));
          const [itself] = await readByWs(Buffer.concat(frames), { masked: false, deflate: side });
          alone.push(itself?.type === 'text' && itself.data === expected.at(-1));
        }
        const told = await readByWs(Buffer.concat(wire), { masked: false, deflate: side });
        expect(told).toEqual(expected.map((data) => ({ type: 'text', data })));
        // With context, the second refers to the first.
        expect(alone[1]).toBe(noContextTakeover);
        how.deflater?.close();
        compressor.close();
      });
    }
  }

  it('sends uncompressed what came compressed in the smallest window, in as many frames', async () => {
    const side = { noContextTakeover: false, windowBits: 8 };
    expect(Deflater.canWrite(side)).toBe(false);
    const how = reencoding(side);
    const compressor = new WsCompressor({ ...side, noContextTakeover: true });
    const whole = await compressor.compress(Buffer.from('0123456789'));
    const fragments = [whole.subarray(0, 1), whole.subarray(1, 2), whole.subarray(2)];
    const frames = await encoded({ fragments, compressed: true }, how, 'abcdefghij');
    expect(shapes(frames)).toEqual([
      [1, false, 0, false, 4],
      [0, false, 0, false, 4],
      [0, true, 0, false, 2],
    ]);
    const told = await readByWs(Buffer.concat(frames), { masked: false, deflate: side });
    expect(told).toEqual([{ type: 'text', data: Buffer.from('abcdefghij').toString('hex') }]);
    compressor.close();
  });

  it('sends another number of frames when the length of a compressed one changed', async () => {
    const how = reencoding({ noContextTakeover: true, windowBits: 15 });
    const fresh = reencoding({ noContextTakeover: true, windowBits: 15 });
    const fragments = [hex('f248cd'), hex('c9c90700')];
    const one = await encoded({ fragments, compressed: true }, how, 'longer than it was');
    expect(shapes(one).map(([opcode, fin, rsv]) => [opcode, fin, rsv])).toEqual([[1, true, 4]]);
    // Emptied: one octet stands for nothing (RFC 7692 section 7.2.3.6).
    for (const one of [how, fresh]) {
      const none = await encoded({ fragments, compressed: true }, one, '');
      expect(Buffer.concat(none).toString('hex')).toBe('c10100');
    }
    expect(fresh.deflater).toBeUndefined();
    how.deflater?.close();
  });
});

describe('Deflater', () => {
  it('does not call back once closed', async () => {
    const deflater = new Deflater({ noContextTakeover: false, windowBits: 15 });
    let calls = 0;
    deflater.compress(octets(1_000_000), () => calls++);
    deflater.close();
    const other = new Deflater({ noContextTakeover: false, windowBits: 15 });
    await new Promise<void>((resolve) => other.compress(octets(1_000_000), () => resolve()));
    expect(calls).toBe(0);
    other.close();
  });
});

describe('a frame of ws', () => {
  // The other tests rest on it.
  it('is what encodeFrame writes', () => {
    const payload = octets(200);
    const fields = { opcode: CLOSE, fin: true, masked: false };
    expect(wsFrame({ opcode: CLOSE, payload }).equals(encodeFrame(fields, payload))).toBe(true);
  });
});
