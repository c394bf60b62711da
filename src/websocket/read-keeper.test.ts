import { describe, it } from 'node:test';
import { expect } from 'expect';
import { octets } from '../testing/bytes.js';
import { ReadKeeper } from './read-keeper.js';

describe('ReadKeeper', () => {
  it('copies a read whose buffer is used again, once', () => {
    const keeper = new ReadKeeper(true, false);
    const buffer = octets(10_000);
    const read = buffer.subarray(0, 8000);
    keeper.begin(read);
    const first = keeper.slice(10, 20);
    const second = keeper.slice(5000, 8000);
    expect(second.buffer).toBe(first.buffer);
    buffer.fill(0xff);
    expect(first.equals(octets(10_000).subarray(10, 20))).toBe(true);
    expect(second.equals(octets(10_000).subarray(5000, 8000))).toBe(true);

    // The next read is another.
    octets(10_000).reverse().copy(buffer);
    keeper.begin(read);
    const third = keeper.slice(10, 20);
    buffer.fill(0xff);
    expect(third.equals(octets(10_000).reverse().subarray(10, 20))).toBe(true);
    expect(first.equals(octets(10_000).subarray(10, 20))).toBe(true);
  });

  it('copies nothing of a read whose buffer is not used again', () => {
    const keeper = new ReadKeeper(false, false);
    const read = octets(10_000);
    keeper.begin(read);
    const { bytes, at } = keeper.keep(10, 20);
    expect([bytes === read, at]).toEqual([true, 10]);
    expect(keeper.slice(10, 20).equals(read.subarray(10, 20))).toBe(true);
  });

  it('does not hold on to a whole read for the sake of a small part, where it is sparing', () => {
    for (const recycled of [false, true]) {
      const keeper = new ReadKeeper(recycled, true);
      const buffer = octets(100_000);
      keeper.begin(buffer);
      const small = keeper.slice(60_000, 65_000);
      const most = keeper.slice(20, 60_000);
      // Small buffers share a pool, of up to 64 KiB.
      expect(small.buffer.byteLength).toBeLessThan(buffer.length);
      expect(most.buffer === buffer.buffer).toBe(!recycled);
      if (recycled) buffer.fill(0xff);
      expect(small.equals(octets(100_000).subarray(60_000, 65_000))).toBe(true);
      expect(most.equals(octets(100_000).subarray(20, 60_000))).toBe(true);
    }
  });
});
