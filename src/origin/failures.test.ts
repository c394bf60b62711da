import { describe, expect, it } from '@jest/globals';
import type { FlowErrorCode } from '../errors.js';
import { openTls, TlsOrigin } from '../listen/testing/tunnels.js';
import type { ProxyOptions } from '../options/types.js';
import { RawOrigin, type RawPeer } from '../testing/raw-peer.js';
import { withProxy } from '../testing/with-proxy.js';
import { unresponsive } from './testing/unresponsive.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** What a client gets of `url`, with both settings of `originErrors`. */
async function fails(
  url: string,
  code: FlowErrorCode,
  message: RegExp,
  options: ProxyOptions = {},
  during: () => Promise<void> = async () => undefined,
): Promise<void> {
  const request = `GET ${url} HTTP/1.1\r\nHost: app.test\r\n\r\n`;
  for (const originErrors of ['respond', 'abort'] as const) {
    await withProxy({ ...options, originErrors }, async (stage) => {
      const client = await stage.client();
      await client.send(request);
      await during();
      const answer = (await client.rest()).toString();
      const { error } = await stage.over();
      expect(error?.code).toBe(code);
      expect(error?.message).toMatch(message);
      expect(stage.hooks.at(-1)).toBe('error');
      if (originErrors === 'abort') {
        expect(answer).toBe('');
        return;
      }
      expect(answer).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\nContent-Type: text\/plain/);
      expect(answer).toContain('\r\nConnection: close\r\n');
      expect(answer.endsWith(`\r\n\r\n${code}: ${error?.message}\n`)).toBe(true);
      // The test's own mistakes are another matter: an origin that fails fails no test.
      await stage.proxy.verify();
    });
  }
}

describe('an origin that cannot be had', () => {
  it('refuses the connection', () =>
    fails(
      'http://127.0.0.1:1/',
      'ORIGIN_UNREACHABLE',
      /^127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    ));

  it('refuses it on every address', () =>
    fails('http://localhost:1/', 'ORIGIN_UNREACHABLE', /ECONNREFUSED ::1:1, .*ECONNREFUSED 127\.0\.0\.1:1/));

  it('has a name that nobody knows', () =>
    fails('http://no-such-host.invalid/', 'ORIGIN_UNREACHABLE', /^no-such-host\.invalid:80: getaddrinfo E/));

  it('is told by its name and by where that was mapped', () =>
    fails('http://app.test/', 'ORIGIN_UNREACHABLE', /^app\.test:80 \(127\.0\.0\.1:1\): connect/, {
      hosts: { 'app.test': '127.0.0.1:1' },
    }));

  it('does not accept in time', () =>
    unresponsive((port) =>
      fails(
        `http://127.0.0.1:${port}/`,
        'ORIGIN_TIMEOUT',
        /no connection within 50 ms \(timeouts\.connect\)/,
        {
          timeouts: { connect: 50 },
        },
      ),
    ));

  it('accepts but does not speak TLS, or hangs up', async () => {
    const origin = await RawOrigin.listen();
    try {
      const url = `https://127.0.0.1:${origin.port}/`;
      await fails(url, 'ORIGIN_TIMEOUT', /no connection within 50 ms/, { timeouts: { connect: 50 } });
      await origin.accept();
      await origin.accept();
      const ends: ((peer: RawPeer) => unknown)[] = [
        (peer) => peer.send('HTTP/1.1 400 Bad Request\r\n\r\n'),
        (peer) => peer.end(),
        (peer) => peer.reset(),
      ];
      for (const end of ends) {
        await fails(url, 'ORIGIN_TLS', /./, {}, async () => {
          const peer = await origin.accept();
          await peer.read(1);
          end(peer);
        });
      }
    } finally {
      origin.close();
    }
  });

  it('shows a certificate that nobody vouches for, or one for another name', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      const hosts = { '*.test': origin.host };
      await fails('https://app.test/', 'ORIGIN_TLS', /unable to verify|self.signed/, { hosts });
      await fails('https://other.test/', 'ORIGIN_TLS', /altnames/, { hosts, upstreamCa: origin.ca });
    } finally {
      origin.close();
    }
  });
});

describe("an origin's certificate", () => {
  for (const [how, optionsFor] of [
    ['is trusted by upstreamCa', (ca: string): ProxyOptions => ({ upstreamCa: ca })],
    ['is trusted by one of several', (ca: string): ProxyOptions => ({ upstreamCa: [ca, ca] })],
    ['is not looked at with verifyUpstream: false', (): ProxyOptions => ({ verifyUpstream: false })],
  ] as const) {
    it(how, async () => {
      const origin = await TlsOrigin.listen('app.test');
      try {
        await withProxy({ ...optionsFor(origin.ca), hosts: { '*': origin.host } }, async (stage) => {
          const client = await openTls(stage, 'app.test');
          await client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
          const upstream = await origin.accept();
          await upstream.head();
          await upstream.send(OK);
          expect((await client.read(OK.length)).toString()).toBe(OK);
        });
      } finally {
        origin.close();
      }
    });
  }
});
