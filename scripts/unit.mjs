// Runs the unit tests that stand beside their sources: `npm run unit`, or `npm run unit -- src/http1` for some of them.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

const places = process.argv.slice(2);
const files = ['src', 'fixtures', 'docs']
  .flatMap((root) => readdirSync(root, { recursive: true }).map((name) => path.join(root, String(name))))
  .filter(
    (file) => file.endsWith('.test.ts') && (places.length === 0 || places.some((p) => file.startsWith(p))),
  )
  .sort();
if (files.length === 0) {
  console.error(`no *.test.ts under ${places.join(' ') || 'src, fixtures, docs'}`);
  process.exit(1);
}
const { status } = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-concurrency=2', ...files],
  {
    stdio: 'inherit',
  },
);
process.exit(status ?? 1);
