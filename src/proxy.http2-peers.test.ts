/** HTTP/2 with clients that nobody here wrote: curl, nghttp and h2load. Behind the proxy is node:http2. */

import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { TlsOrigin } from './listen/testing/tunnels.js';
import { octets, sha256 } from './testing/bytes.js';
import { Http2Server, type StreamHandler } from './testing/http2.js';
import { testProxy } from './testing/test-proxy.js';
import { describeUnless } from './testing/unless.js';

const NAME = 'h2.test';
const SIZE = 5_000_011;
const BLOCK = octets(1024 * 1024);
const run = promisify(execFile);

/** Why tests of a tool are skipped, if they are. */
function without(tool: string, wanted: RegExp): string | false {
  const { error, stdout } = spawnSync(tool, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return `no ${tool} here`;
  return wanted.test(stdout) ? false : `this ${tool} has no HTTP/2`;
}

const skips = {
  curl: without('curl', /HTTP2/),
  nghttp: without('nghttp', /nghttp2/),
  h2load: without('h2load', /nghttp2/),
};

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-h2-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => path.join(folder, name);
const saved = (name: string, content: string | Uint8Array): string => {
  writeFileSync(file(name), content);
  return file(name);
};

interface Scene {
  proxy: Awaited<ReturnType<typeof testProxy>>;
  origin: Http2Server;
  /** Trailers of requests that came. */
  trailers: object[];
  curl(...args: string[]): Promise<string>;
}

/** A proxy before an HTTP/2 origin, with TLS or without. */
async function withOrigin(secure: boolean, play: (scene: Scene) => Promise<void>): Promise<void> {
  const trailers: object[] = [];
  const waiting: (() => void)[] = [];
  const serve: StreamHandler = (stream, { ':path': asked = '', ':method': method, expect: expected }) => {
    const [, what = '', size = ''] = asked.split('/');
    stream.on('trailers', (fields) => trailers.push({ ...fields }));
    if (what === 'bytes') {
      stream.respond({ ':status': 200, 'content-length': size }, { endStream: method === 'HEAD' });
      if (method !== 'HEAD') stream.end(octets(Number(size)));
    } else if (what === 'blocks') {
      stream.respond({ ':status': 200, 'content-length': Number(size) * BLOCK.length });
      let left = Number(size);
      const more = () => {
        while (left-- > 0) if (!stream.write(BLOCK)) return;
        stream.end();
      };
      stream.on('drain', more);
      more();
    } else if (what === 'upload') {
      if (expected === '100-continue') stream.additionalHeaders({ ':status': 100 });
      digested(stream);
    } else if (what === 'trailers') {
      stream.additionalHeaders({ ':status': 103, link: '</style.css>' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc' }));
      stream.end('with trailers');
    } else if (what === 'empty') {
      stream.respond({ ':status': 204 }, { endStream: true });
    } else {
      // Answers when `size` such requests are there, none of them before.
      waiting.push(() => {
        stream.respond({ ':status': 200 });
        stream.end(asked);
      });
      if (waiting.length === Number(size)) for (const answer of waiting) answer();
    }
  };
  const origin = await Http2Server.listen(serve, ...(secure ? [NAME] : []));
  const proxy = await testProxy({ hosts: { [NAME]: origin.host }, upstreamCa: secure ? origin.ca : [] });
  const ca = saved('proxy-ca.pem', proxy.ca.cert);
  const curl = async (...args: string[]) => {
    const usual = ['-sS', '--noproxy', '', '-x', proxy.server, '--cacert', ca, '--max-time', '30'];
    return (await run('curl', [...usual, ...args], { maxBuffer: 2 * SIZE })).stdout;
  };
  try {
    await play({ proxy, origin, trailers, curl });
    await proxy.verify();
  } finally {
    origin.close();
    await proxy.close();
  }
}

function digested(stream: ServerHttp2Stream): void {
  const digest = createHash('sha256');
  let bytes = 0;
  stream.on('data', (piece: Buffer) => {
    bytes += piece.length;
    digest.update(piece);
  });
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify({ bytes, sha256: digest.digest('hex') }));
  });
}

