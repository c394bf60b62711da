import { readFileSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort, isListening, through, withCommand } from '../testing/command.js';

/** An answer whose end waits for `go`. */
function held(): {
  handle: (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
  go(): void;
} {
  let go: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  return {
    go: () => go(),
    handle: (request, response) => {
      if (request.url !== '/held') return false;
      response.write('begun ');
      gone.then(() => response.end('ended'));
      return true;
    },
  };
}

describe('sluice', () => {
  it('prints where it listens, a line per flow, and how it went', async () => {
    await withCommand(async ({ start, origin }) => {
      const sluice = start(['--set', 'stream_large_bodies=3m']);
      const port = await sluice.port();
      expect(sluice.stdout.split('\n')[0]).toBe(`sluice listens on http://127.0.0.1:${port}`);
      await through(port, `${origin}/bytes/10485760`);
      await through(port, `${origin}/bytes/1048576`);
      await through(port, `${origin}/say`, { method: 'POST', body: 'words' });
      await through(port, 'http://127.0.0.1:1/');
      const { code, stderr, stdout } = await sluice.interrupt();
      const [, ca, large, small, said, failed, ...rest] = stdout.split('\n');
      expect(ca).toMatch(/^its CA: made for this run .*--save-ca FILE/);
      expect(large).toMatch(
        /^GET \S+\/bytes\/10485760 → 200 \(0 B up, 10\.5 MB down, response streamed in 2560 pieces, [\d.]+ m?s\)$/,
      );
      expect(small).toMatch(
        /^GET \S+\/bytes\/1048576 → 200 \(0 B up, 1 MB down, response recorded, [\d.]+ m?s\)$/,
      );
      expect(said).toMatch(/^POST \S+\/say → 200 \(5 B up, 5 B down, request recorded, response recorded, /);
      expect(failed).toMatch(/^GET http:\/\/127\.0\.0\.1:1\/ → ORIGIN_UNREACHABLE: .* \(0 B up, 0 B down, /);
      expect({ rest, code, stderr }).toEqual({ rest: [''], code: 0, stderr: '' });
    });
  });

  it('prints a WebSocket once it is over, its messages counted', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(data, { binary: false })));
    try {
      await withCommand(async ({ start }) => {
        const sluice = start(['--set', 'stream_websockets=true']);
        const socket = net.connect(await sluice.port(), '127.0.0.1');
        const url = `127.0.0.1:${(server.address() as AddressInfo).port}`;
        socket.write(`CONNECT ${url} HTTP/1.1\r\nHost: ${url}\r\n\r\n`);
        await new Promise((resolve) => socket.once('data', resolve));
        const client = new WebSocket(`ws://${url}/live`, { createConnection: () => socket });
        await new Promise((resolve) => client.on('open', resolve));
        client.send('hi');
        await new Promise((resolve) => client.on('message', resolve));
        expect(sluice.stdout).not.toContain('/live');
        client.close(4001, 'done');
        const [line] = await sluice.prints(/^.*\/live.*$/m);
        expect(line).toMatch(
          /^GET ws:\S+\/live → 101 \(WebSocket: .*1 message up, 1 down.*closed 4001 "done" by client, [\d.]+ m?s\)$/,
        );
        await sluice.interrupt();
      });
    } finally {
      server.close();
    }
  });

  it('a filter chooses what is printed and saved', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const har = path.join(folder, 'out.har');
      const sluice = start(['--save-har', har, '~m', 'POST', '&', '~u keep']);
      const port = await sluice.port();
      await through(port, `${origin}/keep/1`);
      await through(port, `${origin}/drop`, { method: 'POST', body: 'x' });
      await through(port, `${origin}/keep/2`, { method: 'POST', body: 'x' });
      const { stdout, stderr } = await sluice.interrupt();
      expect(stdout.match(/^[A-Z]+ \S+/gm)).toEqual([`POST ${origin}/keep/2`]);
      expect(stderr).toBe(`${har}: 1 flow saved\n`);
      const { log } = JSON.parse(readFileSync(har, 'utf8'));
      expect(log.entries.map(({ request }: { request: { url: string } }) => request.url)).toEqual([
        `${origin}/keep/2`,
      ]);
    });
  });

  it('-q prints nothing of what goes well', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const har = path.join(folder, 'out.har');
      const addon = path.join(folder, 'bad.mjs');
      const ready = path.join(folder, 'ca.pem');
      writeFileSync(
        addon,
        `export function request(flow) { if (flow.request.path === '/bad') throw new Error('no'); }`,
      );
      const port = await freePort();
      const sluice = start(['-q', '-p', String(port), '--save-har', har, '--save-ca', ready, '-s', addon]);
      await sluice.listensOn(port);
      await through(port, `${origin}/fine`);
      await through(port, `${origin}/bad`);
      const { stdout, stderr, code } = await sluice.interrupt();
      expect(stdout).toBe('');
      expect(stderr).toBe(`addon ${addon}:1:73: request: no\n`);
      expect(code).toBe(0);
      expect(JSON.parse(readFileSync(har, 'utf8')).log.entries).toHaveLength(2);
      expect(readFileSync(ready, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----/);
      expect(readFileSync(ready, 'utf8')).not.toContain('PRIVATE');
    });
  });

  it('escapes what would move the cursor', async () => {
    await withCommand(async ({ start, origin }) => {
      const sluice = start();
      const socket = net.connect(await sluice.port(), '127.0.0.1');
      socket.end(`GET ${origin}/\x1b[2J\x9b HTTP/1.1\r\nHost: x\r\n\r\n`, 'latin1');
      const [line] = await sluice.prints(/^GET .*$/m);
      expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      await sluice.interrupt();
    });
  });
});

