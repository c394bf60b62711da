import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type http from 'node:http';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import {
  type CommandStage,
  freePort,
  type RunningCommand,
  through,
  withCommand,
} from '../testing/command.js';
import { Terminal } from './testing/terminal.js';

/** util-linux's `script` runs a command on a terminal of its own; those of other systems take other arguments. */
const HAS_SCRIPT = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '');
const BYTES = 50_000_000;
const COLUMNS = 90;

/** What goes on between a terminal, the command on it, and an origin that sends `/large` as far as it is told. */
async function onTerminal(
  args: string[],
  env: NodeJS.ProcessEnv,
  play: (command: RunningCommand, stage: CommandStage, send: (bytes: number) => void) => Promise<void>,
): Promise<void> {
  let send: (bytes: number) => void = () => undefined;
  const handle = (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (request.url !== '/large') return false;
    response.setHeader('content-length', BYTES);
    response.flushHeaders();
    send = (bytes) => response.write(Buffer.alloc(bytes));
    return true;
  };
  await withCommand(async (stage) => {
    const line = [process.execPath, '--import', 'tsx', path.resolve('src/cli/main.ts'), '-p', '0', ...args];
    const quoted = `stty cols ${COLUMNS} rows 20; exec ${line.map((word) => `'${word}'`).join(' ')}`;
    const command = stage.start([], { command: ['script', '-qefc', quoted, '/dev/null'], env });
    await play(command, stage, (bytes) => send(bytes));
  }, handle);
}

describe('sluice on a terminal', {
  skip: HAS_SCRIPT ? false : 'there is no script of util-linux here',
}, () => {
  it('draws the progress of a streamed body below the lines, and leaves nothing of it', async () => {
    await onTerminal(
      ['--set', 'stream_large_bodies=3m'],
      { TERM: 'xterm' },
      async (sluice, { origin }, send) => {
        const port = await sluice.port();
        const answer = through(port, `${origin}/large`);
        await sluice.prints(/↓ \S+\/large {2}0 B of 50 MB {2}0%/);
        send(BYTES / 2);
        await sluice.prints(/↓ \S+\/large {2}25 MB of 50 MB {2}50% {2}[\d.]+ \wB\/s {2}\d[^\r\n]+ left/);
        await through(port, `${origin}/meanwhile`);
        await sluice.prints(/\/meanwhile → [^\n]*\n\S* ?↓ \S+\/large {2}25 MB/);
        send(BYTES / 2);
        await answer;
        const { index: over } = await sluice.prints(/\/large → /);
        sluice.type('\x03');
        expect((await sluice.ended).code).toBe(0);

        // Not for a moment.
        expect(sluice.stdout.slice(over)).not.toContain('↓');

        // Wider, or where lines break would depend on the ports' digits.
        const terminal = new Terminal(2 * COLUMNS, 20);
        terminal.write(sluice.stdout.replace('^C', ''));
        const screen = terminal.screen.join('\n').replaceAll(origin, 'ORIGIN');
        expect(screen.replace(/[\d.]+ m?s\)/g, 'TIME)').replace(`:${port}`, '')).toBe(
          [
            'sluice listens on http://127.0.0.1',
            'its CA: made for this run (--set ca=CERT,KEY keeps one); --save-ca FILE writes its certificate',
            'GET ORIGIN/meanwhile → 200 (0 B up, 5 B down, response recorded, TIME)',
            'GET ORIGIN/large → 200 (0 B up, 50 MB down, response streamed in 12208 pieces, TIME)',
          ].join('\n'),
        );
        expect(sluice.stdout).toContain('\x1b[32m200\x1b[0m');
      },
    );
  });

  it('leaves nothing of a body that is cut at the end', async () => {
    const env = { TERM: 'xterm' };
    await onTerminal(['--set', 'stream_large_bodies=3m'], env, async (sluice, { origin }, send) => {
      const answer = through(await sluice.port(), `${origin}/large`);
      await sluice.prints(/↓ \S+\/large {2}0 B/);
      send(BYTES / 2);
      await sluice.prints(/↓ \S+\/large {2}25 MB/);
      sluice.type('\x03');
      await sluice.prints(/closing: 1 flow in flight/);
      const again = setInterval(() => sluice.type('\x03'), 300);
      expect((await answer).whole).toBe(false);
      const { code, stdout } = await sluice.ended;
      clearInterval(again);
      expect(code).toBe(0);
      const terminal = new Terminal(2 * COLUMNS, 20);
      terminal.write(stdout.replaceAll('^C', ''));
      const [, , ...lines] = terminal.screen;
      expect(lines).toEqual([
        expect.stringMatching(/^closing: /),
        expect.stringMatching(/\/large → 200, PROXY_CLOSED: .* \(0 B up, 25 MB down, /),
      ]);
    });
  });

  it('has no colours where NO_COLOR says so', async () => {
    await onTerminal([], { TERM: 'xterm', NO_COLOR: '1' }, async (sluice, { origin }) => {
      await through(await sluice.port(), `${origin}/`);
      await sluice.prints(/\/ → 200 \([^\n]*\n/);
      expect(sluice.stdout).not.toContain('\x1b');
    });
  });

  it('-q draws nothing, but what addons print is seen', async () => {
    await onTerminal([], { TERM: 'xterm' }, async (_, { start, origin, folder }, send) => {
      const [port, addon] = [await freePort(), path.join(folder, 'slow.mjs')];
      // Prints once several drawings would have been due.
      writeFileSync(
        addon,
        `export function response() {}\nexport function responseHeaders() { setTimeout(() => console.log('by now'), 500); }`,
      );
      const args = ['-q', '-p', String(port), '-s', addon, '--set', 'stream_large_bodies=0'];
      const line = [process.execPath, '--import', 'tsx', 'src/cli/main.ts', ...args];
      const sluice = start([], {
        command: ['script', '-qefc', `exec ${line.join(' ')}`, '/dev/null'],
        env: { TERM: 'xterm' },
      });
      await sluice.listensOn(port);
      const answer = through(port, `${origin}/large`);
      await sluice.prints(/by now/);
      send(BYTES);
      await answer;
      sluice.type('\x03');
      expect((await sluice.ended).stdout.replace('^C', '')).toBe('by now\r\n');
    });
  });
});