/** A port that leads through a CONNECT of its own, for clients that know of no proxies. */
async function withTunnel(
  proxy: Scene['proxy'],
  authority: string,
  play: (address: string) => Promise<void>,
): Promise<void> {
  const server = createServer((client) => {
    const tunnel = connect(proxy.port, '127.0.0.1');
    tunnel.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    tunnel.once('data', () => {
      client.pipe(tunnel);
      tunnel.pipe(client);
    });
    client.on('error', () => tunnel.destroy()).on('close', () => tunnel.destroy());
    tunnel.on('error', () => client.destroy()).on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await play(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

describeUnless(skips.curl, 'curl over HTTP/2', () => {
  for (const streams of [true, false]) {
    it(`downloads and uploads, ${streams ? 'streamed' : 'recorded'}`, async () => {
      await withOrigin(true, async ({ proxy, curl }) => {
        proxy.stream('**', streams);
        const body = octets(SIZE);
        const version = await curl(
          '-o',
          file('down'),
          '-w',
          '%{http_version}',
          `https://${NAME}/bytes/${SIZE}`,
        );
        expect(version).toBe('2');
        expect(sha256(readFileSync(file('down')))).toBe(sha256(body));
        const up = await curl('-T', saved('up', body), `https://${NAME}/upload`);
        expect(JSON.parse(up)).toEqual({ bytes: SIZE, sha256: sha256(body) });

        const [down, upload] = [...proxy.flows];
        const status = streams ? 'streamed' : 'recorded';
        for (const message of [down?.response, upload?.request]) {
          expect(message).toMatchObject({ httpVersion: '2.0', bodyStatus: status, complete: true });
          expect(message?.transfer.sent).toMatchObject({ bytes: SIZE, sha256: sha256(body) });
          expect(message?.body.length).toBe(streams ? 0 : SIZE);
          expect(message?.transfer.received.pieces.runs).toEqual([
            [4096, Math.floor(SIZE / 4096)],
            [SIZE % 4096, 1],
          ]);
        }
        expect(upload?.request.headers.get('content-length')).toBe(String(SIZE));
      });
    });
  }

  it('is told interim responses and trailers', async () => {
    await withOrigin(true, async ({ proxy, curl }) => {
      const told = await curl('-D', '-', `https://${NAME}/trailers`);
      // The tunnel's own answer comes first; Node adds the date.
      expect(told.slice(told.indexOf('HTTP/2')).replace(/date: .*\r\n/, '')).toBe(
        'HTTP/2 103 \r\nlink: </style.css>\r\n\r\nHTTP/2 200 \r\n\r\nwith trailersx-sum: abc\r\n',
      );
      const { response, informational } = await proxy.waitForFlow(`https://${NAME}/trailers`);
      expect(informational.map(({ status }) => status)).toEqual([103]);
      expect([...(response.trailers ?? [])]).toEqual([['x-sum', 'abc']]);
      expect(response.statusText).toBe('');
    });
  });

  it('is answered without bodies: HEAD and 204', async () => {
    await withOrigin(true, async ({ proxy, curl }) => {
      const head = await curl('-I', `https://${NAME}/bytes/1234`);
      expect(head).toMatch(/\r\nHTTP\/2 200 \r\ncontent-length: 1234\r\n/);
      const form = '%{http_code} %{size_download} %{http_version}';
      expect(await curl('-w', form, `https://${NAME}/empty`)).toBe('204 0 2');
      expect(proxy.flows.map(({ response }) => response?.body.length)).toEqual([0, 0]);
    });
  });

  it('has twenty requests in flight on one connection', async () => {
    await withOrigin(true, async ({ proxy, curl, origin }) => {
      const urls = Array.from({ length: 20 }, (_, i) => `https://${NAME}/together/20/${i}`);
      const form = '%{http_version} %{num_connects}\\n';
      const outputs = urls.flatMap((_, i) => ['-o', file(`part-${i}`)]);
      const told = await curl('-Z', '--parallel-max', '20', '-w', form, ...outputs, ...urls);
      const lines = told.trim().split('\n');
      expect(lines).toHaveLength(20);
      expect(lines.filter((line) => line === '2 1')).toHaveLength(1);
      expect(lines.filter((line) => line === '2 0')).toHaveLength(19);
      expect(urls.map((_, i) => readFileSync(file(`part-${i}`), 'utf8'))).toEqual(
        urls.map((url) => url.slice(`https://${NAME}`.length)),
      );
      expect(new Set(proxy.flows.map(({ client }) => client.id)).size).toBe(1);
      expect(origin.sessions).toHaveLength(1);
    });
  });

  it('speaks it without TLS, inside CONNECT', async () => {
    await withOrigin(false, async ({ proxy, curl }) => {
      const args = ['-p', '--http2-prior-knowledge', '-o', file('plain'), '-w', '%{http_version}'];
      expect(await curl(...args, `http://${NAME}/bytes/${SIZE}`)).toBe('2');
      expect(sha256(readFileSync(file('plain')))).toBe(sha256(octets(SIZE)));
      const { request, server } = await proxy.waitForFlow(`http://${NAME}/bytes/**`);
      expect([request.httpVersion, server?.tls]).toEqual(['2.0', false]);
    });
  });

  it('asks in HTTP/1.1 what only HTTP/2 is spoken for', async () => {
    await withOrigin(true, async ({ proxy, curl }) => {
      const told = await curl('--http1.1', '-D', '-', `https://${NAME}/trailers`);
      expect(told).toContain('HTTP/1.1 103 ');
      expect(told).toMatch(/HTTP\/1\.1 200 .*\r\n\r\nwith trailersx-sum: abc\r\n$/is);
      const body = octets(SIZE);
      const up = await curl('--http1.1', '-T', saved('up1', body), `https://${NAME}/upload`);
      expect(JSON.parse(up)).toEqual({ bytes: SIZE, sha256: sha256(body) });
      const versions = proxy.flows.map(({ request, response }) => [
        request.httpVersion,
        response?.httpVersion,
      ]);
      expect(versions).toEqual([
        ['1.1', '2.0'],
        ['1.1', '2.0'],
      ]);
    });
  });

  it('is left with HTTP/1.1 where the origin speaks that, and with http2: false', async () => {
    const origin = await TlsOrigin.listen(NAME);
    const proxy = await testProxy({ hosts: { [NAME]: origin.host }, upstreamCa: origin.ca });
    const off = await testProxy({ hosts: { [NAME]: origin.host }, upstreamCa: origin.ca, http2: false });
    const ca = saved('both-ca.pem', proxy.ca.cert);
    try {
      for (const { server } of [proxy, off]) {
        const args = ['-sS', '--noproxy', '', '-x', server, '--cacert', ca, '--max-time', '30'];
        const told = run('curl', [...args, '-w', ' %{http_version}', `https://${NAME}/`]);
        const serve = async () => {
          const peer = await origin.accept();
          const head = await peer.head();
          await peer.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold');
          return head;
        };
        expect(await serve()).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
        expect((await told).stdout).toBe('old 1.1');
      }
    } finally {
      origin.close();
      await proxy.close();
      await off.close();
    }
  });
});

describeUnless(skips.nghttp, 'nghttp', () => {
  const nghttp = async (...args: string[]) => {
    const { stdout } = await run('nghttp', ['-y', '-t', '30', ...args], { maxBuffer: 2 * SIZE });
    return stdout;
  };
  const authority = ['-H', `:authority: ${NAME}`];

  it('uploads with trailers, over padded frames and a head that is continued', async () => {
    await withOrigin(true, async ({ proxy, trailers }) => {
      await withTunnel(proxy, `${NAME}:443`, async (address) => {
        const body = octets(300_000);
        const shaping = ['--continuation', '--padding=200'];
        const trailer = ['--trailer', 'x-sum: 42', '-d', saved('ng-up', body)];
        const told = await nghttp(...authority, ...shaping, ...trailer, `https://${address}/upload`);
        expect(JSON.parse(told)).toEqual({ bytes: 300_000, sha256: sha256(body) });
        expect(trailers).toMatchObject([{ 'x-sum': '42' }]);
        const { request } = await proxy.waitForFlow(`https://${NAME}/upload`);
        expect([...(request.trailers ?? [])]).toEqual([['x-sum', '42']]);
        expect(request.body.equals(body)).toBe(true);
      });
    });
  });

  for (const streams of [true, false]) {
    it(`asks before it uploads, and ${streams ? 'the origin' : 'the proxy'} says yes`, async () => {
      await withOrigin(true, async ({ proxy }) => {
        proxy.stream('**/upload', { request: streams });
        await withTunnel(proxy, `${NAME}:443`, async (address) => {
          const body = octets(100_000);
          const waiting = ['-v', '--expect-continue', '-d', saved('ng-ask', body)];
          const told = await nghttp(...authority, ...waiting, `https://${address}/upload`);
          expect(told.indexOf(':status: 100')).toBeGreaterThan(0);
          expect(told.indexOf('send DATA')).toBeGreaterThan(told.indexOf(':status: 100'));
          expect(told).toContain(sha256(body));
        });
        const { request, informational } = await proxy.waitForFlow(`https://${NAME}/upload`);
        expect(informational.map(({ status }) => status)).toEqual(streams ? [100] : []);
        expect(request.body.length).toBe(streams ? 0 : 100_000);
      });
    });
  }

  it('downloads thirty times at once through windows of 1 KiB', async () => {
    await withOrigin(true, async ({ proxy }) => {
      proxy.stream('**', true);
      await withTunnel(proxy, `${NAME}:443`, async (address) => {
        const narrow = ['-n', '-s', '-w', '10', '-W', '12', '-m', '30'];
        const told = await nghttp(...authority, ...narrow, `https://${address}/bytes/20000`);
        expect(told.match(/ 200 +19K \/bytes\/20000/g)).toHaveLength(30);
      });
      await proxy.idle({ quiet: 1 });
      const digests = proxy.flows.map(({ response }) => response?.transfer.sent.sha256);
      expect(digests).toEqual(Array.from({ length: 30 }, () => sha256(octets(20_000))));
    });
  });

  it('is refused the upgrade from HTTP/1.1, which is no longer asked for', async () => {
    await withOrigin(false, async ({ proxy }) => {
      await withTunnel(proxy, `${NAME}:80`, async (address) => {
        const failed = await run('nghttp', ['-u', '-t', '30', `http://${address}/bytes/10`]).then(
          ({ stderr }) => stderr,
          ({ stderr }: { stderr: string }) => stderr,
        );
        expect(failed).toMatch(/HTTP Upgrade failed/i);
      });
    });
  });
});

describeUnless(skips.h2load, 'h2load', () => {
  const h2load = async (...args: string[]) => (await run('h2load', ['-T', '60', ...args])).stdout;

  it('makes 2000 requests over two connections with 50 streams each', async () => {
    await withOrigin(true, async ({ proxy, origin }) => {
      await withTunnel(proxy, `${NAME}:443`, async (address) => {
        const load = ['-n', '2000', '-c', '2', '-m', '50', `--connect-to=${address}`];
        const told = await h2load(...load, `https://${NAME}/bytes/1024`);
        expect(told).toContain('Application protocol: h2\n');
        expect(told).toContain('2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored');
        expect(told).toContain('2000 2xx');
      });
      await proxy.idle({ quiet: 1 });
      const flows = [...proxy.flows];
      expect(flows).toHaveLength(2000);
      expect(flows.filter(({ error, warnings }) => error !== undefined || warnings.length > 0)).toEqual([]);
      const body = octets(1024);
      expect(flows.filter(({ response }) => response?.complete && response.body.equals(body))).toHaveLength(
        2000,
      );
      expect(new Set(flows.map(({ client }) => client.id)).size).toBe(2);
      expect(origin.sessions).toHaveLength(1);
    });
  });

  it('downloads 64 MiB, the end of which comes together with the last of them', async () => {
    await withOrigin(false, async ({ proxy }) => {
      proxy.stream('**', true);
      const load = ['-n', '4', '-c', '1', '-m', '1', '-w', '30', '-W', '30'];
      const told = await h2load(...load, `--connect-to=127.0.0.1:${proxy.port}`, `http://${NAME}/blocks/64`);
      expect(told).toContain('4 succeeded, 0 failed, 0 errored');
      expect(told).toContain(`(${4 * 64 * BLOCK.length}) data`);
      await proxy.idle({ quiet: 1 });
      expect(proxy.flows.map(({ error, response }) => [error, response?.complete])).toEqual(
        Array.from({ length: 4 }, () => [undefined, true]),
      );
    });
  });

  it('posts 500 bodies without TLS, from the first octet', async () => {
    await withOrigin(false, async ({ proxy }) => {
      const body = octets(50_000);
      const load = ['-n', '500', '-c', '1', '-m', '100', '-d', saved('post', body)];
      const told = await h2load(...load, `--connect-to=127.0.0.1:${proxy.port}`, `http://${NAME}/upload`);
      expect(told).toContain('500 succeeded, 0 failed, 0 errored');
      await proxy.idle({ quiet: 1 });
      const answers = proxy.flows.map(({ response }) => response?.json());
      const whole = { bytes: 50_000, sha256: sha256(body) };
      expect(answers).toEqual(Array.from({ length: 500 }, () => whole));
    });
  });
});
