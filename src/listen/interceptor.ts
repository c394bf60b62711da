import type { Socket } from 'node:net';
import tls from 'node:tls';
import { setImmediate } from '../clock.js';
import type { CertificateAuthority } from '../tls/ca.js';
import { ClientDistrust, handshakeFailure } from './distrust.js';

interface Waiting {
  ready(socket: tls.TLSSocket): void;
  failed(error: unknown): void;
}

/** Names whose TLS server is kept. */
const MAX_SERVERS = 200;

/**
 * Takes TLS off tunnels, with a certificate for the name the client asks for. Node's TLS server does it: a bare
 * TLSSocket never gets out of its connecting state.
 */
export class Interceptor {
  /** By what they offer, and the name used when a client sends none, as it does for an address. */
  readonly #servers = new Map<string, tls.Server>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(private readonly ca: CertificateAuthority) {}

  /**
   * @param protocols what may be agreed on (ALPN), the preferred one first; none to agree on nothing
   * @throws Error when the handshake fails, ClientDistrust if it seems to be for the certificate
   */
  intercept(socket: Socket, host: string, protocols: readonly string[]): Promise<tls.TLSSocket> {
    return new Promise((resolve, reject) => {
      const id = peerOf(socket);
      // Later: an alert that came with the close says more.
      const gone = () => setImmediate(() => settle(() => reject(new ClientDistrust(undefined))));
      const settle = (verdict: () => void) => {
        if (this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        socket.off('close', gone);
        verdict();
      };
      const waiting: Waiting = {
        ready: (secure) => {
          secure.allowHalfOpen = allowHalfOpen;
          settle(() => resolve(secure));
        },
        failed: (error) => settle(() => reject(handshakeFailure(error))),
      };
      this.#waiting.set(id, waiting);
      socket.once('close', gone);
      // Its end in the handshake is the end of it, or the client would be waited for until a timeout.
      const { allowHalfOpen } = socket;
      socket.allowHalfOpen = false;
      this.#serverFor(host, protocols).emit('connection', socket);
    });
  }

  #serverFor(host: string, protocols: readonly string[]): tls.Server {
    const key = `${host} ${protocols.join(' ')}`;
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    if (this.#servers.size >= MAX_SERVERS) this.#servers.clear();
    const fallback = this.ca.credentialsFor(host);
    const server = tls.createServer({
      ...fallback,
      ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
      SNICallback: (name, done) => {
        try {
          done(null, this.ca.contextFor(name));
        } catch {
          // A name that no certificate can carry: the client gets the one of the host it asked for by CONNECT.
          done(null, this.ca.contextFor(host));
        }
      },
    });
    // The first that is heard of a connection. It keeps an address that was asked for: of one that its client has reset
    // nobody could tell any more whose alert it is.
    server.on('keylog', (_line, secure) => peerOf(secure));
    server.on('secureConnection', (secure) => this.#waiting.get(peerOf(secure))?.ready(secure));
    server.on('tlsClientError', (error, secure) => {
      this.#waiting.get(peerOf(secure))?.failed(error);
      secure.destroy();
    });
    this.#servers.set(key, server);
    return server;
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
