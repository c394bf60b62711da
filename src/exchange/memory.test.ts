import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { expect } from 'expect';

describe('what a streamed flow leaves behind', () => {
  it('is its record, 8 KiB at most, and no octet of its bodies', async () => {
    const args = ['--expose-gc', '--import', 'tsx', 'src/exchange/testing/retained.ts'];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { flows, streamed, perFlow } = JSON.parse(stdout);
    expect(flows).toBe(3300);
    expect(streamed).toBe(3300);
    for (const path of ['/length', '/chunks', '/transform']) {
      expect(perFlow[path].heap).toBeLessThan(8 * 1024);
      // Each flow moved 32 KiB.
      expect(perFlow[path].buffers).toBeLessThan(512);
    }
  });
});