describe('the end of sluice', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`${signal}: accepts nothing more, lets what is in flight end, and writes the HAR`, async () => {
      const { handle, go } = held();
      await withCommand(async ({ start, origin, folder }) => {
        const har = path.join(folder, 'out.har');
        const sluice = start(['--save-har', har, '--set', 'stream_large_bodies=0']);
        const port = await sluice.port();
        const answer = through(port, `${origin}/held`);
        await through(port, `${origin}/other`);
        sluice.child.kill(signal);
        await sluice.complains(/^closing: 1 flow in flight/m);
        expect(await isListening(port)).toBe(false);
        go();
        expect(await answer).toEqual({ status: 200, body: 'begun ended', whole: true });
        const { code, stdout } = await sluice.ended;
        expect(code).toBe(0);
        expect(stdout).toMatch(/\/held → 200 /);
        expect(JSON.parse(readFileSync(har, 'utf8')).log.entries).toHaveLength(2);
      }, handle);
    });
  }

  it('a second signal cuts, and what was cut is in the HAR', async () => {
    const { handle } = held();
    await withCommand(async ({ start, origin, folder }) => {
      const har = path.join(folder, 'out.har');
      const sluice = start(['--save-har', har, '--set', 'stream_large_bodies=0']);
      const answer = through(await sluice.port(), `${origin}/held`);
      // Its flow has begun once the head of the next has been answered.
      await through(await sluice.port(), `${origin}/other`);
      sluice.child.kill('SIGINT');
      await sluice.complains(/^closing: /m);
      const ended = sluice.insist('SIGINT');
      expect((await answer).whole).toBe(false);
      const { code, stdout, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr).not.toContain('10 s are over');
      expect(stdout).toMatch(/\/held → .*PROXY_CLOSED/);
      expect(readFileSync(har, 'utf8')).toContain('PROXY_CLOSED');
    }, handle);
  });

  it('two signals at once are one, as when npx passes on what the terminal has sent already', async () => {
    const { handle, go } = held();
    await withCommand(async ({ start, origin }) => {
      const sluice = start(['--set', 'stream_large_bodies=0']);
      const answer = through(await sluice.port(), `${origin}/held`);
      await through(await sluice.port(), `${origin}/other`);
      sluice.child.kill('SIGINT');
      sluice.child.kill('SIGTERM');
      await sluice.complains(/^closing: /m);
      go();
      expect((await answer).whole).toBe(true);
      expect((await sluice.ended).code).toBe(0);
    }, handle);
  });

  it('a HAR that cannot be written after all is an error, in one line', async () => {
    await withCommand(async ({ start, folder }) => {
      const har = path.join(folder, 'sub', 'out.har');
      const { mkdirSync, rmSync } = await import('node:fs');
      mkdirSync(path.dirname(har));
      const sluice = start(['--save-har', har]);
      await sluice.port();
      rmSync(path.dirname(har), { recursive: true });
      const { code, stderr } = await sluice.interrupt();
      expect(code).toBe(1);
      expect(stderr).toMatch(/^sluice: \S+out\.har cannot be written: .*\n$/);
    });
  });

  it('ends when nobody reads it any more, as before head -1', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const har = path.join(folder, 'out.har');
      const sluice = start(['--save-har', har], { closeStdoutAfter: /\/first/ });
      const port = await sluice.port();
      await through(port, `${origin}/first`);
      await sluice.prints(/\/first/);
      // Not every write to a pipe that was just closed fails.
      while (sluice.child.exitCode === null && (await isListening(port)))
        await through(port, `${origin}/next`).catch(() => undefined);
      const { code, stderr } = await sluice.ended;
      expect(code).toBe(0);
      expect(stderr).not.toMatch(/EPIPE|Error/);
      expect(JSON.parse(readFileSync(har, 'utf8')).log.entries.length).toBeGreaterThan(1);
    });
  });

  for (const flag of ['--help', '--options', '--version']) {
    it(`${flag} prints and ends`, async () => {
      await withCommand(async ({ start }) => {
        const { code, stdout, stderr } = await start([flag]).ended;
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        expect(stdout).toMatch(
          {
            '--help': /^Usage: sluice/,
            '--options': /stream_large_bodies/,
            '--version': /^sluice \d+\.\d+\.\d+\n$/,
          }[flag] ?? /^$/,
        );
      });
    });
  }
});

