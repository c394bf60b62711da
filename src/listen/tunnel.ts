import type { Socket } from 'node:net';
import { messageOf } from '../errors.js';
import type { Dialled } from '../origin/connect.js';
import { OriginFailure, type Route } from '../origin/origins.js';
import { type RelayEnd, relay } from '../tcp/relay.js';
import { Transport } from '../tcp/transport.js';
import type { ClientRecord } from './client-info.js';
import { Http1Client } from './http1-client.js';
import type { Interceptor } from './interceptor.js';
import type { ListenServices } from './services.js';
import { sniff } from './sniff.js';
import { type Authority, formatAuthority } from './target.js';

/** How long a client may be silent before the origin is given a chance to speak first, in milliseconds. */
const SILENCE = 300;
/** What is read to find out what a client speaks. */
const MAX_SNIFFED = 64;

export interface TunnelSetup {
  client: ClientRecord;
  services: ListenServices;
  interceptor: Interceptor;
  authority: Authority;
  /** The TCP socket of the client. */
  raw: Socket;
  /** Takes charge of the client's HTTP connection. */
  onClient(client: Http1Client): void;
}

/**
 * A CONNECT tunnel. It is answered at once; then the client's first octets, or the origin's if the client stays silent,
 * tell what is spoken in it: TLS is intercepted, HTTP becomes exchanges, anything else passes as it is.
 */
export class Tunnel {
  constructor(private readonly setup: TunnelSetup) {}

  open({ socket, rest }: RelayEnd): void {
    const { client, authority } = this.setup;
    client.tunnel = formatAuthority(authority);
    socket.on('error', (error) => this.#failed(error));
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n', 'latin1');
    this.#listen(socket, rest);
  }

  /** Waits for the first octets, from either end. */
  #listen(socket: Socket, rest: Buffer): void {
    let seen = rest;
    let origin: Socket | undefined;
    const decide = (): boolean => {
      const spoken = sniff(seen);
      if (spoken === 'unclear' && seen.length < MAX_SNIFFED) return false;
      stop();
      origin?.destroy();
      if (spoken === 'tls' && !this.setup.client.tls) this.#intercept(socket, seen);
      else if (spoken === 'http1') this.#serve(socket, seen);
      else this.#pass(socket, seen);
      return true;
    };
    const read = (bytes: Buffer) => {
      seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
      decide();
    };
    const ended = () => {
      stop();
      origin?.destroy();
      if (seen.length > 0) this.#pass(socket, seen);
      else socket.destroy();
    };
    const stop = () => {
      clearTimeout(timer);
      socket.off('data', read).off('end', ended).off('close', ended);
      socket.pause();
    };
    const timer = setTimeout(() => {
      if (seen.length > 0) return;
      this.#dial().then(
        (dialled) => {
          if (socket.destroyed || seen.length > 0) {
            dialled.socket.destroy();
            return;
          }
          origin = dialled.socket;
          firstOctets(dialled, (first) => {
            if (seen.length > 0) return;
            stop();
            relay({ socket, rest: seen }, { ...dialled, rest: first });
          });
        },
        // The client has not asked for anything yet: its first request will be told.
        () => undefined,
      );
    }, SILENCE);
    if (decide()) return;
    socket.on('data', read).on('end', ended).on('close', ended);
    socket.resume();
  }

  #intercept(socket: Socket, rest: Buffer): void {
    const { client, interceptor, authority } = this.setup;
    if (rest.length > 0) socket.unshift(rest);
    interceptor.intercept(socket, authority.host).then(
      (secure) => {
        client.tls = true;
        if (typeof secure.servername === 'string' && secure.servername !== '') client.sni = secure.servername;
        secure.on('error', (error) => this.#failed(error));
        this.#listen(secure, Buffer.alloc(0));
      },
      (error: unknown) => {
        this.#failed(error);
        socket.destroy();
      },
    );
  }

  #serve(socket: Socket, rest: Buffer): void {
    const { client, services, authority, raw } = this.setup;
    const transport = new Transport(socket, raw);
    const http = new Http1Client(transport, client, services, authority, () => undefined);
    this.setup.onClient(http);
    http.begin(rest);
  }

  /** Passes on what is not HTTP. */
  #pass(socket: Socket, rest: Buffer): void {
    this.#dial().then(
      (dialled) => relay({ socket, rest }, { rest: Buffer.alloc(0), ...dialled }),
      (error: unknown) => {
        this.#failed(error);
        socket.destroy();
      },
    );
  }

  #dial(): Promise<Dialled> {
    const { client, services, authority } = this.setup;
    const route: Route = { tls: client.tls, ...authority, serverName: client.sni ?? authority.host };
    return services.dial(route);
  }

  #failed(error: unknown): void {
    const { services, client } = this.setup;
    if (isDistrust(error)) return;
    services.clientError(
      client,
      error instanceof Error ? error : new OriginFailure('INTERNAL', messageOf(error)),
    );
  }
}

/** A client that does not know the CA yet tries once, gives up with an alert and comes back: no error of a test's. */
function isDistrust(error: unknown): boolean {
  return (
    error instanceof Error && /alert (?:certificate unknown|unknown ca|bad certificate)/i.test(error.message)
  );
}

/** Calls back with the first octets from an origin. */
function firstOctets({ socket, buffers, rest }: Dialled, told: (bytes: Buffer) => void): void {
  socket.on('error', () => socket.destroy());
  if (rest !== undefined && rest.length > 0) {
    told(rest);
    return;
  }
  // A chained proxy's tunnel comes paused.
  socket.resume();
  if (buffers === undefined) {
    socket.once('data', (bytes: Buffer) => {
      socket.pause();
      told(bytes);
    });
    return;
  }
  buffers.onRead = (bytes) => {
    buffers.onRead = undefined;
    told(Buffer.from(bytes));
  };
}
