import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { withCommand } from '../testing/command.js';

describe('the command', () => {
  it('says why it ends if its output cannot be written', { skip: !existsSync('/dev/full') }, async () => {
    await withCommand(async ({ start }) => {
      const sluice = [process.execPath, '--import', 'tsx', path.resolve('src/cli/main.ts'), '-p', '0'];
      const { code, stderr } = await start([], {
        command: ['/bin/sh', '-c', '"$@" > /dev/full', 'sh', ...sluice],
      }).ended;
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^sluice: standard output cannot be written: ENOSPC.*\n$/),
      });
    });
  });
});
