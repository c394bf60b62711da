import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { expect } from 'expect';
import { through, withCommand } from '../testing/command.js';
import { TlsServer } from '../testing/tls-server.js';
import { CHROMIUM_HELLO } from '../tls/testing/hellos.js';

/** A CONNECT tunnel through the command. */
async function tunnel(port: number, authority: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  return socket;
}

describe('sluice', () => {
  it('--save-ca and upstream_ca: TLS is trusted on both sides; a handshake that fails is told of', async () => {
    const server = await TlsServer.listen(['http/1.1']);
    try {
      await withCommand(async ({ start, folder }) => {
        const [ca, origins] = [path.join(folder, 'ca.pem'), path.join(folder, 'origins.pem')];
        writeFileSync(origins, TlsServer.ca);
        const hosts = `hosts=app.test=127.0.0.1:${server.port}`;
        const sluice = start(['--save-ca', ca, '--set', `upstream_ca=${origins}`, '--set', hosts]);
        const port = await sluice.port();
        await sluice.prints(/; certificate in \S+ca\.pem\n/);
        const trusting = tls.connect({
          socket: await tunnel(port, 'app.test:443'),
          servername: 'app.test',
          ca: readFileSync(ca, 'utf8'),
        });
        trusting.write('GET /safe HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
        await sluice.prints(/^GET https:\/\/app\.test\/safe → 200 \(.*\)$/m);
        trusting.destroy();
        // Not a hello that anybody could answer.
        const confused = await tunnel(port, 'app.test:443');
        confused.on('error', () => confused.destroy());
        confused.write(Buffer.from('160301000500aabbccdd', 'hex'));
        const [line] = await sluice.complains(/^client 127\.0\.0\.1:\d+ to app\.test:443: .*$/m);
        expect(line).toMatch(/SSL/);
        confused.destroy();
        expect((await sluice.interrupt()).code).toBe(0);
      });
    } finally {
      await server.close();
    }
  });

  it('tells once of clients that do not trust the CA, by host and how they said so', async () => {
    await withCommand(async ({ start }) => {
      const sluice = start(['--set', 'hosts=*=127.0.0.1:1']);
      const port = await sluice.port();
      const tells = (what: string) =>
        sluice.complains(new RegExp(`^client 127\\.0\\.0\\.1:\\d+ to ${what}$`, 'm'));
      const hint = '; --save-ca FILE writes its certificate';
      const closed = ': the client closed the connection during the TLS handshake; it may not trust the CA';
      for (const host of ['app.test', 'app.test', 'b.test']) {
        const socket = await tunnel(port, `${host}:443`);
        const distrusting = tls.connect({ socket, servername: host });
        await once(distrusting, 'close').catch(() => undefined);
        await tells(`${host}:443${closed}${hint}`);
        const saying = await tunnel(port, `${host}:443`);
        saying.write(CHROMIUM_HELLO);
        await once(saying, 'data');
        saying.end(Buffer.from('15030300020230', 'hex'));
        await once(saying, 'close');
        await tells(`${host}:443 does not trust the CA${hint}`);
      }
      const { code, stderr } = await sluice.interrupt();
      expect({ code, lines: stderr.split('\n').length - 1 }).toEqual({ code: 0, lines: 4 });
    });
  });

  it('prints TCP flows', async () => {
    const server = net.createServer((socket) => socket.on('data', (data) => socket.end(`got ${data}`)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await withCommand(async ({ start }) => {
        const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
        const sluice = start(['--set', `tcp_hosts=^${authority}$`]);
        const socket = await tunnel(await sluice.port(), authority);
        socket.write('ping');
        const [answer] = await once(socket, 'data');
        expect(String(answer)).toBe('got ping');
        socket.end();
        const [line] = await sluice.prints(/^TCP .*$/m);
        expect(line).toMatch(
          new RegExp(`^TCP ${authority}: 1 message up, 1 down, 4 B up, 8 B down, closed after `),
        );
        await sluice.interrupt();
      });
    } finally {
      server.close();
    }
  });

  it('prints TCP flows that the filter lets through', async () => {
    const server = net.createServer((socket) => socket.on('data', (data) => socket.end(`got ${data}`)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await withCommand(async ({ start }) => {
        const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
        const sluice = start([
          '--set',
          `tcp_hosts=^${authority}$`,
          `~tcp & ~d 127 & ${authority} & ~bq second`,
        ]);
        const port = await sluice.port();
        for (const text of ['first', 'second']) {
          const socket = await tunnel(port, authority);
          socket.end(text);
          await once(socket.resume(), 'close');
        }
        await sluice.prints(/^TCP .* 1 message up, 1 down, 6 B up, 10 B down, closed/m);
        const { stdout } = await sluice.interrupt();
        expect(stdout.match(/^TCP/gm)).toHaveLength(1);
      });
    } finally {
      server.close();
    }
  });

  it('--mode reverse:URL stands for the server at URL', async () => {
    await withCommand(async ({ start, origin }) => {
      const sluice = start(['--mode', `reverse:${origin}`]);
      const port = await sluice.port();
      expect(sluice.stdout).toContain(`sluice listens on http://127.0.0.1:${port} for ${origin}\n`);
      expect((await through(port, '/path')).body).toBe('hello');
      await sluice.prints(new RegExp(`^GET ${origin}/path → 200 `, 'm'));
      await sluice.interrupt();
    });
  });

  it('warnings are printed below their flow', async () => {
    await withCommand(async ({ start, origin, folder }) => {
      const addon = path.join(folder, 'late.mjs');
      writeFileSync(addon, `export function response(flow) { flow.response.body = 'too late'; }`);
      const sluice = start(['-s', addon, '--set', 'stream_large_bodies=0']);
      await through(await sluice.port(), `${origin}/`);
      await sluice.prints(/^GET .* → 200 .*\n {2}warning: .*response hook.*$/m);
      await sluice.interrupt();
    });
  });

  it('what addons make of a flow that was cut at the end is waited for', async () => {
    await withCommand(
      async ({ start, origin, folder }) => {
        const [addon, mark] = [path.join(folder, 'slow.mjs'), path.join(folder, 'mark')];
        writeFileSync(
          addon,
          `import { writeFile } from 'node:fs/promises';
          export async function error(flow) { await writeFile(${JSON.stringify(mark)}, flow.error.code); }`,
        );
        const sluice = start(['-s', addon, '--set', 'stream_large_bodies=0']);
        const answer = through(await sluice.port(), `${origin}/never`);
        await through(await sluice.port(), `${origin}/other`);
        sluice.child.kill('SIGTERM');
        await sluice.complains(/^closing: /m);
        const ended = sluice.insist('SIGTERM');
        expect((await answer).whole).toBe(false);
        expect((await ended).stdout).toMatch(/\/never → 200, PROXY_CLOSED/);
        expect(existsSync(mark)).toBe(true);
      },
      ({ url }, response) => {
        if (url !== '/never') return false;
        response.write('begun');
        return true;
      },
    );
  });

  it('an unexpected error ends it with a stack, unless there are addons, which are blamed', async () => {
    await withCommand(async ({ start, folder }) => {
      const crash = `process.on('SIGUSR2', () => { throw new Error('unexpected'); });`;
      const command = [
        process.execPath,
        '--import',
        'tsx',
        '--import',
        `data:text/javascript,${encodeURIComponent(crash)}`,
      ];
      const line = [...command, 'src/cli/main.ts', '-p', '0'];
      const alone = start([], { command: line });
      await alone.port();
      alone.child.kill('SIGUSR2');
      expect(await alone.ended).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^sluice: Error: unexpected\n +at /),
      });

      const addon = path.join(folder, 'some.mjs');
      writeFileSync(addon, 'export function request() {}');
      const blamed = start(['-s', addon], { command: line });
      await blamed.port();
      blamed.child.kill('SIGUSR2');
      await blamed.complains(/^addon: nobody caught Error: unexpected\n +at /m);
      expect((await blamed.interrupt()).code).toBe(0);
    });
  });
});
