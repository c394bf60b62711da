import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { it } from 'node:test';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { expect } from 'expect';
import { countRead } from './read-garbage.js';

const READ = 64 * 1024;
const MIB = 1024 * 1024;
const MODULE = JSON.stringify(pathToFileURL(path.resolve('src/tcp/read-garbage.ts')));

/** What a program in a process of its own prints; throws if it fails. */
function run(flags: string[], program: string): string {
  const args = [...flags, '--import', 'tsx', '--input-type=module', '--eval', program];
  return execFileSync(process.execPath, args, { encoding: 'utf8' });
}

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

it("a program's own function of that name is not called", () => {
  const script = `
    globalThis.gc = () => { throw new Error('called'); };
    const { countRead } = await import(${MODULE});
    countRead(${64 * MIB});
  `;
  expect(run([], script)).toBe('');
});

it('without access to the collector nothing happens', () => {
  const script = `
    (await import('node:v8')).default.setFlagsFromString = () => { throw new Error('not here'); };
    const { countRead } = await import(${MODULE});
    countRead(${64 * MIB});
  `;
  expect(run([], script)).toBe('');
});

it('where Node shows the collector it stays to be seen', () => {
  const script = `
    const { countRead } = await import(${MODULE});
    countRead(${64 * MIB});
    console.log(typeof gc, (await import('node:vm')).runInNewContext('typeof gc'));
  `;
  expect(run(['--expose-gc'], script)).toBe('function function\n');
});

it('nothing in the process sees the collector', () => {
  countRead(64 * MIB);
  expect(vm.runInNewContext('typeof gc')).toBe('undefined');
  expect(Reflect.get(globalThis, 'gc')).toBeUndefined();
  expect(new Function('return typeof gc')()).toBe('undefined');
});
