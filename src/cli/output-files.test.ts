import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { makeFlow } from '../har/testing/flows.js';
import { withCommand } from '../testing/command.js';
import { checkWritable, KeptFlows } from './output-files.js';

describe('the flows that are kept', () => {
  it('are the last 10 000', () => {
    const kept = new KeptFlows();
    for (let n = 1; n <= 12_345; n++) {
      kept.add(makeFlow({ url: `http://a.test/${n}` }));
      expect(kept.length).toBe(Math.min(n, 10_000));
    }
    const { entries } = JSON.parse(kept.har()).log as { entries: { request: { url: string } }[] };
    expect(entries).toHaveLength(10_000);
    const numbers = entries.map(({ request }) => Number(request.url.split('/').at(-1))).sort((a, b) => a - b);
    expect([numbers[0], numbers.at(-1)]).toEqual([2346, 12_345]);
  });
});

describe('checkWritable', () => {
  it('tells before what cannot be written after', async () => {
    await withCommand(async ({ folder }) => {
      const at = (name: string) => path.join(folder, name);
      writeFileSync(at('old.har'), '');
      mkdirSync(at('sub'));
      await checkWritable('--save-har', undefined);
      await checkWritable('--save-har', at('old.har'));
      await checkWritable('--save-har', at('new.har'));
      await expect(checkWritable('--save-har', at('sub'))).rejects.toThrow(
        /^--save-har .*sub: this is a folder; give a file/,
      );
      await expect(checkWritable('--save-har', at('none/x.har'))).rejects.toThrow(
        /there is no folder .*none; /,
      );
      await expect(checkWritable('--save-har', at('old.har/x.har'))).rejects.toThrow(/there is no folder/);
      // To root, nothing is forbidden.
      if (process.getuid?.() === 0) return;
      chmodSync(at('sub'), 0o500);
      await expect(checkWritable('--save-har', at('sub/x.har'))).rejects.toThrow(
        /may not be written to \(EACCES\)/,
      );
    });
  });
});
