import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { paintFor, Screen } from './screen.js';
import { Terminal } from './testing/terminal.js';

describe('the screen', () => {
  it('draws a foot below the lines, anew each time, and takes it away', () => {
    const terminal = new Terminal();
    const screen = new Screen(terminal, terminal);
    screen.line('one');
    screen.draw(['foot 1', 'foot 2']);
    expect(terminal.screen).toEqual(['one', 'foot 1', 'foot 2']);
    screen.line('two');
    expect(terminal.screen).toEqual(['one', 'two', 'foot 1', 'foot 2']);
    screen.draw(['foot']);
    screen.note('three');
    expect(terminal.screen).toEqual(['one', 'two', 'three', 'foot']);
    screen.draw([]);
    screen.draw([]);
    screen.line('four');
    expect(terminal.screen).toEqual(['one', 'two', 'three', 'four']);
  });

  it('takes away what a terminal has wrapped since', () => {
    const terminal = new Terminal(40);
    const screen = new Screen(terminal, terminal);
    screen.line('one');
    for (const columns of [25, 12, 40, 30, 39]) {
      screen.draw(['a'.repeat(screen.width), 'b']);
      terminal.resize(columns);
      screen.draw(['c']);
      expect(terminal.screen).toEqual(['one', 'c']);
    }
    screen.draw([]);
    expect(terminal.screen).toEqual(['one']);
  });

  it('leaves the last column and some lines free', () => {
    expect(new Screen(new Terminal(80, 24), new PassThrough())).toMatchObject({ width: 79, height: 22 });
    expect(new Screen(new Terminal(5, 1), new PassThrough())).toMatchObject({ width: 4, height: 1 });
  });

  it('takes a terminal that does not know its size for one of 80 columns and 24 rows', () => {
    for (const size of [{ columns: 0, rows: 0 }, {}]) {
      const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true as const, ...size });
      const screen = new Screen(output, output);
      expect(screen).toMatchObject({ width: 79, height: 22 });
      screen.draw(['a'.repeat(79), 'b']);
      screen.draw([]);
      expect(output.read()).toMatch(/\nb\n\r\x1b\[2A\x1b\[0J$/);
    }
  });

  it('draws no foot where there is no terminal', () => {
    const pipe = new PassThrough({ encoding: 'utf8' });
    const screen = new Screen(pipe, pipe);
    screen.draw(['foot']);
    screen.line('one');
    screen.draw([]);
    expect(screen.hasFoot).toBe(false);
    expect(pipe.read()).toBe('one\n');
  });

  it('prints what others say above the foot, be it in several writes', () => {
    const terminal = new Terminal();
    const screen = new Screen(terminal, terminal);
    const console = screen.console();
    screen.draw(['foot']);
    console.log('said %s', 'so', { a: 1 });
    console.error('cried');
    screen.draw([]);
    expect(terminal.screen).toEqual(['said so { a: 1 }', 'cried']);
  });
});

describe('colours', () => {
  it('are for terminals that want them', () => {
    const { red } = paintFor(new Terminal(), {});
    expect(red('x')).toBe('\x1b[31mx\x1b[0m');
    expect(red('')).toBe('');
    const plain: [output: NodeJS.WritableStream, env: NodeJS.ProcessEnv][] = [
      [new Terminal(), { NO_COLOR: '1' }],
      [new Terminal(), { TERM: 'dumb' }],
      [new PassThrough(), {}],
    ];
    for (const [output, env] of plain) expect(paintFor(output, env).red('x')).toBe('x');
    expect(paintFor(new Terminal(), { NO_COLOR: '' }).dim('x')).not.toBe('x');
  });
});
