import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { startProxy } from '../proxy.js';
import { parseSize } from '../size.js';
import { caPem } from '../tls/testing/pems.js';
import { resolveOptions } from './resolve.js';
import type { ProxyOptions } from './types.js';

/** Values that are refused, by option. */
const REFUSED: { [K in keyof ProxyOptions]-?: unknown[] } = {
  host: ['', 1, null],
  port: [-1, 65536, 1.5, '8080', null, { from: 80, to: 90 }, { from: 9000, to: 8000 }, { from: 9000 }],
  mode: [
    'sock5',
    'REGULAR',
    '',
    1,
    null,
    'reverse',
    'reverse:',
    'reverse:app.test',
    'reverse:ftp://app.test',
    'reverse:http://',
    'reverse:http:///path',
    'reverse:http://app.test:99999',
    'reverse:http://app.test:0',
    'reverse:http://app.test/path',
    'reverse:http://app.test?',
    'reverse:http://app.test/#',
    'reverse:http://me:secret@app.test',
  ],
  keepHostHeader: ['true', 1, null],
  proxyAuth: ['me', '', 1, null, 'me:se\ncret', ['me', 'secret']],
  upstream: [
    'http://a.test',
    {},
    { server: 'socks5://a.test:1080' },
    { server: 'http://' },
    { server: 'http://%zz@a.test' },
    { server: 'a.test:1', username: 1 },
    { server: 'a.test:1', pasword: 'x' },
  ],
  streamLargeBodies: ['3mb', '1.5m', '', ' 1', '-1', -1, 1.5, Number.NaN, null, true, '99999999999999999g'],
  streamWebsockets: ['true', 1, null],
  maxStoredMessageSize: ['64kb', -1, null],
  streamContentTypes: ['text/event-stream', [1], null],
  bodySizeLimit: ['3mb', -1],
  http2: ['true', 1, null],
  digest: ['sha1', true, null],
  hosts: [
    [],
    { a: 1 },
    { 'a b': 'x' },
    { 'http://a.test': 'x' },
    { 'a.test:99999': 'x' },
    { 'a.test': '' },
    { 'a.test': '127.0.0.1:99999' },
    { 'a.test': '127.0.0.1:0' },
    { 'a.test': 'http://127.0.0.1/path' },
    { 'a.test': '*' },
    { 'a.test': 'me@b.test' },
  ],
  ignoreHosts: ['a.test', /a/, [''], ['('], ['[z-a]'], [1], [null], {}],
  tcpHosts: ['a.test', [''], ['*.test'], [1], null],
  stickyCookie: ['', 1, null, true, [], { pth: '/' }, { filter: '~' }],
  stickyAuth: ['', 1, null, true, [], { pth: '/' }, { filter: '~d (' }],
  originErrors: ['ignore', true],
  ca: ['pem', {}, { cert: 'x' }, { cert: 'x', key: Buffer.from('x') }],
  upstreamCa: [
    'not PEM',
    [1],
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
    caPem().key,
    { ca: 1 },
  ],
  verifyUpstream: [0, 'false', null],
  timeouts: [
    5,
    { connect: 0 },
    { idle: -1 },
    { connect: '1s' },
    { conect: 5 },
    { idle: 2 ** 31 },
    { idle: Infinity },
  ],
};

