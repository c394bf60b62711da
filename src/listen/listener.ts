import net from 'node:net';
import type { Authority } from '../flow/authority.js';
import type { RelayEnd } from '../tcp/relay.js';
import { Transport } from '../tcp/transport.js';
import { ClientRecord } from './client-info.js';
import { Http1Client } from './http1-client.js';
import { Http2Client } from './http2-client.js';
import { Interceptor } from './interceptor.js';
import { listen } from './port.js';
import type { ListenServices } from './services.js';
import { type HttpClient, Tunnel } from './tunnel.js';

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

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#clients) client.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: net.Socket): void {
    const { services } = this;
    const client = new ClientRecord(socket);
    this.#sockets.add(socket);
    this.services.clientConnected(client);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.services.clientDisconnected(client);
    });
    const http = new Http1Client(
      new Transport(socket),
      client,
      this.services,
      undefined,
      (authority, detached) => {
        this.#clients.delete(http);
        this.#tunnel(socket, client, authority, detached);
      },
      services.options.http2
        ? ({ rest }) => {
            this.#clients.delete(http);
            socket.unshift(rest);
            this.#watch(new Http2Client(socket, socket, client, services, undefined), socket);
          }
        : undefined,
    );
    this.#watch(http, socket);
    http.begin(Buffer.alloc(0));
  }

  #watch(http: HttpClient, socket: net.Socket): void {
    this.#clients.add(http);
    socket.once('close', () => this.#clients.delete(http));
  }

  #tunnel(raw: net.Socket, client: ClientRecord, authority: Authority, detached: RelayEnd): void {
    const { services } = this;
    this.#interceptor ??= new Interceptor(services.ca);
    new Tunnel({
      client,
      services,
      interceptor: this.#interceptor,
      authority,
      raw,
      onClient: (http) => this.#watch(http, raw),
    }).open(detached);
  }
}
