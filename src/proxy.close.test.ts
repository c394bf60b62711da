import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { openTls, openTunnel } from './listen/testing/tunnels.js';
import { unresponsive } from './origin/testing/unresponsive.js';
import { startProxy } from './proxy.js';
import { withProxy } from './testing/with-proxy.js';

const GET = 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}';

describe('close()', () => {
  it('cuts flows in flight with PROXY_CLOSED, and the origin with them', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange(GET);
      const errored = stage.proxy.waitForError('**');
      await stage.proxy.close();
      expect((await errored).error.code).toBe('PROXY_CLOSED');
      await Promise.all([client.ending, upstream.ending]);
      expect(client.unread).toHaveLength(0);
      expect(stage.hooks.at(-1)).toBe('error');
    }));

  it('cuts a streamed response in the middle, and a request that is still coming', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      const { client, upstream } = await stage.exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart');
      await client.read('part');
      const uploading = await stage.client();
      await uploading.send(
        `PUT http://${stage.origin.host}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\npart`,
      );
      await (await stage.origin.accept()).read('part');
      await stage.proxy.close();
      await Promise.all([client.ending, uploading.ending]);
      expect(stage.proxy.flows.map((flow) => flow.error?.code)).toEqual(['PROXY_CLOSED', 'PROXY_CLOSED']);
      expect(stage.proxy.flows.at(0)?.response).toMatchObject({ bodyStatus: 'streamed', complete: false });
    }));

  it('cuts idle connections, tunnels and handshakes', () =>
    withProxy({}, async (stage) => {
      const idle = await stage.client();
      const silent = await openTunnel(stage, 'a.test:443');
      const handshaking = await openTunnel(stage, 'b.test:443');
      await handshaking.send(Buffer.from([0x16, 3, 1]));
      const raw = await openTunnel(stage, stage.origin.host);
      await raw.send('\x00');
      const upstream = await stage.origin.accept();
      const secure = await openTls(stage, 'c.test');
      await stage.proxy.close();
      await Promise.all([idle, silent, handshaking, raw, upstream, secure].map(({ ending }) => ending));
    }));

  it('twice, at once or later, is harmless, and the port is free again', async () => {
    const proxy = await startProxy();
    await Promise.all([proxy.close(), proxy.close()]);
    await proxy.close();
    await proxy[Symbol.asyncDispose]();
    const again = await startProxy({ port: proxy.port });
    await again.close();
  });

  it('gives up what a hook is still waiting in, and what it does afterwards has no effect', () =>
    withProxy({}, async (stage) => {
      let go: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        stage.proxy.on('request', async (flow) => {
          await new Promise<void>((end) => {
            go = end;
            resolve();
          });
          flow.respond({ body: 'late' });
          flow.kill();
        });
      });
      const client = await stage.client();
      await client.send(`${GET.replaceAll('{origin}', stage.origin.host)}\r\n\r\n`);
      await asked;
      await stage.proxy.close();
      go();
      await client.ending;
      const flow = stage.proxy.flows.last;
      expect(flow?.error?.code).toBe('PROXY_CLOSED');
      expect(stage.origin.connections).toHaveLength(0);
      await stage.proxy.verify();
    }));
});

describe('a process that closed its proxy', () => {
  const source = path.resolve('src/index.ts');
  /** Runs a script that has `startProxy`, `net`, `tls` and `send(port, ...text)`; gives what it printed. */
  function run(script: string): Promise<{ code: number | null; output: string }> {
    const prelude = `
      import net from 'node:net';
      import tls from 'node:tls';
      import { once } from 'node:events';
      import { startProxy } from ${JSON.stringify(source)};
      const send = async (port, text) => {
        const socket = net.connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(text);
        return socket;
      };
    `;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', prelude + script],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // A process that does not end is a failure, not a reason to wait for the timeout of a connection.
        timeout: 15_000,
      },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        output += text;
      });
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
  }

  it('ends by itself, with exchanges, tunnels, waits and hooks under way, and prints nothing', async () => {
    const origin = net.createServer(() => undefined);
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    const { port } = origin.address() as net.AddressInfo;
    try {
      const { code, output } = await run(`
        const proxy = await startProxy({ hosts: { 'app.test': '127.0.0.1:${port}' } });
        proxy.waitForFlow('**', { timeout: 0 });
        proxy.on('request', (flow) => flow.request.path === '/hook' ? new Promise(() => undefined) : undefined);
        await send(proxy.port, 'GET http://app.test/ HTTP/1.1\\r\\nHost: app.test\\r\\n\\r\\n');
        await send(proxy.port, 'GET http://app.test/hook HTTP/1.1\\r\\nHost: app.test\\r\\n\\r\\n');
        await send(proxy.port, 'CONNECT app.test:443 HTTP/1.1\\r\\nHost: app.test\\r\\n\\r\\n\\0');
        await send(proxy.port, 'CONNECT app.test:443 HTTP/1.1\\r\\nHost: app.test\\r\\n\\r\\n');
        while (proxy.flows.length < 2) await new Promise((resolve) => setImmediate(resolve));
        await proxy.close();
        proxy.waitForFlow('**/later');
      `);
      expect({ code, output }).toEqual({ code: 0, output: '' });
    } finally {
      origin.close();
    }
  });

  it('ends by itself while an origin or a chained proxy is still being connected to', () =>
    unresponsive(async (port) => {
      const { code, output } = await run(`
        const upstream = { server: 'http://127.0.0.1:${port}', bypass: 'localhost' };
        const proxy = await startProxy({ upstream });
        await send(proxy.port, 'GET http://localhost:${port}/ HTTP/1.1\\r\\nHost: app.test\\r\\n\\r\\n');
        await send(proxy.port, 'GET https://app.test/ HTTP/1.1\\r\\nHost: app.test\\r\\n\\r\\n');
        while (proxy.flows.length < 2) await new Promise((resolve) => setImmediate(resolve));
        await proxy.close();
      `);
      expect({ code, output }).toEqual({ code: 0, output: '' });
    }));
});