describe('sluice, misused', () => {
  const cases: [what: string, args: string[], says: RegExp][] = [
    ['an unknown flag', ['--prot', '1'], /unknown flag --prot; did you mean --port\?/],
    [
      'an unknown option',
      ['--set', 'stream_large_body=3m'],
      /unknown option "stream_large_body"; did you mean stream_large_bodies\?/,
    ],
    [
      'a bad value',
      ['--set', 'stream_large_bodies=3mb'],
      /stream_large_bodies: "3mb" is not a size; accepted is /,
    ],
    ['a missing addon', ['-s', 'nowhere.ts'], /addon nowhere\.ts: there is no such file/],
    ['an addon without hooks', ['-s', 'src/size.ts'], /addon src\/size\.ts: exports no hooks; /],
    ['an addon that is no program', ['-s', 'README.md'], /addon README\.md: cannot be loaded: /],
    ['two modes', ['--mode', 'regular', '--mode', 'socks5'], /--mode is given twice/],
    ['a bad filter', ['~m POST & ~zz'], /filter: ~zz is not an operator.*, at character 11/],
    [
      'a HAR in no folder',
      ['--save-har', 'nowhere/x.har'],
      /--save-har nowhere\/x\.har: there is no folder nowhere/,
    ],
    ['a HAR that is a folder', ['--save-har', 'src'], /--save-har src: this is a folder/],
    ['a CA that is none', ['--set', 'ca=README.md,README.md'], /ca\.cert: /],
  ];
  for (const [what, args, says] of cases) {
    it(`${what}: one line on standard error, exit 2`, async () => {
      await withCommand(async ({ start }) => {
        const { code, stdout, stderr } = await start(args).ended;
        expect(stderr).toMatch(says);
        expect(stderr).toMatch(/^sluice: [^\n]+\n$/);
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      });
    });
  }

  it('a port that is taken: one line, exit 2', async () => {
    await withCommand(async ({ start, origin }) => {
      const { port } = new URL(origin);
      const { code, stderr } = await start(['-p', port]).ended;
      expect(code).toBe(2);
      expect(stderr).toMatch(new RegExp(`^sluice: port ${port} on 127\\.0\\.0\\.1 is in use; [^\n]+\n$`));
    });
  });

  it('never shows a password', async () => {
    await withCommand(async ({ start }) => {
      const { code, stderr } = await start(['--set', 'upstream=socks5://me:hunter2@a.test:1']).ended;
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /^sluice: upstream: the value given is not accepted; give the URL of an HTTP proxy/,
      );
      expect(stderr).not.toContain('hunter2');
    });
  });
});
