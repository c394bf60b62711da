import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest } from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { openTunnel } from '../listen/testing/tunnels.js';
import type { ProxyOptions } from '../options/types.js';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';
import { type Stage, withProxy } from './with-proxy.js';

/** In the order of preference. */
export type Protocols = ('h2' | 'http/1.1')[];

const authority = loadCa(caPem());

/** An origin of Node's that speaks TLS and what it is told to, on a port that can be given to the next one. */
export class TlsServer {
  /** Connections that were made, in all. */
  connections = 0;
  /** What was asked for, as `GET / over 2.0 as name`. */
  readonly asked: string[] = [];
  readonly open = new Set<Socket>();

  private constructor(
    private readonly server: tls.Server,
    readonly port: number,
  ) {}

  static async listen(protocols: Protocols, port = 0): Promise<TlsServer> {
    const options: tls.TlsOptions = {
      ...authority.credentialsFor('app.test'),
      SNICallback: (name, done) => done(null, authority.contextFor(name)),
    };
    const allowHTTP1 = protocols.includes('http/1.1');
    const server = protocols.includes('h2')
      ? http2.createSecureServer({ ...options, allowHTTP1 })
      : https.createServer(options);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const origin = new TlsServer(server, (server.address() as AddressInfo).port);
    server.on('connection', (socket: Socket) => {
      origin.connections++;
      origin.open.add(socket);
      socket.on('close', () => origin.open.delete(socket));
    });
    server.on('request', (request: Http2ServerRequest, response: ServerResponse) => {
      const { servername } = request.socket as Socket & { servername?: string };
      origin.asked.push(`${request.method} ${request.url} over ${request.httpVersion} as ${servername}`);
      request.resume();
      // One that is never answered.
      if (request.url !== '/held') response.end(request.httpVersion);
    });
    return origin;
  }

  /** The certificate of the CA, PEM. */
  static readonly ca = authority.cert;

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A proxy that knows an origin with TLS as `app.test` and `other.test`. */
export async function withTlsServer(
  protocols: Protocols,
  options: ProxyOptions,
  play: (stage: Stage, origin: TlsServer) => Promise<void>,
): Promise<void> {
  const origin = await TlsServer.listen(protocols);
  const hosts = { 'app.test': origin.host, 'other.test': origin.host };
  try {
    await withProxy({ upstreamCa: TlsServer.ca, hosts, ...options }, (stage) => play(stage, origin));
  } finally {
    await origin.close();
  }
}

/** What a client is offered that would take either. */
export async function offered(stage: Stage, name = 'app.test'): Promise<unknown> {
  const { socket } = await openTunnel(stage, `${name}:443`);
  const ALPNProtocols = ['h2', 'http/1.1'];
  const secure = tls.connect({ socket, servername: name, ca: stage.proxy.ca.cert, ALPNProtocols });
  await once(secure, 'secureConnect');
  const { alpnProtocol } = secure;
  secure.destroy();
  return alpnProtocol;
}
