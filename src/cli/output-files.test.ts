import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { makeFlow } from '../har/testing/flows.js';
import { type CommandStage, type RunningCommand, through, withCommand } from '../testing/command.js';
import { checkWritable, KeptFlows } from './output-files.js';

describe('the flows that are kept', () => {
  it('are the last 10 000', () => {
    const kept = new KeptFlows();
    for (let n = 1; n <= 12_345; n++) {
      kept.add(makeFlow({ url: `http://a.test/${n}` }));
      expect(kept.length).toBe(Math.min(n, 10_000));
    }
    const { entries } = JSON.parse(kept.har()).log as { entries: { request: { url: string } }[] };
    expect(entries).toHaveLength(10_000);
    const numbers = entries.map(({ request }) => Number(request.url.split('/').at(-1))).sort((a, b) => a - b);
    expect([numbers[0], numbers.at(-1)]).toEqual([2346, 12_345]);
  });
});

const isUnix = process.platform !== 'win32';

/** Reads a FIFO. It is there from the start, as nobody else's opening it is waited for. */
class Reader {
  text = '';
  readonly #socket: net.Socket;

  constructor(fifo: string) {
    this.#socket = new net.Socket({ fd: openSync(fifo, 'r+'), writable: false });
    this.#socket.setEncoding('utf8').on('data', (text) => {
      this.text += text;
    });
  }

  async reads(wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = wanted.exec(this.text);
      if (found !== null) return found;
      await once(this.#socket, 'data');
    }
  }

  leave(): void {
    this.#socket.destroy();
  }
}

describe('a FIFO', { skip: !isUnix }, () => {
  const withFifo = (play: (stage: CommandStage, fifo: string) => Promise<void>) =>
    withCommand(async (stage) => {
      const fifo = path.join(stage.folder, 'pipe');
      execFileSync('mkfifo', [fifo]);
      await play(stage, fifo);
    });

  /** Runs the command with more to write than a pipe takes at once. */
  async function filled({ start, origin }: CommandStage, fifo: string): Promise<RunningCommand> {
    const sluice = start(['--save-har', fifo]);
    const port = await sluice.port();
    for (let n = 0; n < 20; n++) await through(port, `${origin}/${n}/${'x'.repeat(10_000)}`);
    return sluice;
  }

  it('gets the HAR, whole, if somebody reads it', () =>
    withFifo(async (stage, fifo) => {
      const sluice = await filled(stage, fifo);
      const reader = new Reader(fifo);
      try {
        const { code, stderr } = await sluice.interrupt();
        expect({ code, stderr }).toEqual({ code: 0, stderr: `${fifo}: 20 flows saved\n` });
        await reader.reads(/^\}$/ms);
        expect(reader.text.length).toBeGreaterThan(200_000);
        expect(JSON.parse(reader.text).log.entries).toHaveLength(20);
      } finally {
        reader.leave();
      }
    }));

  it('whose reader leaves half-way is told of', () =>
    withFifo(async (stage, fifo) => {
      const sluice = await filled(stage, fifo);
      const reader = new Reader(fifo);
      const ended = sluice.interrupt();
      await reader.reads(/log/);
      reader.leave();
      expect(await ended).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^sluice: .*pipe cannot be written: .*EPIPE.*\n$/),
      });
    }));

  it('that nobody reads is told of, and the command ends', () =>
    withFifo(async ({ start }, fifo) => {
      const why = `sluice: ${fifo} cannot be written: nobody reads this pipe; give another file\n`;
      const sluice = start(['--save-har', fifo]);
      await sluice.port();
      expect(await sluice.interrupt()).toMatchObject({ code: 1, stderr: why });
      // This one is written before anything else.
      expect(await start(['--save-ca', fifo]).ended).toMatchObject({ code: 2, stdout: '', stderr: why });
    }));

  it('may be the standard output', () =>
    withFifo(async ({ start, origin }, fifo) => {
      const reader = new Reader(fifo);
      try {
        const program = [process.execPath, '--import', 'tsx', path.resolve('src/cli/main.ts')];
        const sluice = start(['-p', '0', '--save-har', '/dev/stdout'], {
          command: ['/bin/sh', '-c', 'exec "$@" > "$0"', fifo, ...program],
        });
        const [, port] = await reader.reads(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
        await through(Number(port), `${origin}/`);
        expect(await sluice.interrupt()).toMatchObject({
          code: 0,
          stderr: '/dev/stdout: 1 flow saved\n',
        });
        const [har] = await reader.reads(/^\{$.*^\}$/ms);
        expect(JSON.parse(har).log.entries).toHaveLength(1);
      } finally {
        reader.leave();
      }
    }));
});

describe('checkWritable', () => {
  it('refuses what is no file and no pipe', { skip: !isUnix }, () =>
    withCommand(async ({ folder }) => {
      const socket = path.join(folder, 'socket');
      const server = net.createServer().listen(socket);
      await once(server, 'listening');
      await expect(checkWritable('--save-har', socket)).rejects.toThrow(
        /^--save-har .*socket: this is a socket; give a file that can be written$/,
      );
      server.close();
    }),
  );

  it('tells before what cannot be written after', async () => {
    await withCommand(async ({ folder }) => {
      const at = (name: string) => path.join(folder, name);
      writeFileSync(at('old.har'), '');
      mkdirSync(at('sub'));
      await checkWritable('--save-har', undefined);
      await checkWritable('--save-har', at('old.har'));
      await checkWritable('--save-har', at('new.har'));
      await expect(checkWritable('--save-har', at('sub'))).rejects.toThrow(
        /^--save-har .*sub: this is a folder; give a file/,
      );
      await expect(checkWritable('--save-har', at('none/x.har'))).rejects.toThrow(
        /there is no folder .*none; /,
      );
      await expect(checkWritable('--save-har', at('old.har/x.har'))).rejects.toThrow(/there is no folder/);
      // To root, nothing is forbidden.
      if (process.getuid?.() === 0) return;
      chmodSync(at('sub'), 0o500);
      await expect(checkWritable('--save-har', at('sub/x.har'))).rejects.toThrow(
        /may not be written to \(EACCES\)/,
      );
    });
  });
});
