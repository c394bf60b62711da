import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { expect } from 'expect';
import { octets, random, split } from '../testing/bytes.js';
import type { DeflateSide } from './extensions.js';
import { Inflater } from './inflater.js';
import { WsCompressor } from './testing/ws.js';

const TAKEOVER: DeflateSide = { noContextTakeover: false, windowBits: 15 };
const ALONE: DeflateSide = { noContextTakeover: true, windowBits: 15 };
/** Waiting octets beyond which an inflater asks for a pause. */
const HIGH_WATER = 256 * 1024;

class Listener {
  readonly messages: Buffer[] = [];
  readonly broken: string[] = [];
  drains = 0;
  readonly inflater: Inflater;
  /** Of the message that has not ended. */
  output: Buffer[] = [];

  constructor(side: DeflateSide = TAKEOVER) {
    this.inflater = new Inflater(side, {
      output: (bytes) => this.output.push(bytes),
      messageEnd: () => this.messages.push(Buffer.concat(this.output.splice(0))),
      broken: (why) => this.broken.push(why),
      drain: () => this.drains++,
    });
  }

  get texts(): string[] {
    return this.messages.map(String);
  }

  /** A whole message, in these parts. */
  message(...parts: Buffer[]): void {
    for (const part of parts) this.inflater.write(part);
    this.inflater.end();
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await setImmediate();
  }

