// Runs the browser tests: e2e/, examples/ and the samples of README.md and docs/. Arguments go to Playwright:
// `npm run e2e -- --project=examples upload`.
import { findChromium, VARIABLE } from './browser.mjs';
import { buildIfStale, playwright } from './prepare.mjs';
import { writeSamples } from './samples.mjs';

try {
  await buildIfStale();
  writeSamples();
  const chromium = await findChromium();
  process.exitCode = await playwright(process.argv.slice(2), { [VARIABLE]: chromium });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
