import { it } from 'node:test';
import { expect } from 'expect';
import { countRead } from './read-garbage.js';

const READ = 64 * 1024;
const MIB = 1024 * 1024;

it('what was read and dealt with is freed without waiting for a large collection', {
  timeout: 20_000,
}, async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let octets = 0; octets < 7 * MIB; octets += READ) {
    countRead(Buffer.allocUnsafeSlow(READ).length);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(6 * MIB);
  countRead(MIB);
  // V8 frees beside what goes on.
  while (process.memoryUsage().arrayBuffers - before > MIB) {
    await new Promise((resolve) => setImmediate(resolve));
  }
});

it('nothing in the process sees the collector', () => {
  countRead(64 * MIB);
  expect(Reflect.get(globalThis, 'gc')).toBeUndefined();
  expect(new Function('return typeof gc')()).toBe('undefined');
});
