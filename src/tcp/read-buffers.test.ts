import { it } from 'node:test';
import { expect } from 'expect';
import { ReadBuffers } from './read-buffers.js';

const MIB = 1024 * 1024;

/** What happens at a read: the octets are put where there is room for them, and told. */
function read(buffers: ReadBuffers, text: string): void {
  const buffer = buffers.onread.buffer();
  buffers.onread.callback(buffer.write(text), buffer);
}

/** Buffers whose next read goes into a large one, because the last filled its own. */
function grown(): ReadBuffers {
  const buffers = new ReadBuffers();
  const buffer = buffers.onread.buffer();
  buffers.onread.callback(buffer.length, buffer);
  return buffers;
}

it('small reads that wait for a slow receiver do not hold a large buffer each', () => {
  const buffers = grown();
  const held = new Set<ArrayBufferLike>();
  const waiting: { bytes: Buffer; release: () => void }[] = [];
  buffers.onRead = (bytes) => {
    held.add(bytes.buffer);
    waiting.push({ bytes, release: buffers.lend() });
  };
  for (let i = 0; i < 5000; i++) read(buffers, `read ${i}`);
  const octets = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(octets).toBeLessThan(6 * MIB);
  expect(waiting.map(({ bytes }) => String(bytes))).toEqual(waiting.map((_, i) => `read ${i}`));
});

it('reads are lent again once the receiver has caught up', () => {
  const buffers = grown();
  let releases: (() => void)[] = [];
  let told: Buffer | undefined;
  buffers.onRead = (bytes) => {
    told = bytes;
    // Of one read several parts may be lent.
    releases.push(buffers.lend(), buffers.lend());
  };
  for (let round = 0; round < 3; round++) {
    read(buffers, 'first');
    expect(told?.buffer.byteLength).toBe(MIB);
    for (let i = 0; i < 100; i++) read(buffers, 'x');
    expect(told?.buffer.byteLength).toBeLessThan(MIB);
    for (const release of releases) release();
    releases = [];
  }
});