  /** Waits until so many messages have ended, or it is broken. */
  ended(count: number): Promise<void> {
    return this.until(() => this.messages.length >= count || this.broken.length > 0);
  }
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const single = (bytes: Buffer) => Array.from(bytes, (octet) => Buffer.from([octet]));

/** As it stands in a message: without the end of the last block. */
function compressed(data: string | Buffer): Buffer {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** Ends with a final block (RFC 7692 section 7.2.3.4). */
function finished(data: string | Buffer): Buffer {
  return deflateRawSync(data);
}

describe('Inflater', () => {
  it("reads the RFC's examples (RFC 7692 section 7.2.3), each wherever it is cut", async () => {
    for (const [what, messages, texts] of [
      ['one block', ['f248cdc9c90700'], ['Hello']],
      ['shared context', ['f248cdc9c90700', 'f200110000'], ['Hello', 'Hello']],
      ['no compression', ['000500faff48656c6c6f00'], ['Hello']],
      ['a final block', ['f348cdc9c9070000'], ['Hello']],
      ['two blocks', ['f2480500 0000ffff cac9c90700'], ['Hello']],
      ['an empty message', ['00'], ['']],
      ['all of them', ['f248cdc9c90700', '00', 'f200110000', 'f2480500 0000ffff cac9c90700'], null],
    ] as const) {
      const expected = texts ?? ['Hello', '', 'Hello', 'Hello'];
      const whole = new Listener();
      for (const message of messages) whole.message(hex(message));
      await whole.ended(expected.length);
      expect([what, whole.texts, whole.broken]).toEqual([what, expected, []]);

      const cut = new Listener();
      for (const message of messages) cut.message(...single(hex(message)));
      await cut.ended(expected.length);
      expect([what, cut.texts, cut.broken]).toEqual([what, expected, []]);
      whole.inflater.close();
      cut.inflater.close();
    }
  });

  it('forgets the context between messages where that is agreed on', async () => {
    const listener = new Listener(ALONE);
    listener.message(hex('f248cdc9c90700'));
    listener.message(hex('f248cdc9c90700'));
    // It refers to the message before.
    listener.message(hex('f200110000'));
    await listener.ended(3);
    expect(listener.texts).toEqual(['Hello', 'Hello']);
    expect(listener.broken).toEqual([expect.stringMatching(/distance/)]);
  });

  it('reads each window, up to references of the farthest', async () => {
    const data = Buffer.concat([octets(300), octets(40_000), octets(300)]);
    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      const side = { noContextTakeover: false, windowBits };
      const compressor = new WsCompressor(side);
      const listener = new Listener(side);
      for (let i = 0; i < 3; i++) listener.message(await compressor.compress(data));
      await listener.ended(3);
      expect(listener.broken).toEqual([]);
      expect(listener.messages.every((message) => message.equals(data))).toBe(true);
      compressor.close();
      listener.inflater.close();
    }
  });

  describe('a final block', () => {
    it('ends a message with or without the octet that should follow it, and the next message is read', async () => {
      for (const end of ['00', '']) {
        const message = Buffer.concat([finished('Hello'), hex(end)]);
        for (const cut of [[message], single(message)]) {
          const listener = new Listener();
          for (let i = 0; i < 3; i++) listener.message(...cut);
          listener.message(compressed('and on'));
          listener.message(Buffer.concat([finished(''), hex(end)]));
          await listener.ended(5);
          expect([end, listener.texts, listener.broken]).toEqual([
            end,
            ['Hello', 'Hello', 'Hello', 'and on', ''],
            [],
          ]);
          listener.inflater.close();
        }
      }
    });

    it('is followed by other blocks in the same message, wherever it is cut (RFC 7692 section 7.2.1)', async () => {
      const message = Buffer.concat([finished('one, '), finished('two, '), compressed('three')]);
      for (let cut = 1; cut <= message.length; cut++) {
        const listener = new Listener();
        listener.message(message.subarray(0, cut), message.subarray(cut));
        listener.inflater.write(message.subarray(0, cut));
        // What comes once zlib has seen the end of the first.
        await listener.until(() => listener.messages.length > 0);
        listener.inflater.write(message.subarray(cut));
        listener.inflater.end();
        listener.message(compressed('next'));
        await listener.ended(3);
        expect(listener.broken).toEqual([]);
        expect(listener.texts).toEqual(['one, two, three', 'one, two, three', 'next']);
        listener.inflater.close();
      }
    });

    it('does not disturb the count of what waits', async () => {
      const listener = new Listener();
      const large = octets(HIGH_WATER / 2);
      const stored = deflateRawSync(large, { level: 0, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
      for (let i = 0; i < 8; i++) {
        listener.message(Buffer.concat([finished('Hello'), hex('00')]));
        listener.message(stored);
        await listener.ended(2 * (i + 1));
      }
      expect(listener.broken).toEqual([]);
      expect(listener.inflater.write(Buffer.alloc(HIGH_WATER))).toBe(true);
      expect(listener.inflater.write(Buffer.alloc(1))).toBe(false);
      listener.inflater.close();
    });
  });

  it('tells messages in order, however many are written before the first is read', async () => {
    const next = random(7);
    for (const side of [TAKEOVER, ALONE]) {
      const compressor = new WsCompressor(side);
      const listener = new Listener(side);
      const expected: string[] = [];
      for (let i = 0; i < 200; i++) {
        const text = `message ${i} `.repeat(Math.floor(next() ** 4 * 3000));
        expected.push(text);
        const wire = await compressor.compress(Buffer.from(text));
        listener.message(...(wire.length > 0 ? split(wire, 3, i) : []));
      }
      await listener.ended(200);
      expect(listener.texts).toEqual(expected);
      compressor.close();
      listener.inflater.close();
    }
  });

  it('tells output as it comes, before the message is at its end', async () => {
    const listener = new Listener();
    listener.inflater.write(hex('f2480500 0000ffff'));
    await listener.until(() => listener.output.length > 0);
    expect(String(Buffer.concat(listener.output))).toBe('He');
    expect(listener.messages).toEqual([]);
    listener.inflater.close();
  });

  it('asks for a pause when much waits, and says once when little does', async () => {
    const listener = new Listener();
    const data = octets(HIGH_WATER);
    const wire = deflateRawSync(data, { level: 0, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    expect(wire.length).toBeGreaterThan(HIGH_WATER);
    expect(listener.inflater.write(wire.subarray(0, 1000))).toBe(true);
    expect(listener.inflater.write(wire.subarray(1000))).toBe(false);
    listener.inflater.end();
    // Behind the end: it waits in another place, and counts all the same.
    expect(listener.inflater.write(hex('f248cdc9c90700'))).toBe(false);
    expect(listener.drains).toBe(0);
    listener.inflater.end();
    await listener.ended(2);
    expect(listener.drains).toBe(1);
    expect(listener.messages[0]?.equals(data)).toBe(true);
    expect(listener.texts[1]).toBe('Hello');
    expect(listener.inflater.write(hex('00'))).toBe(true);
    listener.inflater.close();
  });

  it('counts ends of messages too: they may be all there is', async () => {
    const listener = new Listener();
    let ends = 1;
    while (listener.inflater.end()) ends++;
    expect(ends).toBeLessThan(HIGH_WATER);
    await listener.ended(ends);
    expect(listener.drains).toBe(1);
    listener.inflater.close();
  });

  it('says once that data are broken, tells what came before, and nothing after', async () => {
    for (const bad of ['ffffffff', '000500000048656c6c6f', 'f200110000']) {
      const listener = new Listener();
      listener.message(bad === 'f200110000' ? hex('00') : hex('f248cdc9c90700'));
      listener.message(hex(bad));
      listener.message(hex('f248cdc9c90700'));
      await listener.ended(3);
      listener.message(hex('f248cdc9c90700'));
      for (let i = 0; i < 10; i++) await setImmediate();
      expect([bad, listener.texts.length, listener.broken.length]).toEqual([bad, 1, 1]);
    }
  });

  it('says nothing after it was closed, busy or not', async () => {
    const data = octets(1_000_000);
    const wire = deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    expect(inflateRawSync(wire, { finishFlush: constants.Z_SYNC_FLUSH }).equals(data)).toBe(true);
    for (const moment of ['at once', 'in the middle', 'never used']) {
      const listener = new Listener();
      if (moment !== 'never used') {
        listener.message(wire);
        listener.message(wire);
      }
      if (moment === 'in the middle') await listener.until(() => listener.output.length > 1);
      const before = listener.output.length;
      listener.inflater.close();
      // Twice does no harm, nor does what comes late.
      listener.inflater.close();
      listener.message(wire);
      for (let i = 0; i < 20; i++) await setImmediate();
      expect([moment, listener.output.length, listener.messages.length]).toEqual([moment, before, 0]);
      expect([listener.broken, listener.drains]).toEqual([[], 0]);
    }
  });
});
