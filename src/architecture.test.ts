import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';

/** The rooms from top to bottom: a file imports from its own room and those below. docs/architecture.md explains them. */
const FLOORS = [
  ['cli'],
  ['.'],
  ['listen', 'waits', 'sticky'],
  ['exchange'],
  ['origin'],
  ['websocket'],
  ['http2'],
  ['http1', 'tcp', 'har', 'tls', 'clients', 'faults'],
  ['stream'],
  ['options', 'HOOKS'],
  ['flow'],
  ['BASE'],
];
/** Files of the top folder that everything may use. */
const BASE = ['clock.ts', 'errors.ts', 'nearest.ts', 'size.ts'];
const MAX_LINES = 400;

const sources = readdirSync('src', { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('testing'));

const roomOf = (file: string) =>
  BASE.includes(file) ? 'BASE' : file === 'hooks.ts' ? 'HOOKS' : path.dirname(file).split(path.sep)[0] || '.';
const floorOf = (room: string) => FLOORS.findIndex((floor) => floor.includes(room));

describe('architecture', () => {
  it('has every room on a floor', () => {
    expect([...new Set(sources.map(roomOf))].filter((room) => floorOf(room) === -1)).toEqual([]);
  });

  it('imports only go down', () => {
    const upward: string[] = [];
    for (const file of sources) {
      const text = readFileSync(path.join('src', file), 'utf8');
      for (const [, target = ''] of text.matchAll(/from '(\.[^']+)\.js'/g)) {
        const imported = path.join(path.dirname(file), `${target}.ts`);
        const [from, to] = [roomOf(file), roomOf(imported)];
        if (from !== to && floorOf(to) <= floorOf(from)) upward.push(`${file} imports ${imported}`);
      }
    }
    expect(upward).toEqual([]);
  });

  it('has no file too long to read in one sitting', () => {
    const long = ['src', 'fixtures', 'e2e', 'examples', 'bench', 'scripts']
      .flatMap((root) => readdirSync(root, { recursive: true }).map((name) => path.join(root, String(name))))
      .filter((file) => !file.includes('node_modules'))
      .filter((file) => /\.(?:ts|mjs)$/.test(file))
      .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  it('keeps the engine free of runners', () => {
    const tied = sources.filter((file) =>
      /from '(?:@playwright|jest|@jest|expect)/.test(readFileSync(path.join('src', file), 'utf8')),
    );
    expect(tied).toEqual([]);
  });
});
