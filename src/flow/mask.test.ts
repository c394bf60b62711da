import { describe, it } from 'node:test';
import { expect } from 'expect';
import { octets } from '../testing/bytes.js';
import { applyMask } from './mask.js';

/** As RFC 6455 section 5.3 says it. */
function masked(bytes: Buffer, key: Buffer, phase: number): Buffer {
  return Buffer.from(bytes.map((octet, i) => octet ^ (key[(i + phase) % 4] ?? 0)));
}

describe('applyMask', () => {
  it('masks as the RFC says, wherever the octets lie, at each phase, in each length', () => {
    const lengths = [...Array.from({ length: 12 }, (_, i) => i), 62, 63, 64, 65, 66, 67, 68, 71, 128, 257];
    for (const hex of ['37fa213d', 'ff000180', '00000000', '80ffffff']) {
      const key = Buffer.from(hex, 'hex');
      for (const length of lengths) {
        for (let at = 0; at < 4; at++) {
          for (let phase = 0; phase < 4; phase++) {
            // Its own memory, so that `at` is the alignment.
            const memory = Buffer.allocUnsafeSlow(4 + length + 4);
            const all = octets(memory.length);
            all.copy(memory);
            const view = memory.subarray(1);
            applyMask(view, at, at + length, key.readInt32LE(0), phase);
            const expected = Buffer.concat([
              all.subarray(0, at + 1),
              masked(all.subarray(at + 1, at + 1 + length), key, phase),
              all.subarray(at + 1 + length),
            ]);
            // One comparison that fails, with what is needed to find it.
            if (!memory.equals(expected))
              expect({ hex, length, at, phase, memory }).toEqual({ memory: expected });
          }
        }
      }
    }
  });

  it('continues where an earlier part of the payload ended, also beyond 2^32 octets', () => {
    const key = Buffer.from('37fa213d', 'hex');
    const plain = octets(300);
    for (const first of [1, 2, 3, 63, 64, 65, 150]) {
      const bytes = masked(plain, key, 0);
      applyMask(bytes, 0, first, key.readInt32LE(0), 0);
      applyMask(bytes, first, bytes.length, key.readInt32LE(0), first);
      expect(bytes.equals(plain)).toBe(true);
    }
    const bytes = masked(plain, key, 3);
    applyMask(bytes, 0, bytes.length, key.readInt32LE(0), 2 ** 32 + 3);
    expect(bytes.equals(plain)).toBe(true);
  });
});
