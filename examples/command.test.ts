// The command as it is installed, with curl as its client and the two addons.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { expect } from 'expect';
import { type RunningCommand, withCommand } from '../src/testing/command.js';

const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: { sluice: string } };
const SLUICE = path.resolve(bin.sluice);
const skip = spawnSync('curl', ['--version']).status === 0 ? false : 'there is no curl here';

/** What curl writes, asked through the proxy. */
function curl(port: number, url: string, ...args: string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('curl', ['-sS', '-x', `http://127.0.0.1:${port}`, ...args, url]);
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece) => pieces.push(piece));
    child.stderr.on('data', (text) => reject(new Error(String(text))));
    child.on('error', reject);
    child.on('close', () => resolve(Buffer.concat(pieces)));
  });
}

const run = { command: [SLUICE] };

/** The line of a flow. */
const line = async (sluice: RunningCommand, path: string) =>
  (await sluice.prints(new RegExp(`^.*${path} .*$`, 'm')))[0];

describe('the command', { skip }, () => {
  it('--set stream_large_bodies=3m: 10 MiB are streamed in 2560 pieces, 1 MiB is recorded', async () => {
    await withCommand(async ({ start, origin }) => {
      const sluice = start(['-p', '0', '--set', 'stream_large_bodies=3m'], run);
      const port = await sluice.port();
      expect(await curl(port, `${origin}/bytes/10485760`)).toHaveLength(10_485_760);
      expect(await curl(port, `${origin}/bytes/1048576`)).toHaveLength(1_048_576);
      expect(await line(sluice, '/bytes/10485760')).toMatch(
        / → 200 \(0 B up, 10\.5 MB down, response streamed in 2560 pieces, /,
      );
      expect(await line(sluice, '/bytes/1048576')).toMatch(/ → 200 \(0 B up, 1 MB down, response recorded, /);
      expect(await sluice.interrupt()).toMatchObject({ code: 0, stderr: '' });
    });
  });

  it('-s examples/stream.ts streams every response', async () => {
    await withCommand(async ({ start, origin }) => {
      const sluice = start(['-p', '0', '-s', 'examples/stream.ts'], run);
      expect(String(await curl(await sluice.port(), `${origin}/small`, '-d', 'asked'))).toBe('hello');
      expect(await line(sluice, '/small')).toMatch(
        / → 200 \(5 B up, 5 B down, request recorded, response streamed in 1 piece, /,
      );
      await sluice.interrupt();
    });
  });

  it('-s examples/stream-modify.ts changes text as it streams by, gzipped or not', async () => {
    const text = 'a foo, and another foo\n';
    await withCommand(
      async ({ start, origin }) => {
        const sluice = start(['-p', '0', '-s', 'examples/stream-modify.ts'], run);
        const port = await sluice.port();
        const changed = 'a bar, and another bar\n';
        expect(String(await curl(port, `${origin}/plain`))).toBe(changed);
        expect(String(await curl(port, `${origin}/gzip`, '--compressed'))).toBe(changed);
        expect(String(await curl(port, `${origin}/other`))).toBe(text);
        expect(await line(sluice, '/plain')).toContain('response streamed in ');
        expect(await line(sluice, '/other')).toContain('response recorded');
        await sluice.interrupt();
      },
      ({ url }, response) => {
        response.setHeader('content-type', url === '/other' ? 'application/json' : 'text/plain');
        if (url === '/gzip') response.setHeader('content-encoding', 'gzip');
        response.end(url === '/gzip' ? gzipSync(text) : text);
        return true;
      },
    );
  });
});
