import type { Socket } from 'node:net';
import { clearTimeout, setTimeout } from '../clock.js';
import { messageOf } from '../errors.js';
import { type Authority, formatAuthority } from '../flow/authority.js';
import type { Dialled } from '../origin/connect.js';
import { OriginFailure, type Route } from '../origin/origins.js';
import { type RelayEnd, relay } from '../tcp/relay.js';
import { Transport } from '../tcp/transport.js';
import { readClientHello } from '../tls/client-hello.js';
import type { ClientRecord } from './client-info.js';
import { Http1Client } from './http1-client.js';
import { Http2Client } from './http2-client.js';
import type { Interceptor } from './interceptor.js';
import type { ListenServices } from './services.js';
import { sniff } from './sniff.js';

/** How long a client may be silent before the origin is given a chance to speak first, in milliseconds. */
const SILENCE = 300;
/** How long a client may take from one part of its TLS hello to the next, in milliseconds. */
const HELLO_TIMEOUT = 30_000;
/** Octets that are read, at most, to find out what a client speaks. */
const MAX_SNIFFED = 64;
const NOTHING = Buffer.alloc(0);

/** A client's connection, whatever HTTP is spoken over it. */
export interface HttpClient {
  /** Ends the exchanges in flight and the connection. */
  close(): void;
}

export interface TunnelSetup {
  client: ClientRecord;
  services: ListenServices;
  interceptor: Interceptor;
  authority: Authority;
  /** The TCP socket of the client. */
  raw: Socket;
  /** Takes charge of the client's HTTP connection. */
  onClient(client: HttpClient): void;
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
    socket.on('error', this.#onError);
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
      else if (spoken === 'http2' && this.setup.services.options.http2) this.#serveHttp2(socket, seen);
      // Where HTTP/2 is turned off it is refused as what it looks like.
      else if (spoken === 'http1' || spoken === 'http2') this.#serve(socket, seen);
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

  /** Takes the TLS off, once it is known what to offer. */
  #intercept(socket: Socket, rest: Buffer): void {
    const hello = readClientHello(rest);
    if (hello === undefined) {
      this.#readOn(socket, rest);
      return;
    }
    socket.unshift(rest);
    const { services, authority, client } = this.setup;
    if (!services.options.http2 || !hello.protocols.includes('h2')) {
      this.#handshake(socket, false);
      return;
    }
    client.onlyHttp2 = !hello.protocols.includes('http/1.1');
    if (client.onlyHttp2) {
      // It would not come back with anything else.
      this.#handshake(socket, true);
      return;
    }
    // The client sees what the origin speaks: that of HTTP/1.1 has limits of its own in browsers.
    const serverName = hello.serverName ?? authority.host;
    services.spokenBy({ tls: true, ...authority, serverName, http2: true }).then(
      (spoken) => this.#handshake(socket, spoken === 'h2'),
      // Why it can't be reached is told by the request's own attempt.
      () => this.#handshake(socket, true),
    );
  }

  /** Waits for more of a client's hello. */
  #readOn(socket: Socket, rest: Buffer): void {
    const stop = () => {
      clearTimeout(timer);
      socket.off('data', read).off('end', ended).off('close', ended);
      socket.pause();
    };
    const read = (more: Buffer) => {
      stop();
      this.#intercept(socket, Buffer.concat([rest, more]));
    };
    const fail = (why: string) => {
      stop();
      this.#failed(new Error(`the client ${why} in the middle of its TLS hello`));
      socket.destroy();
    };
    const ended = () => fail('closed the connection');
    const timer = setTimeout(() => fail('stopped'), HELLO_TIMEOUT);
    socket.on('data', read).on('end', ended).on('close', ended);
    socket.resume();
  }

  #handshake(socket: Socket, http2: boolean): void {
    const { client, interceptor, authority } = this.setup;
    // While the origin was asked.
    if (socket.destroyed) return;
    interceptor.intercept(socket, authority.host, http2).then(
      (secure) => {
        client.tls = true;
        if (typeof secure.servername === 'string' && secure.servername !== '') client.sni = secure.servername;
        secure.on('error', this.#onError);
        if (secure.alpnProtocol === 'h2') this.#serveHttp2(secure, NOTHING);
        else this.#listen(secure, NOTHING);
      },
      (error: unknown) => {
        this.#failed(error);
        socket.destroy();
      },
    );
  }

  #serveHttp2(socket: Socket, rest: Buffer): void {
    const { client, services, authority, raw } = this.setup;
    if (socket.destroyed) return;
    if (rest.length > 0) socket.unshift(rest);
    // Its own session tells of failures, once.
    socket.off('error', this.#onError).on('error', () => undefined);
    this.setup.onClient(new Http2Client(socket, raw, client, services, authority));
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
      (dialled) => relay({ socket, rest }, { rest: NOTHING, ...dialled }),
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

  readonly #onError = (error: Error) => this.#failed(error);

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
