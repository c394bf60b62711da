// The unit tests that stand beside their sources, and which runner each is for: a file says so by what it imports.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOTS = ['src', 'fixtures', 'examples', 'docs'];
const RUNNER = /^import [^;]* from '(node:test|@jest\/globals)';$/m;

/**
 * @param {string[]} places beginnings of paths; none for all
 * @returns {{ jest: string[], node: string[] }}
 */
export function unitTests(places = []) {
  const found = { jest: [], node: [] };
  for (const file of ROOTS.flatMap((root) =>
    readdirSync(root, { recursive: true }).map((name) => path.join(root, String(name))),
  ).sort()) {
    if (!file.endsWith('.test.ts')) continue;
    if (places.length > 0 && !places.some((place) => file.startsWith(path.normalize(place)))) continue;
    const [, runner] = RUNNER.exec(readFileSync(file, 'utf8')) ?? [];
    if (runner === undefined) throw new Error(`${file} imports neither node:test nor @jest/globals`);
    found[runner === 'node:test' ? 'node' : 'jest'].push(file);
  }
  return found;
}
