// Holds docs/command.md to the command, as it was built.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { blocks } from '../scripts/samples.mjs';
import { FLAGS, readArguments } from '../src/cli/arguments.js';
import { Settings } from '../src/cli/settings.js';
import { through, withCommand } from '../src/testing/command.js';

const PAGE = 'docs/command.md';

/** The first cells of a table's rows. */
function firstCells(heading: string): string[] {
  const [, rows = ''] = readFileSync(PAGE, 'utf8').split(new RegExp(`^\\| ${heading} .*\\n\\| -.*\\n`, 'm'));
  const [table = ''] = rows.split('\n\n');
  return table.split('\n').map((row) => row.split('|')[1]?.trim() ?? '');
}

describe(PAGE, () => {
  it('lists every flag', () => {
    const listed = firstCells('flag').flatMap((cell) =>
      [...cell.matchAll(/(--?[\w-]+)/g)].map(([flag]) => flag),
    );
    const wanted = Object.entries(FLAGS).flatMap(([name, { short }]) => [
      ...(short === undefined ? [] : [`-${short}`]),
      `--${name}`,
    ]);
    expect(listed.sort()).toEqual(wanted.sort());
  });

  it('has examples of options that are accepted', () => {
    const examples = firstCells('for example').map((cell) => cell.replaceAll('`', ''));
    expect(examples.length).toBeGreaterThan(5);
    for (const example of examples) {
      const settings = new Settings();
      // There are no such files.
      if (example.includes('.pem'))
        expect(() => settings.setting(example)).toThrow(/the file cannot be read/);
      else settings.setting(example);
      if (!example.includes('.pem')) expect(Object.keys(settings.options())).toHaveLength(2);
    }
  });

  it('has calls that are understood, on every page', () => {
    const calls = blocks()
      .filter(({ language }) => language === 'sh')
      .flatMap(({ code }) => [...code.matchAll(/^(?:npx )?sluice (.*)$/gm)])
      .map(([, args = '']) =>
        [...args.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? ''),
      );
    expect(calls.length).toBeGreaterThan(3);
    for (const args of calls) expect(readArguments(args).show).toBeUndefined();
  });

  for (const { page, line, code } of blocks().filter(({ tag }) => tag === 'addon')) {
    it(`${page}:${line} is an addon that streams /download`, async () => {
      await withCommand(async ({ start, folder, origin }) => {
        const addon = path.join(folder, 'addon.ts');
        writeFileSync(addon, code);
        const sluice = start(['-p', '0', '-s', addon], {
          command: [path.resolve('dist/esm/src/cli/main.js')],
        });
        const port = await sluice.port();
        await through(port, `${origin}/download`);
        await through(port, `${origin}/other`);
        const { stdout, stderr, code: exit } = await sluice.interrupt();
        expect(stdout).toMatch(/\/download → 200 .*response streamed in/);
        expect(stdout).toMatch(/\/other → 200 .*response recorded/);
        expect({ stderr, exit }).toEqual({ stderr: '', exit: 0 });
      });
    });
  }
});
