// `npm run demo`: the examples in a real Chromium, ending in a table of what went through the proxy.
import { mkdirSync, statfsSync } from 'node:fs';
import { findChromium, VARIABLE } from './browser.mjs';
import { buildIfStale, playwright } from './prepare.mjs';

const GIB = 1024 ** 3;

/** A GiB, or what the disk has room for: the browser reads the upload from a file and saves the download to one. */
function largeBytes() {
  mkdirSync('test-results', { recursive: true });
  const { bavail, bsize } = statfsSync('test-results');
  const room = Number(bavail) * Number(bsize);
  if (room > 2.5 * GIB) return GIB;
  const less = Math.max(16 * 1024 ** 2, Math.floor(room / 4));
  console.log(`The disk has little room, so the large transfers are of ${Math.round(less / 1024 ** 2)} MiB.`);
  return less;
}

try {
  await buildIfStale();
  const chromium = await findChromium((line) => console.log(line));
  console.log(`Chromium: ${chromium}\n`);
  process.exitCode = await playwright(
    [
      '--project=examples',
      '--workers=1',
      '--retries=0',
      '--reporter=./scripts/demo-reporter.mjs',
      ...process.argv.slice(2),
    ],
    { [VARIABLE]: chromium, SLUICE_LARGE_BYTES: String(largeBytes()), SLUICE_DEMO: '1' },
  );
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
