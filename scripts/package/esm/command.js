// The command as npm installs it, with an addon in TypeScript, which takes jiti.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createInterface } from 'node:readline';

const { version } = JSON.parse(readFileSync('node_modules/sluice/package.json', 'utf8'));
const npx = (...args) => execFileSync('npx', ['--no-install', 'sluice', ...args], { encoding: 'utf8' });
assert.equal(npx('--version'), `sluice ${version}\n`);
assert.match(npx('--help'), /^Usage: sluice /);

const flags = ['-p', '0', '-s', 'addon.ts', '--save-har', 'command.har'];
const sluice = spawn('node_modules/.bin/sluice', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = once(sluice, 'close');
const lines = createInterface({ input: sluice.stdout })[Symbol.asyncIterator]();
/** The first line from here on that matches. */
const line = async (pattern) => {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the command ended without a line like ${pattern}`);
    const match = pattern.exec(value);
    if (match !== null) return match;
  }
};

const [, port] = await line(/^sluice listens on .*:(\d+)$/);
const request = http.get({ port, path: `${process.env.ORIGIN}/orders` });
const [response] = await once(request, 'response');
assert.equal(response.headers['x-addon'], 'typed');
response.resume();
await line(/GET .*\/orders/);
sluice.kill('SIGINT');
assert.deepEqual(await ended, [0, null]);
assert.equal(JSON.parse(readFileSync('command.har', 'utf8')).log.entries.length, 1);