describe('options', () => {
  for (const [name, values] of Object.entries(REFUSED)) {
    it(`${name}: a bad value is refused before anything listens, by name`, async () => {
      for (const value of values) {
        const error = await startProxy({ [name]: value } as ProxyOptions).then(
          (proxy) => proxy.close().then(() => `accepted ${JSON.stringify(value)}`),
          (thrown: unknown) => thrown,
        );
        expect(error).toMatchObject({ name: 'SluiceError', code: 'BAD_OPTION' });
        expect((error as Error).message).toContain(`${name}: `);
        expect((error as Error).message).toMatch(/give|accepted/);
      }
    });
  }

  it('an unknown option is refused with the nearest name', async () => {
    await expect(startProxy({ streamLargeBodys: 1 } as ProxyOptions)).rejects.toMatchObject({
      code: 'UNKNOWN_OPTION',
      message: expect.stringContaining('did you mean streamLargeBodies?'),
    });
    await expect(startProxy({ zzz: 1 } as ProxyOptions)).rejects.toThrow(/known are host, port, /);
    await expect(startProxy([] as ProxyOptions)).rejects.toMatchObject({ code: 'BAD_OPTION' });
  });

  it('a CA that cannot be used is refused, and neither key nor password is ever shown', async () => {
    const { cert, key } = caPem();
    const body = key.split('\n')[1] ?? '';
    const secrets: [ProxyOptions, string][] = [
      [{ ca: { cert: 1 as never, key } }, body],
      [{ ca: key as never }, body],
      [{ ca: { cert: key, key: cert } }, body],
      [{ ca: { cert: 'nonsense', key } }, body],
      [{ upstream: { server: 'socks://a.test', password: 'hunter2' } }, 'hunter2'],
      [{ upstream: { server: 'socks://me:hunter2@a.test' } }, 'hunter2'],
      [{ mode: 'reverse:http://me:hunter2@a.test' }, 'hunter2'],
      [{ mode: 'reverse:http://me:hunter2/@a.test' }, 'hunter2'],
      [{ proxyAuth: 'hunter2' }, 'hunter2'],
    ];
    for (const [options, secret] of secrets) {
      const error = (await startProxy(options).catch((thrown: unknown) => thrown)) as Error;
      expect(error).toMatchObject({ code: expect.stringMatching(/^BAD_(?:OPTION|CA)$/) });
      expect(`${error.message} ${error.stack}`).not.toContain(secret.slice(0, 20));
    }
    await expect(startProxy({ ca: { cert: 'nonsense', key } })).rejects.toMatchObject({ code: 'BAD_CA' });
  });

  it('a given CA signs what clients see', async () => {
    const ca = caPem();
    const proxy = await startProxy({ ca });
    expect(proxy.ca.cert).toBe(ca.cert);
    await proxy.close();
  });

  it('undefined is as good as not given, and defaults are what they are', () => {
    expect(resolveOptions({ port: undefined, hosts: undefined })).toEqual(resolveOptions());
    expect(resolveOptions()).toMatchObject({
      host: '127.0.0.1',
      port: 0,
      streamLargeBodies: Number.POSITIVE_INFINITY,
      digest: 'sha256',
      originErrors: 'respond',
      verifyUpstream: true,
      timeouts: { connect: 30_000, idle: 60_000 },
    });
    expect(resolveOptions({ timeouts: { connect: 5 } }).timeouts).toEqual({ connect: 5, idle: 60_000 });
  });

  it('sizes are whole octets, or digits with k, m or g', () => {
    for (const [text, octets] of [
      [0, 0],
      ['0', 0],
      ['65536', 65536],
      ['64k', 65536],
      ['3M', 3_145_728],
      ['1g', 1024 ** 3],
    ] as const)
      expect(parseSize(text)).toBe(octets);
    expect(() => parseSize('3mb', 'streamLargeBodies')).toThrow(
      /^streamLargeBodies: "3mb" is not a size; accepted is a number of bytes or digits with k, m or g/,
    );
  });
});

/** Ports that are taken, while `play` runs. */
async function taking(ports: number[], play: () => Promise<void>): Promise<void> {
  const servers: net.Server[] = [];
  try {
    for (const port of ports) {
      const server = net.createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(port, '127.0.0.1', resolve);
      });
      servers.push(server);
    }
    await play();
  } finally {
    for (const server of servers) server.close();
  }
}

/** Two ports side by side that are free right now. */
async function freePair(): Promise<number> {
  for (;;) {
    const proxy = await startProxy();
    const { port } = proxy;
    await proxy.close();
    if (port > 65534) continue;
    const free = await taking([port, port + 1], async () => undefined).then(
      () => true,
      () => false,
    );
    if (free) return port;
  }
}

describe('host and port', () => {
  it('by default is any free port, on loopback only', async () => {
    const proxy = await startProxy();
    expect(proxy.server).toBe(`http://127.0.0.1:${proxy.port}`);
    const other = net.connect(proxy.port, '127.0.0.2');
    const outcome = await new Promise((resolve) => {
      other.once('connect', () => resolve('connected')).once('error', (error) => resolve(error));
    });
    other.destroy();
    expect(outcome).toMatchObject({ code: 'ECONNREFUSED' });
    await proxy.close();
  });

  it('a port that is taken is PORT_IN_USE, and so is a range of such', async () => {
    const port = await freePair();
    await taking([port, port + 1], async () => {
      await expect(startProxy({ port })).rejects.toMatchObject({
        code: 'PORT_IN_USE',
        message: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`),
      });
      await expect(startProxy({ port: { from: port, to: port + 1 } })).rejects.toMatchObject({
        code: 'PORT_IN_USE',
        message: expect.stringContaining(`no port from ${port} to ${port + 1} is free`),
      });
    });
  });

  it('a range gives its free port, as often as it is free', async () => {
    const port = await freePair();
    await taking([port], async () => {
      for (let i = 0; i < 3; i++) {
        const proxy = await startProxy({ port: { from: port, to: port + 1 } });
        expect(proxy.port).toBe(port + 1);
        await proxy.close();
      }
    });
  });

  it('host says where to listen', async () => {
    const proxy = await startProxy({ host: '127.0.0.3' });
    expect(proxy.server).toBe(`http://127.0.0.3:${proxy.port}`);
    await proxy.close();
    const v6 = await startProxy({ host: '::1' });
    expect(v6.server).toBe(`http://[::1]:${v6.port}`);
    await v6.close();
    await expect(startProxy({ host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'BAD_OPTION',
      message: expect.stringContaining('host: 192.0.2.1 is not an address of this machine'),
    });
  });
});
