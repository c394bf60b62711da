import { spawn, spawnSync } from 'node:child_process';

/** How curl ended. */
export interface CurlRun {
  code: number | null;
  out: string;
  errors: string;
}

/** Why tests with curl are skipped, if they are. */
export const noCurl =
  spawnSync('curl', ['--version']).error !== undefined && 'there is no curl on this machine';

/** Runs curl without a configuration or proxy of the machine's own. */
export function curl(...args: string[]): Promise<CurlRun> {
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
