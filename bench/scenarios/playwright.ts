/** A hundred trivial Playwright tests, with the fixture and without. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findChromium } from '../../scripts/browser.mjs';
import { turns } from '../harness.js';
import type { Origins } from '../origins/origins.js';
import type { Scenario } from '../results.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
// In the package's own folder, so that tests there find it by its name.
const FOLDER = fileURLToPath(new URL('../../.bench', import.meta.url));

const spec = (from: string, body: string) => `
import { test } from '${from}';
for (let i = 0; i < 100; i++) test(\`trivial \${i}\`, async ({ page }) => { ${body} });
`;

/** Seconds of a run. */
async function runs(file: string): Promise<number> {
  const started = performance.now();
  const args = ['node_modules/@playwright/test/cli.js', 'test', '-c', `${FOLDER}/playwright.config.ts`, file];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`playwright test ${file} ended with ${code}`);
  return (performance.now() - started) / 1000;
}

export async function playwrightScenario(origins: Origins): Promise<Scenario> {
  const executablePath = await findChromium();
  mkdirSync(FOLDER, { recursive: true });
  try {
    writeFileSync(
      `${FOLDER}/playwright.config.ts`,
      `export default { workers: 1, reporter: 'null', use: { launchOptions: { executablePath: '${executablePath}', args: ['--no-sandbox', '--disable-background-networking'] } } };\n`,
    );
    const visit = `await page.goto('http://127.0.0.1:${origins.plain}/page.html');`;
    writeFileSync(`${FOLDER}/without.spec.ts`, spec('@playwright/test', visit));
    writeFileSync(`${FOLDER}/with.spec.ts`, spec('sluice/playwright', visit));
    const [without = [], through = []] = await turns([
      () => runs('without.spec.ts'),
      () => runs('with.spec.ts'),
    ]);
    return {
      id: 'playwright',
      title: '100 Playwright tests that open a page',
      unit: 's',
      better: 'lower',
      rows: [
        { subject: 'without the fixture', values: without },
        { subject: 'Sluice', values: through },
      ],
      derived: [
        { subject: 'with / without', values: through.map((value, i) => value / (without[i] ?? Number.NaN)) },
      ],
      targets: [
        { what: '100 trivial Playwright tests, with / without', subject: 'with / without', atMost: 1.1 },
      ],
    };
  } finally {
    rmSync(FOLDER, { recursive: true, force: true });
  }
}
