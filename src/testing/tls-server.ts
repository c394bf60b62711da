import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest } from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type tls from 'node:tls';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';

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

  static async listen(protocols: ('h2' | 'http/1.1')[], port = 0): Promise<TlsServer> {
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
