/**
 * Origins that tell what they were asked, for tests of what asks through the proxy.
 * @module
 */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ProxyOptions } from '../../options/types.js';
import type { ProxyContext, RecordingProxy } from '../../proxy.js';
import { testProxy } from '../../testing/test-proxy.js';
import { loadCa } from '../../tls/ca.js';
import { caPem } from '../../tls/testing/pems.js';

/** What an origin answers with, as JSON. */
export interface Echo {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface EchoScene {
  proxy: RecordingProxy;
  /** `http://127.0.0.1:PORT`, of the one without TLS; with it there is `https://api.test` behind the proxy. */
  plain: string;
  /** `https://localhost:PORT`, the one with TLS as it is without the proxy. */
  secure: string;
  /** The CA of the one with TLS, PEM. */
  originCa: string;
}

const authority = loadCa(caPem());

/** Runs `play` with a proxy that knows `api.test` in clear text and over TLS, and closes everything afterwards. */
export async function withEcho(
  play: (scene: EchoScene) => Promise<void>,
  options: ProxyOptions = {},
  context: ProxyContext = {},
): Promise<void> {
  const answer: http.RequestListener = async (request, response) => {
    // One that is never answered.
    if (request.url === '/held') return;
    const { method, url, headers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, body: await text(request) }));
  };
  const plain = http.createServer(answer).listen(0, '127.0.0.1');
  const secure = https.createServer(authority.credentialsFor('localhost'), answer);
  secure.addContext('api.test', authority.credentialsFor('api.test'));
  secure.listen(0, '127.0.0.1');
  await Promise.all([once(plain, 'listening'), once(secure, 'listening')]);
  const [plainPort, securePort] = [plain, secure].map((server) => (server.address() as AddressInfo).port);
  const hosts = { 'api.test:80': `127.0.0.1:${plainPort}`, 'api.test:443': `127.0.0.1:${securePort}` };
  const proxy = await testProxy({ hosts, upstreamCa: authority.cert, ...options }, context);
  try {
    await play({
      proxy,
      plain: `http://127.0.0.1:${plainPort}`,
      secure: `https://localhost:${securePort}`,
      originCa: authority.cert,
    });
  } finally {
    await proxy.close();
    for (const server of [plain, secure]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

/** Asks by node:http or node:https. */
export function ask(
  client: typeof http | typeof https,
  url: string,
  options: https.RequestOptions = {},
): Promise<Echo> {
  return new Promise((resolve, reject) => {
    const request = client.request(url, options, async (response) => {
      resolve(JSON.parse(await text(response)) as Echo);
    });
    request.on('error', reject);
    request.end();
  });
}
