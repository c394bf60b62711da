import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { FLAGS } from './arguments.js';
import { help, optionList, version } from './help.js';
import { describeOptions } from './settings.js';

const squeezed = (text: string) => text.replace(/\s+/g, '');

describe('help', () => {
  it('names every flag with what it does', () => {
    const text = help(100);
    for (const [name, flag] of Object.entries(FLAGS)) {
      expect(text).toMatch(
        new RegExp(`^ {2}${flag.short === undefined ? '    ' : `-${flag.short}, `}--${name}\\b.*  \\S`, 'm'),
      );
      if (flag.help !== undefined) expect(squeezed(text)).toContain(squeezed(flag.help));
    }
    expect(text).toMatch(/--port PORT .*; default\s+8080$/m);
  });

  it('lists every option with type, default and meaning, in columns', () => {
    const lines = optionList(Number.POSITIVE_INFINITY).split('\n');
    const [heading = ''] = lines;
    const columns = ['NAME', 'TYPE', 'DEFAULT', 'MEANING'].map((word) => heading.indexOf(word));
    expect(columns.every((at) => at !== -1)).toBe(true);
    for (const line of lines)
      for (const at of columns.slice(1)) expect(line.slice(at - 2, at).trim()).toBe('');
    for (const option of describeOptions()) {
      const at = lines.findIndex((line) => line.startsWith(`${option.name} `));
      const next = lines.findIndex((line, index) => index > at && !line.startsWith(' '));
      const rows = lines.slice(at, next === -1 ? undefined : next);
      const cells = columns.map((from, column) =>
        squeezed(rows.map((line) => line.slice(from, columns[column + 1])).join('')),
      );
      expect(cells).toEqual([option.name, option.type, option.default, option.help].map(squeezed));
    }
  });

  for (const columns of [20, 60, 80, 97, 100, 101, 200, Number.POSITIVE_INFINITY]) {
    it(`fits a terminal of ${columns} columns, with everything in it`, () => {
      const width = Math.min(100, Math.max(60, columns - 1));
      const options = optionList(columns);
      for (const line of options.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
      for (const line of help(columns).split('\n').slice(0, -2))
        expect(line.length).toBeLessThanOrEqual(width);
      for (const { name, type, default: fallback } of describeOptions()) {
        expect(options).toContain(name);
        if (width < 96)
          expect(squeezed(options)).toContain(squeezed(`${name} (${type}), default ${fallback}`));
      }
    });
  }

  it('has the version of the package', () => {
    const { name, version: packaged } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(version()).toBe(`${name} ${packaged}`);
  });
});
