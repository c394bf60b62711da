import type { Socket } from 'node:net';
import tls from 'node:tls';
import { RawPeer } from '../../testing/raw-peer.js';
import type { Stage } from '../../testing/with-proxy.js';
import { loadCa } from '../../tls/ca.js';
import { checkServerIdentity } from '../../tls/identity.js';
import { caPem } from '../../tls/testing/pems.js';

/**
 * A CONNECT tunnel through the proxy, answered already.
 * @param early what comes with CONNECT, so that there is no silence in which the origin is asked to begin
 */
export async function openTunnel(
  { client }: Stage,
  authority: string,
  early: string | Uint8Array = '',
): Promise<RawPeer> {
  const peer = await client();
  await peer.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`, early);
  const answer = await peer.head();
  if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`CONNECT was answered ${answer}`);
  return peer;
}

/** Speaks TLS over a connection, trusting `ca`. Rejects when the handshake fails. */
export function secured(peer: RawPeer, options: tls.ConnectionOptions): Promise<RawPeer> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ checkServerIdentity, ...options, socket: peer.socket });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(new RawPeer(`${peer.name} (TLS)`, socket));
    });
  });
}

/** A tunnel to `name` with TLS in it, as a browser opens it. */
export async function openTls(stage: Stage, name: string, port = 443): Promise<RawPeer> {
  const peer = await openTunnel(stage, `${name}:${port}`);
  return secured(peer, { servername: name, ca: stage.proxy.ca.cert });
}

/** An origin that speaks TLS, with a certificate of a CA of its own. */
export class TlsOrigin {
  readonly #server: tls.Server;
  readonly #sockets = new Set<tls.TLSSocket>();
  readonly #raw = new Set<Socket>();
  #untaken: RawPeer[] = [];
  #takers: ((peer: RawPeer) => void)[] = [];
  port = 0;
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** The names that were asked for. */
  readonly names: unknown[] = [];

  private constructor(name: string, options: tls.TlsOptions) {
    const ca = loadCa(caPem());
    this.ca = ca.cert;
    this.#server = tls.createServer({ ...ca.credentialsFor(name), ...options }, (socket) => {
      this.#sockets.add(socket);
      this.names.push(socket.servername);
      const peer = new RawPeer('TLS origin', socket);
      const taker = this.#takers.shift();
      if (taker === undefined) this.#untaken.push(peer);
      else taker(peer);
    });
    this.#server.on('connection', (socket: Socket) => this.#raw.add(socket));
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  static listen(name: string, options: tls.TlsOptions = {}): Promise<TlsOrigin> {
    const origin = new TlsOrigin(name, options);
    const server = origin.#server;
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (typeof address === 'object' && address !== null) origin.port = address.port;
        resolve(origin);
      });
    });
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  accept(): Promise<RawPeer> {
    const peer = this.#untaken.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Closes every connection with RST. */
  reset(): void {
    for (const socket of this.#raw) socket.resetAndDestroy();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
