import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { openTls, openTunnel, TlsOrigin } from '../listen/testing/tunnels.js';
import { type Stage, withProxy } from '../testing/with-proxy.js';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';
import { UpstreamRoute } from './upstream.js';

const GET = 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** `user:pass:word` */
const LOGIN = 'Basic dXNlcjpwYXNzOndvcmQ=';

/** Another implementation's proxy: it answers requests itself, and tunnels to whatever `reach` says. */
async function withChained(
  play: (chained: {
    port: number;
    asked: string[];
    logins: (string | undefined)[];
    ca: string;
  }) => Promise<void>,
  setup: { reach?: () => number; refuse?: string; tls?: boolean } = {},
): Promise<void> {
  const ca = loadCa(caPem());
  const server = setup.tls ? https.createServer(ca.credentialsFor('127.0.0.1')) : http.createServer();
  const asked: string[] = [];
  const logins: (string | undefined)[] = [];
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => sockets.add(socket));
  server.on('request', (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    logins.push(request.headers['proxy-authorization']);
    if (setup.refuse !== undefined) response.statusCode = 407;
    response.end('from the chained proxy');
  });
  server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
    asked.push(`CONNECT ${request.url}`);
    logins.push(request.headers['proxy-authorization']);
    if (setup.refuse !== undefined) {
      socket.end(setup.refuse);
      return;
    }
    const onward = net.connect(setup.reach?.() ?? 0, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Yes\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await play({ port: (server.address() as net.AddressInfo).port, asked, logins, ca: ca.cert });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function asks(stage: Stage, url: string): Promise<string> {
  const client = await stage.client();
  await client.send(`GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: close\r\n\r\n`);
  return (await client.rest()).toString();
}

describe('through a chained proxy', () => {
  it('plain requests go in absolute form, with its credentials', () =>
    withChained(({ port, asked, logins }) =>
      withProxy(
        { upstream: { server: `127.0.0.1:${port}`, username: 'user', password: 'pass:word' } },
        async (stage) => {
          expect(await asks(stage, 'http://app.test/a?b')).toContain('from the chained proxy');
          expect(await asks(stage, 'http://app.test:8080/')).toContain('from the chained proxy');
          expect(asked).toEqual(['GET http://app.test/a?b', 'GET http://app.test:8080/']);
          expect(logins).toEqual([LOGIN, LOGIN]);
          const flow = await stage.over();
          expect(flow.server).toMatchObject({ via: `127.0.0.1:${port}`, port });
          // The credentials are between the two proxies: nobody who reads the record sees them.
          expect(flow.request.headers.has('proxy-authorization')).toBe(false);
        },
      ),
    ));

  it('credentials may be in the URL, percent-encoded', () =>
    withChained(({ port, logins }) =>
      withProxy({ upstream: { server: `http://user:pass%3Aword@127.0.0.1:${port}` } }, async (stage) => {
        await asks(stage, 'http://app.test/');
        expect(logins).toEqual([LOGIN]);
      }),
    ));

  for (const secure of [false, true]) {
    it(`TLS goes by CONNECT${secure ? ', also where the chained proxy speaks TLS itself' : ''}`, async () => {
      const origin = await TlsOrigin.listen('app.test');
      try {
        await withChained(
          ({ port, asked, logins, ca }) =>
            withProxy(
              {
                upstream: {
                  server: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
                  username: 'user',
                  password: 'pass:word',
                },
                upstreamCa: [origin.ca, ca],
              },
              async (stage) => {
                const client = await openTls(stage, 'app.test');
                await client.send(GET);
                const upstream = await origin.accept();
                expect(await upstream.head()).toBe(GET);
                await upstream.send(OK);
                expect((await client.read(OK.length)).toString()).toBe(OK);
                expect(asked).toEqual(['CONNECT app.test:443']);
                expect(logins).toEqual([LOGIN]);
                expect((await stage.over()).server?.via).toBe(`127.0.0.1:${port}`);
              },
            ),
          { reach: () => origin.port, tls: secure },
        );
      } finally {
        origin.close();
      }
    });
  }

  it('raw tunnels go by CONNECT, what the origin says first included', async () => {
    let reach = 0;
    await withChained(
      ({ port, asked }) =>
        withProxy({ upstream: { server: `http://127.0.0.1:${port}` } }, async (stage) => {
          reach = stage.origin.port;
          const client = await openTunnel(stage, 'mail.test:25');
          const upstream = await stage.origin.accept();
          await upstream.send('220 hello\r\n');
          expect((await client.read('\r\n')).toString()).toBe('220 hello\r\n');
          await client.send('EHLO\r\n');
          expect((await upstream.read('\r\n')).toString()).toBe('EHLO\r\n');
          const direct = await openTunnel(stage, 'other.test:99');
          await direct.send('\x00raw');
          expect((await (await stage.origin.accept()).read(4)).toString()).toBe('\x00raw');
          expect(asked).toEqual(['CONNECT mail.test:25', 'CONNECT other.test:99']);
        }),
      { reach: () => reach },
    );
  });

  it('what the bypass list names is reached directly, and so is what is mapped by hand', () =>
    withChained(async ({ port, asked }) => {
      await withProxy({ upstream: { server: `127.0.0.1:${port}`, bypass: '127.0.0.1' } }, async (stage) => {
        const { client, upstream, head } = await stage.exchange(
          'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}',
        );
        expect(head).toContain('GET / HTTP/1.1');
        await upstream.send(OK);
        await client.read(OK.length);
        expect((await stage.over()).server?.via).toBeUndefined();
        stage.proxy.mapHost('mapped.test', stage.origin.host);
        await client.send('GET http://mapped.test/ HTTP/1.1\r\nHost: mapped.test\r\n\r\n');
        expect(await upstream.head()).toContain('Host: mapped.test');
        expect(asked).toEqual([]);
      });
    }));

  it('a bypass list has names, suffixes, ports, addresses and <local>', () => {
    const bypass = '.corp.test *.wild.test; exact.test, [::1],10.0.0.1 port.test:81 <local>';
    const route = new UpstreamRoute({ server: 'http://127.0.0.1:1', bypass });
    const direct = [
      ['a.corp.test', 80],
      ['a.b.wild.test', 80],
      ['EXACT.test', 80],
      ['below.exact.test', 443],
      ['::1', 80],
      ['10.0.0.1', 80],
      ['port.test', 81],
      ['intranet', 80],
    ] as const;
    const through = [
      ['corp.test', 80],
      ['notexact.test', 80],
      ['port.test', 80],
      ['10.0.0.11', 80],
      ['::2', 80],
    ] as const;
    expect(direct.filter(([host, port]) => route.serves(host, port))).toEqual([]);
    expect(through.filter(([host, port]) => !route.serves(host, port))).toEqual([]);
    expect(new UpstreamRoute({ server: 'http://127.0.0.1:1', bypass: '*' }).serves('a.test', 80)).toBe(false);
  });

  const refusal = 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n';
  it('a refusal is UPSTREAM_PROXY, of a plain request as of CONNECT', () =>
    withChained(
      ({ port }) =>
        withProxy({ upstream: { server: `127.0.0.1:${port}` } }, async (stage) => {
          const told = /502 Bad Gateway.*UPSTREAM_PROXY.*refused .*407 Proxy Authentication Required/s;
          expect(await asks(stage, 'http://app.test/')).toMatch(told);
          expect(await asks(stage, 'https://app.test/')).toMatch(told);
          expect(stage.proxy.flows.map((flow) => flow.error?.code)).toEqual([
            'UPSTREAM_PROXY',
            'UPSTREAM_PROXY',
          ]);
        }),
      { refuse: refusal },
    ));

  it('one that is not there, hangs, hangs up or talks nonsense is UPSTREAM_PROXY', () =>
    withProxy({ upstream: { server: '127.0.0.1:1' } }, async (stage) => {
      expect(await asks(stage, 'http://app.test/')).toMatch(/UPSTREAM_PROXY.*can't be reached.*ECONNREFUSED/);
      const { port } = stage.origin;
      for (const [answer, told] of [
        ['', /closed the connection instead of answering/],
        ['SSH-2.0-x\r\n\r\n', /not HTTP/],
        [undefined, /did not answer CONNECT within 200 ms/],
      ] as const) {
        await withProxy(
          { upstream: { server: `127.0.0.1:${port}` }, timeouts: { connect: 200 } },
          async (inner) => {
            const asking = asks(inner, 'https://app.test/');
            const chained = await stage.origin.accept();
            await chained.head();
            if (answer !== undefined) {
              await chained.send(answer);
              chained.end();
            }
            expect(await asking).toMatch(told);
            expect((await inner.over()).error?.code).toBe('UPSTREAM_PROXY');
          },
        );
      }
    }));
});
