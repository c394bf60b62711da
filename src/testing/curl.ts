import { spawn, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/** How curl ended. */
export interface CurlRun {
  code: number | null;
  out: string;
  errors: string;
}

/** Runs curl without a configuration or proxy of the machine's own. */
export type RunCurl = (...args: string[]) => Promise<CurlRun>;

/** Lets `play` use curl, or skips the test where there is none. */
export async function curl(test: TestContext, play: (run: RunCurl) => Promise<void>): Promise<void> {
  if (spawnSync('curl', ['--version']).error !== undefined) {
    test.skip('there is no curl on this machine');
    return;
  }
  await play(runCurl);
}

function runCurl(...args: string[]): Promise<CurlRun> {
  // Without `-q` in front it would read a configuration of the user's.
  const child = spawn('curl', ['-q', '--silent', '--show-error', '--max-time', '20', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '' },
  });
  const run: CurlRun = { code: null, out: '', errors: '' };
  child.stdout.on('data', (text: Buffer) => {
    run.out += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    run.errors += text.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...run, code }));
  });
}
