// Runs the unit tests that stand beside their sources: `npm run unit`, or `npm run unit -- src/http1` for some of them.
// Failures are printed in full, the rest is a line per file.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { buildIfStale } from './prepare.mjs';

const ROOTS = ['src', 'fixtures', 'examples', 'docs'];
const places = process.argv.slice(2).map((place) => path.normalize(place));
const files = ROOTS.flatMap((root) =>
  readdirSync(root, { recursive: true }).map((name) => path.join(root, String(name))),
)
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => places.length === 0 || places.some((place) => file.startsWith(place)))
  .sort();
if (files.length === 0) {
  console.error(`no *.test.ts under ${places.join(' ') || ROOTS.join(', ')}`);
  process.exit(1);
}
// Those import the package by its name, as its users do.
if (files.some((file) => /^(examples|docs)\b/.test(file))) await buildIfStale();
const concurrency = Math.min(4, Math.max(2, availableParallelism()));
const { status, signal } = spawnSync(
  process.execPath,
  [
    '--import',
    'tsx',
    '--test',
    // A notice of node:test's own about its fake timers.
    '--disable-warning=ExperimentalWarning',
    `--test-concurrency=${concurrency}`,
    // Of a file as a whole, too: one that hangs is named and ended.
    '--test-timeout=120000',
    '--test-reporter=./scripts/unit-reporter.mjs',
    '--test-reporter-destination=stdout',
    ...files,
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
if (signal !== null) console.error(`the test runner was ended by ${signal}`);
process.exit(status ?? 1);
