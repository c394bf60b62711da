/**
 * `npm run bench`: Sluice beside what people would pick instead, in one run. Arguments choose scenarios by their names,
 * `npm run bench -- download websocket`; `ROUNDS=1` is quick; `--publish` puts the result into docs/.
 * Ratios are what to read: absolute figures depend on the machine.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { endAll, rounds } from './harness.js';
import { machine, packageVersion, toolVersions } from './machine.js';
import { type Origins, startOrigins } from './origins/origins.js';
import { plot } from './plot.js';
import { publish } from './publish.js';
import { aligned, figure, judge, type Run, type Scenario, table } from './results.js';
import { chunkedScenario, downloadScenario, uploadScenario } from './scenarios/bodies.js';
import { http2Scenarios } from './scenarios/http2.js';
import { latencyScenario } from './scenarios/latency.js';
import { memoryScenarios } from './scenarios/memory.js';
import { playwrightScenario } from './scenarios/playwright.js';
import { requestScenarios, scaleScenario } from './scenarios/requests.js';
import { startScenarios } from './scenarios/start.js';
import { websocketScenarios } from './scenarios/websocket.js';

/** In order: the name that chooses it, and what it does. */
const SCENARIOS: [name: string, run: (origins: Origins) => Promise<Scenario | Scenario[]>][] = [
  ['requests', (origins) => requestScenarios(origins, false)],
  ['requests-tls', (origins) => requestScenarios(origins, true)],
  ['scale', scaleScenario],
  ['latency', latencyScenario],
  ['download', (origins) => downloadScenario(origins, false)],
  ['download-tls', (origins) => downloadScenario(origins, true)],
  ['upload', (origins) => uploadScenario(origins, false)],
  ['upload-tls', (origins) => uploadScenario(origins, true)],
  ['chunked', chunkedScenario],
  ['websocket', websocketScenarios],
  ['http2', http2Scenarios],
  ['start', startScenarios],
  ['playwright', playwrightScenario],
  ['memory', memoryScenarios],
];

const OUT = fileURLToPath(new URL('./results', import.meta.url));
const options = process.argv.slice(2);
const names = options.filter((name) => !name.startsWith('--'));
const unknown = names.filter((name) => !SCENARIOS.some(([known]) => known === name));
if (unknown.length > 0) {
  console.error(`no scenario ${unknown.join(', ')}; there are ${SCENARIOS.map(([name]) => name).join(', ')}`);
  process.exit(2);
}

const run: Run = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  versions: {
    ...toolVersions(),
    mockttp: packageVersion('mockttp') ?? 'absent',
    'http-mitm-proxy': packageVersion('http-mitm-proxy') ?? 'absent',
  },
  rounds,
  scenarios: [],
  judged: [],
};

function show(scenario: Scenario): void {
  console.log(`\n## ${scenario.title} (${scenario.better} is better)\n`);
  for (const why of scenario.skipped ?? []) console.log(`left out: ${why}`);
  if (scenario.rows.length > 0) console.log(aligned(table(scenario)));
  for (const { what, measured, wanted, met } of judge(scenario)) {
    console.log(`${met ? 'ok  ' : 'MISS'} ${what}: ${figure(measured)} (target ${wanted})`);
  }
}

console.log(
  `${run.machine}\n${Object.entries(run.versions)
    .map((pair) => pair.join(' '))
    .join(', ')}; ${rounds} rounds`,
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endAll();
    process.exit(130);
  });
}
const failed: string[] = [];
const origins = await startOrigins();
try {
  for (const [name, measure] of SCENARIOS) {
    if (names.length > 0 && !names.includes(name)) continue;
    try {
      for (const scenario of [await measure(origins)].flat()) {
        run.scenarios.push(scenario);
        run.judged.push(...judge(scenario));
        show(scenario);
      }
    } catch (error) {
      // The others are worth having all the same.
      failed.push(name);
      console.error(`\n${name} failed:`, error);
    }
  }
} finally {
  await origins.stop();
  endAll();
}

const lines = run.judged.map(({ what, measured, wanted, met }) => [
  what,
  figure(measured),
  wanted,
  met ? 'met' : 'MISSED',
]);
console.log(`\n${aligned([['target', 'measured', 'wanted', ''], ...lines])}`);
mkdirSync(OUT, { recursive: true });
writeFileSync(`${OUT}/run.json`, `${JSON.stringify(run, null, 2)}\n`);
for (const scenario of run.scenarios) {
  if (scenario.rows.length > 0) writeFileSync(`${OUT}/${scenario.id}.svg`, plot(scenario));
}
console.log(`\nwritten: bench/results/run.json, and a picture of each scenario beside it`);
if (options.includes('--publish')) publish(run);
if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 && run.judged.every(({ met }) => met) ? 0 : 1;
