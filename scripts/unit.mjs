// Runs the unit tests that stand beside their sources: `npm run unit`, or `npm run unit -- src/http1` for some of them.
// Those that need a proxy run on Jest, with the fixture; the others on node:test. Failures are printed in full, the rest
// is a line per file.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { buildIfStale } from './prepare.mjs';
import { unitTests } from './unit-files.mjs';
import { CHANNEL, Tally } from './unit-tally.mjs';

const places = process.argv.slice(2);
const tests = unitTests(places);
const files = [...tests.jest, ...tests.node];
if (files.length === 0) {
  console.error(`no *.test.ts under ${places.join(' ')}`);
  process.exit(1);
}
// Those import the package by its name, as its users do.
if (files.some((file) => /^(examples|docs|fixtures[\\/](jest|types))\b/.test(file))) await buildIfStale();

const started = performance.now();
const tally = new Tally();
const concurrency = Math.min(4, Math.max(2, availableParallelism()));
const ended = [
  run('Jest', tests.jest, [
    'node_modules/jest/bin/jest.js',
    `--maxWorkers=${concurrency}`,
    '--reporters=./scripts/jest-reporter.mjs',
    '--runTestsByPath',
  ]),
  run('node:test', tests.node, [
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
  ]),
];
tally.print(performance.now() - started);
const broken = ended.filter((why) => why !== undefined);
for (const why of broken) console.error(why);
process.exit(broken.length > 0 ? 1 : 0);

/** @returns what is wrong, if anything is */
function run(name, files, args) {
  if (files.length === 0) return undefined;
  const stdio = ['ignore', 'inherit', 'inherit'];
  stdio[CHANNEL] = 'pipe';
  const { status, signal, output } = spawnSync(process.execPath, [...args, ...files], {
    stdio,
    maxBuffer: Infinity,
  });
  const sent = output?.[CHANNEL]?.toString() ?? '';
  if (sent !== '') tally.merge(sent);
  if (status === 0 && sent !== '') return undefined;
  return signal !== null ? `${name} was ended by ${signal}` : `${name} ended with ${status}`;
}
