import { describe, it } from 'node:test';
import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'expect';
import { octets } from '../testing/bytes.js';
import type { AssemblerSetup } from './assembler.js';
import type { DeflateSide } from './extensions.js';
import { encodeFrame } from './frame.js';
import { assembling, contentOf } from './testing/assembling.js';
import { readByWs, type Told } from './testing/ws.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const TAKEOVER: DeflateSide = { noContextTakeover: false, windowBits: 15 };

function frame(opcode: number, payload: Buffer | string = '', fin = true, rsv = 0): Buffer {
  return encodeFrame({ opcode, fin, rsv, masked: false }, Buffer.from(payload as string));
}

function compressed(data: Buffer | string): Buffer {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** What is told of these octets, and of the same with each in a read of its own. */
async function toldOf(wire: Buffer, setup: Partial<AssemblerSetup> = {}): Promise<Told[]> {
  const whole = assembling(setup);
  whole.assembler.read(wire);
  await whole.idle();
  const single = assembling(setup);
  for (const octet of wire) single.assembler.read(Buffer.from([octet]));
  await single.idle();
  expect(single.told).toEqual(whole.told);
  whole.assembler.close();
  single.assembler.close();
  return whole.told;
}

const text = (data: string): Told => ({ type: 'text', data: Buffer.from(data).toString('hex') });

describe('violations', () => {
  /** Each with what stands right beside it and is allowed. */
  const TABLE: [what: string, setup: Partial<AssemblerSetup>, code: number, bad: string, good: string[]][] = [
    ['a frame that is not masked', { masked: true }, 1002, '8100', ['8180 01020304']],
    ['an unmasked ping', { masked: true }, 1002, '8900', ['8980 01020304']],
    ['a masked frame', {}, 1002, '8180 01020304', ['8100']],
    ['a masked close', {}, 1002, '8880 01020304', ['8800']],
    ['the first reserved bit', {}, 1002, 'c100', ['8100']],
    ['the second', {}, 1002, 'a100', ['8100']],
    ['the third', {}, 1002, '9100', ['8100']],
    ['the second beside compression', { deflate: TAKEOVER }, 1002, 'a10100', ['c10100']],
    ['the first two beside compression', { deflate: TAKEOVER }, 1002, 'e10100', ['c20100']],
    [
      'a compressed continuation',
      { deflate: TAKEOVER },
      1002,
      '4103f248cd c004c9c90700',
      ['4103f248cd 8004c9c90700'],
    ],
    ['a compressed ping', { deflate: TAKEOVER }, 1002, 'c90100', ['8900', '890100']],
    ['opcode 3', {}, 1002, '8300', ['8200']],
    ['opcode 7', {}, 1002, '8700', ['8100']],
    ['opcode 11', {}, 1002, '8b00', ['8a00']],
    ['opcode 15', {}, 1002, '8f00', ['8900']],
    ['a ping in fragments', {}, 1002, '0900', ['8900']],
    ['a close in fragments', {}, 1002, '0800', ['8800']],
    ['a ping of 126', {}, 1002, `897e007e${'00'.repeat(126)}`, [`897d${'00'.repeat(125)}`]],
    ['a pong of 65536', {}, 1002, `8a7f0000000000010000${'00'.repeat(65_536)}`, [`8a7d${'00'.repeat(125)}`]],
    ['a continuation of nothing', {}, 1002, '8000', ['0100 8000']],
    ['a second continuation', {}, 1002, '0100 8000 8000', ['0100 0000 8000']],
    ['a message in a message', {}, 1002, '0100 8100', ['0100 8000 8100', '0100 8900 8000']],
    ['fragments in fragments', {}, 1002, '0200 0200', ['0200 0000']],
    ['a close of one octet', {}, 1002, '880103', ['8800', '880203e8']],
    ['code 999', {}, 1002, '880203e7', ['880203e8']],
    ['code 1004', {}, 1002, '880203ec', ['880203eb']],
    ['code 1005', {}, 1002, '880203ed', ['880203ef']],
    ['code 1006', {}, 1002, '880203ee', ['880203ef']],
    ['code 1015', {}, 1002, '880203f7', ['880203f6']],
    ['code 5000', {}, 1002, '88021388', ['88021387', '88020bb8']],
    ['code 0', {}, 1002, '88020000', ['880203f3']],
    ['a reason that is not UTF-8', {}, 1007, '880303e8ff', ['880403e8c3a9']],
    ['a reason cut in a character', {}, 1007, '880403e8e282', ['880503e8e282ac']],
    ['text that is not UTF-8', {}, 1007, '8101ff', ['8201ff', '8102c3a9']],
    ['text that ends in a character', {}, 1007, '8101c3', ['0101c3 8001a9']],
    ['fragments that end in a character', {}, 1007, '0101c3 8000', ['0101c3 8900 8001a9']],
    ['a surrogate in fragments', {}, 1007, '0101ed 8002a080', ['0101ed 80029fbf']],
    [
      'compressed text that is not UTF-8',
      { deflate: TAKEOVER },
      1007,
      'c107000100feffff00',
      ['c207000100feffff00'],
    ],
    [
      'compressed text that ends in a character',
      { deflate: TAKEOVER },
      1007,
      'c107000100feffc300',
      ['c108000200fdffc3a900'],
    ],
    [
      'compressed data that are none',
      { deflate: TAKEOVER },
      1007,
      'c204ffffffff',
      ['8204ffffffff', 'c20100'],
    ],
    [
      'a reference to nothing',
      { deflate: TAKEOVER },
      1007,
      'c105f200110000',
      ['c107f248cdc9c90700 c105f200110000'],
    ],
    [
      'a reference to a forgotten message',
      { deflate: { ...TAKEOVER, noContextTakeover: true } },
      1007,
      'c107f248cdc9c90700 c105f200110000',
      ['c107f248cdc9c90700 c107f248cdc9c90700'],
    ],
    ['a length beyond 2^63', {}, 1002, '827f8000000000000000', ['827f00000000000000010a']],
  ];

  for (const [what, setup, code, bad, good] of TABLE) {
    it(`${code}: ${what}`, async () => {
      const { masked = false, deflate } = setup;
      const errors = (await toldOf(hex(bad), setup)).filter(({ type }) => type === 'error');
      expect(errors[0]).toEqual({ type: 'error', code });
      // Another implementation agrees, but that it calls every length it can't count too large.
      const byWs = (await readByWs(hex(bad), { masked, deflate })).at(-1);
      expect(byWs).toEqual({ type: 'error', code: bad.startsWith('827f80') ? 1009 : code });
      for (const wire of good) {
        const told = await toldOf(hex(wire), setup);
        expect([wire, told.filter(({ type }) => type === 'error')]).toEqual([wire, []]);
        expect(told).toEqual(await readByWs(hex(wire), { masked, deflate }));
      }
    });
  }

  it('1009: what is larger than can be held, plain and decompressed, and one octet less is not', async () => {
    for (const deflate of [undefined, TAKEOVER]) {
      const message = (size: number) =>
        deflate === undefined
          ? Buffer.concat([frame(2, octets(500), false), frame(0, octets(size - 500))])
          : frame(2, compressed(octets(size)), true, 4);
      const setup = { deflate, bearable: 1000 };
      const good = await toldOf(message(1000), setup);
      expect(good).toEqual([{ type: 'binary', data: expect.anything() }]);
      const bad = assembling(setup);
      bad.assembler.read(message(1001));
      await bad.idle();
      expect(bad.told[0]).toEqual({ type: 'error', code: 1009 });
      expect(bad.violations[0]).toContain('1000 octets');
      bad.assembler.close();
    }
  });

  it('1009: a frame too long to be counted', async () => {
    expect(await toldOf(hex('827f0020000000000000 00'))).toEqual([{ type: 'error', code: 1009 }]);
    expect(await toldOf(hex('827f001fffffffffffff 00'))).toEqual([]);
  });

  it('1009: a frame that says it is too large, before it has come', async () => {
    const setup = { bearable: 1000 };
    expect(await toldOf(hex('827e03e9'), setup)).toEqual([{ type: 'error', code: 1009 }]);
    expect(await toldOf(hex('827e03e8'), setup)).toEqual([]);
  });

  it('is told before the message that it concerns, which is told all the same', async () => {
    expect(await toldOf(hex('8101ff 810161'))).toEqual([
      { type: 'error', code: 1007 },
      { type: 'text', data: 'ff' },
      { type: 'text', data: '61' },
    ]);
    // What there is of a message that is cut off by the next.
    expect(await toldOf(hex('010161 010162 800163'))).toEqual([
      { type: 'error', code: 1002 },
      { type: 'text', data: '61' },
      { type: 'text', data: '6263' },
    ]);
  });

  it('is told once of a text, wherever it is found', async () => {
    const wire = hex('0101ff 0001ff 8001ff 8102c3a9');
    expect(await toldOf(wire)).toEqual([
      { type: 'error', code: 1007 },
      { type: 'text', data: 'ffffff' },
      text('é'),
    ]);
  });
});

describe('Assembler', () => {
  it('tells compressed and other messages in the order of their ends', async () => {
    const { assembler, told, idle, messages } = assembling({ deflate: TAKEOVER });
    const large = octets(100_000);
    assembler.read(
      Buffer.concat([
        frame(2, compressed(large), true, 4),
        frame(1, 'plain', false),
        frame(9, 'ping'),
        frame(0, ' and simple'),
        frame(1, hex('f248cdc9c90700'), true, 4),
        frame(1, 'last'),
      ]),
    );
    // Only what nothing has to wait for.
    expect(told).toEqual([{ type: 'ping', data: Buffer.from('ping').toString('hex') }]);
    expect(assembler.ending).toBe(true);
    await idle();
    expect(told.slice(1)).toEqual([
      { type: 'binary', data: large.toString('hex') },
      text('plain and simple'),
      text('Hello'),
      text('last'),
    ]);
    expect(messages.map(({ fragments }) => fragments)).toEqual([
      [compressed(large).length],
      [5, 11],
      [7],
      [4],
    ]);
    expect(messages.map(({ compressed }) => compressed)).toEqual([true, false, true, false]);
    assembler.close();
  });

  it('checks the text of each message by itself, though one is read while another is decompressed', async () => {
    const { assembler, told, idle } = assembling({ deflate: TAKEOVER });
    assembler.read(
      Buffer.concat([frame(1, compressed('ä'.repeat(100_000)), true, 4), frame(1, hex('c3'), false)]),
    );
    await idle();
    assembler.read(Buffer.concat([frame(0, hex('a4')), frame(1, compressed('ö'), true, 4)]));
    await idle();
    expect(told).toEqual([text('ä'.repeat(100_000)), text('ä'), text('ö')]);
    assembler.close();
  });

  it('says what is broken, and goes on with what is not compressed', async () => {
    const { assembler, told, idle, violations } = assembling({ deflate: TAKEOVER });
    assembler.read(
      Buffer.concat([
        frame(1, compressed('before'), true, 4),
        frame(1, hex('ffffffff'), true, 4),
        frame(1, 'plain'),
        frame(1, compressed('lost'), true, 4),
      ]),
    );
    await idle();
    assembler.read(Buffer.concat([frame(1, compressed('lost too'), true, 4), frame(1, 'plain too')]));
    expect(assembler.ending).toBe(false);
    expect(told).toEqual([text('before'), { type: 'error', code: 1007 }, text('plain'), text('plain too')]);
    expect(violations[0]).toMatch(/can't be decompressed \(invalid .*\); neither can those after it/);
  });

  it('stores no more than the limit, and counts all', async () => {
    for (const masked of [false, true]) {
      for (const deflate of [undefined, TAKEOVER]) {
        for (const [limit, truncated] of [
          [0, true],
          [1, true],
          [999, true],
          [1499, true],
          [1500, false],
          [1501, false],
        ] as const) {
          const { assembler, messages, idle } = assembling({ limit, masked, deflate });
          const data = octets(1500);
          const wire = deflate === undefined ? data : compressed(data);
          const rsv = deflate === undefined ? 0 : 4;
          const parts = [wire.subarray(0, 200), wire.subarray(200)] as const;
          assembler.read(encodeFrame({ opcode: 2, fin: false, rsv, masked }, parts[0]));
          assembler.read(encodeFrame({ opcode: 0, fin: true, masked }, parts[1]));
          assembler.read(encodeFrame({ opcode: 2, fin: true, masked }, Buffer.alloc(0)));
          await idle();
          const [first, empty] = messages;
          if (first === undefined || empty === undefined) throw new Error('no messages');
          expect([first.size, first.truncated]).toEqual([1500, truncated]);
          expect(first.fragments).toEqual([200, wire.length - 200]);
          expect(contentOf(first).equals(data.subarray(0, limit))).toBe(true);
          expect([empty.size, empty.truncated]).toEqual([0, false]);
          assembler.close();
        }
      }
    }
  });

  it('stores what stays, though the read buffer is used again', async () => {
    for (const limit of [Number.POSITIVE_INFINITY, 100_000]) {
      const { assembler, messages, told, idle } = assembling({ recycled: true, limit, deflate: TAKEOVER });
      const buffer = Buffer.alloc(5000);
      const wire = Buffer.concat([
        frame(1, 'a'.repeat(4000), false),
        frame(10, 'pong'),
        frame(0, 'b'.repeat(7000)),
        frame(2, compressed(octets(9000)), true, 4),
        frame(8, hex('03e8626965')),
      ]);
      for (let at = 0; at < wire.length; at += buffer.length) {
        const copied = wire.copy(buffer, 0, at);
        assembler.read(buffer.subarray(0, copied));
        buffer.fill(0xff);
      }
      await idle();
      const contents = messages.map(contentOf);
      expect(contents[0]?.toString()).toBe('a'.repeat(4000) + 'b'.repeat(7000));
      expect(contents[1]?.equals(octets(9000))).toBe(true);
      expect(told).toContainEqual({ type: 'pong', data: Buffer.from('pong').toString('hex') });
      expect(told).toContainEqual({ type: 'close', code: 1000, reason: 'bie' });
      assembler.close();
    }
  });

  it('tells control frames and where frames end, but no messages, beside unknown extensions', async () => {
    const { assembler, told } = assembling({ opaque: true, deflate: undefined });
    assembler.read(
      Buffer.concat([frame(1, hex('ff'), false, 7), frame(9, 'p', true, 2), frame(0, 'x', true, 1)]),
    );
    assembler.read(frame(8));
    expect(told).toEqual([
      { type: 'ping', data: '70' },
      { type: 'close', code: 1005, reason: '' },
    ]);
    expect(assembler.betweenMessages).toBe(true);
  });

  it('knows at each octet whether it is between messages, and how much has come of one', () => {
    const { assembler } = assembling();
    const wire = Buffer.concat([
      frame(1, 'ab', false),
      frame(9, 'p'),
      frame(0, 'c'),
      frame(9, 'q'),
      frame(1),
    ]);
    const seen: string[] = [];
    for (const octet of wire) {
      assembler.read(Buffer.from([octet]));
      seen.push(assembler.betweenMessages ? 'between' : String(assembler.unfinished));
    }
    expect(seen.join(' ')).toBe(
      'undefined 0 1 2 2 2 2 2 2 between undefined undefined between undefined between',
    );
  });

  it('records the sizes of a million fragments, and holds a message of no more', () => {
    const empty = Buffer.concat(Array.from({ length: 1000 }, () => frame(0, '', false)));
    for (const bearable of [1024, Number.POSITIVE_INFINITY]) {
      const { assembler, messages, told } = assembling({ bearable });
      assembler.read(frame(2, 'a', false));
      for (let i = 0; i < 1000; i++) assembler.read(empty);
      assembler.read(frame(0, 'z'));
      const errors = told.filter(({ type }) => type === 'error');
      expect(errors.length > 0).toBe(bearable === 1024);
      expect(errors.every((error) => 'code' in error && error.code === 1009)).toBe(true);
      expect(messages.map(({ size, fragments }) => [size, fragments.length])).toEqual([[2, 1_000_000]]);
    }
  });

  it('says that much waits to be decompressed, and when little does', async () => {
    let drains = 0;
    const { assembler, idle } = assembling({ deflate: TAKEOVER }, () => drains++);
    const stored = deflateRawSync(octets(400_000), { level: 0, finishFlush: constants.Z_SYNC_FLUSH });
    assembler.read(frame(2, stored.subarray(0, -4), true, 4));
    expect(assembler.full).toBe(true);
    await idle();
    expect([assembler.full, drains]).toEqual([false, 1]);
    // Broken data do not leave anybody waiting.
    assembler.read(frame(2, Buffer.alloc(400_000, 0xff), true, 4));
    expect(assembler.full).toBe(true);
    await idle();
    expect([assembler.full, drains]).toEqual([false, 2]);
  });
});
