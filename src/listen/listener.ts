import net from 'node:net';
import { endpointOf } from '../flow/authority.js';
import { reverseUrl } from '../options/mode.js';
import { Transport } from '../tcp/transport.js';
import { ClientRecord } from './client-info.js';
import { Http1Client } from './http1-client.js';
import { Http2Client } from './http2-client.js';
import { Interceptor } from './interceptor.js';
import { listen } from './port.js';
import { ReverseOpening } from './reverse-opening.js';
import type { ListenServices } from './services.js';
import { SocksOpening } from './socks-opening.js';
import type { FixedTarget } from './target.js';
import { type HttpClient, Tunnel } from './tunnel.js';

const NOTHING = Buffer.alloc(0);
const ESTABLISHED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n');

/** The port that clients connect to, and every connection that came in by it. */
export class Listener {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #clients = new Set<HttpClient>();
  #interceptor: Interceptor | undefined;

  constructor(private readonly services: ListenServices) {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** @returns the port. @throws SluiceError PORT_IN_USE or BAD_OPTION */
  async open(): Promise<number> {
    const { host, port } = this.services.options;
    const opened = await listen(this.#server, host, port);
    this.#server.on('error', (error) =>
      this.services.clientError({ id: 0, address: '', port: 0, tls: false }, error),
    );
    return opened;
  }

  /** Takes no further connections; those that are open go on. */
  stop(): void {
    this.#server.close();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#clients) client.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: net.Socket): void {
    const client = new ClientRecord(socket);
    this.#sockets.add(socket);
    this.services.clientConnected(client);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.services.clientDisconnected(client);
    });
    this.#open(socket, client);
  }

  #open(socket: net.Socket, client: ClientRecord): void {
    const { services } = this;
    const { mode, keepHostHeader: keepsHost } = services.options;
    if (mode === 'socks5') {
      new SocksOpening({
        socket,
        client,
        services,
        onTunnel: (authority, detached, answer) =>
          this.#tunnel(socket, client, authority).open(detached, answer),
      });
      return;
    }
    const url = reverseUrl(mode);
    if (url === undefined) {
      this.#serve(socket, client, undefined, NOTHING);
      return;
    }
    const { tls, host, port } = endpointOf(url);
    const target = { host, port, reverse: { tls, keepsHost } };
    new ReverseOpening(socket, services, {
      tls: (rest) => this.#tunnel(socket, client, target).openTls({ socket, rest }),
      http: (rest) => this.#serve(socket, client, target, rest),
    });
  }

  /** HTTP without TLS, outside of a tunnel. */
  #serve(socket: net.Socket, client: ClientRecord, target: FixedTarget | undefined, rest: Buffer): void {
    const { services } = this;
    const http = new Http1Client(
      new Transport(socket),
      client,
      services,
      target,
      (authority, detached) => {
        this.#clients.delete(http);
        this.#tunnel(socket, client, authority).open(detached, ESTABLISHED);
      },
      services.options.http2
        ? ({ rest }) => {
            this.#clients.delete(http);
            socket.unshift(rest);
            this.#watch(new Http2Client(socket, socket, client, services, target), socket);
          }
        : undefined,
    );
    this.#watch(http, socket);
    http.begin(rest);
  }

  #watch(http: HttpClient, socket: net.Socket): void {
    this.#clients.add(http);
    socket.once('close', () => this.#clients.delete(http));
  }

  #tunnel(raw: net.Socket, client: ClientRecord, authority: FixedTarget): Tunnel {
    const { services } = this;
    this.#interceptor ??= new Interceptor(services.ca);
    return new Tunnel({
      client,
      services,
      interceptor: this.#interceptor,
      authority,
      raw,
      onClient: (http) => this.#watch(http, raw),
    });
  }
}
