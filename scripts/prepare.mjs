// What the other scripts have in common: a build that is not older than the sources, and commands with a result.
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const BUILT = 'dist/cjs/package.json';
const SOURCES = [
  'src',
  'fixtures',
  'package.json',
  'tsconfig.base.json',
  'tsconfig.esm.json',
  'tsconfig.cjs.json',
];

/** Builds the package if a source is newer than the last build. @throws if the build fails */
export async function buildIfStale() {
  const built = statSync(BUILT, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (newest(SOURCES) < built) return;
  console.log('Building the package ...');
  const status = await run(process.execPath, ['scripts/build.mjs']);
  if (status !== 0) throw new Error('The build failed.');
}

/** Runs a command on this terminal, without input. @returns {Promise<number>} its exit code */
export function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    // The terminal sends SIGINT to the child as well: what it prints while it closes should still be seen.
    const wait = () => undefined;
    process.on('SIGINT', wait);
    child.on('error', reject);
    child.on('close', (code) => {
      process.off('SIGINT', wait);
      resolve(code ?? 1);
    });
  });
}

/** Runs Playwright. @returns {Promise<number>} its exit code */
export function playwright(args, env) {
  return run(process.execPath, ['node_modules/@playwright/test/cli.js', 'test', ...args], env);
}

function newest(places) {
  let latest = 0;
  for (const place of places) {
    const stat = statSync(place);
    latest = Math.max(latest, stat.mtimeMs);
    if (!stat.isDirectory()) continue;
    for (const name of readdirSync(place, { recursive: true })) {
      latest = Math.max(latest, statSync(path.join(place, String(name))).mtimeMs);
    }
  }
  return latest;
}
