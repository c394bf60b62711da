import { describe, it } from 'node:test';
import { expect } from 'expect';
import { split } from '../testing/bytes.js';
import { assembling } from './testing/assembling.js';
import { randomSequence } from './testing/sequence.js';
import { readByWs, type Told } from './testing/ws.js';

const RUNS = 300;
const isData = ({ type }: Told) => type === 'text' || type === 'binary';

describe('random sequences of frames', () => {
  it('say what was put in, and what another implementation reads, wherever they are cut', async () => {
    const seen = { compressed: 0, masked: 0, fragmented: 0, within: 0 };
    for (let seed = 1; seed <= RUNS; seed++) {
      const sequence = await randomSequence(seed);
      const { masked, deflate, wire } = sequence;
      expect([seed, await readByWs(wire, { masked, deflate })]).toEqual([seed, sequence.told]);

      const recycled = seed % 2 === 0;
      const limit = seed % 3 === 0 ? Number.POSITIVE_INFINITY : 1_000_000;
      const { assembler, told, messages, idle } = assembling({ masked, deflate, recycled, limit });
      const pieces = seed % 10 === 0 ? wire.length : 1 + (seed % 40);
      for (const piece of split(wire, Math.min(pieces, 2000), seed)) {
        const read = Buffer.from(piece);
        expect(assembler.read(read)).toBe(read.length);
        if (recycled) read.fill(0xff);
      }
      await idle();
      // Messages that have to be decompressed may be told behind later pings; nothing else changes places.
      if (messages.every(({ compressed }) => !compressed))
        expect([seed, told]).toEqual([seed, sequence.told]);
      expect([seed, told.filter(isData)]).toEqual([seed, sequence.told.filter(isData)]);
      const others = (all: Told[]) => all.filter((one) => !isData(one));
      expect([seed, others(told)]).toEqual([seed, others(sequence.told)]);
      expect(messages.map(({ fragments }) => fragments)).toEqual(sequence.fragments);
      for (const { size, parts, truncated } of messages) {
        expect([truncated, size]).toEqual([
          false,
          parts.reduce((sum, { start, end }) => sum + end - start, 0),
        ]);
      }
      expect(assembler.betweenMessages).toBe(true);
      assembler.close();

      seen.masked += Number(masked);
      seen.compressed += messages.filter(({ compressed }) => compressed).length;
      seen.fragmented += messages.filter(({ fragments }) => fragments.length > 1).length;
      seen.within += sequence.gaps.length;
    }
    // The sequences are of all kinds.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(RUNS / 5);
  });
});
