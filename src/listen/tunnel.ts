import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { clearTimeout, setImmediate, setTimeout } from '../clock.js';
import { type FlowErrorCode, isError, messageOf } from '../errors.js';
import { formatAuthority } from '../flow/authority.js';
import { OriginFailure } from '../origin/failure.js';
import type { DialledRaw } from '../origin/origins.js';
import { type RelayEnd, relay } from '../tcp/relay.js';
import { TcpSession } from '../tcp/session.js';
import { Transport } from '../tcp/transport.js';
import { type ClientHello, readClientHello } from '../tls/client-hello.js';
import type { ClientRecord } from './client-info.js';
import { asDistrust } from './distrust.js';
import { firstSign } from './first-sign.js';
import { isListed } from './host-patterns.js';
import { Http1Client } from './http1-client.js';
import { Http2Client } from './http2-client.js';
import type { Interceptor } from './interceptor.js';
import type { ListenServices } from './services.js';
import { sniff, sniffTls } from './sniff.js';
import { type FixedTarget, serverNameOf } from './target.js';

/** How long a client may be silent before the origin is given a chance to speak first, in milliseconds. */
const SILENCE = 300;
/** How long a client may pause in what may yet begin HTTP before it passes as it is, in milliseconds. */
const PAUSE = 1000;
/** How long a client may be silent still, once it is known that its origin can't be reached, in milliseconds. */
const PATIENCE = 5000;
/** How long a client may take from one part of its TLS hello to the next, in milliseconds. */
const HELLO_TIMEOUT = 30_000;
/** Octets that are read, at most, to find out what a client speaks. */
const MAX_SNIFFED = 64;
const NOTHING = Buffer.alloc(0);
const HTTP1: readonly string[] = ['http/1.1'];
const BOTH: readonly string[] = ['h2', 'http/1.1'];

/** A client's connection, whatever HTTP is spoken over it. */
export interface HttpClient {
  /** Ends the exchanges in flight and the connection. */
  close(): void;
}

export interface TunnelSetup {
  client: ClientRecord;
  services: ListenServices;
  interceptor: Interceptor;
  /** Where it leads: the authority of a CONNECT, or the origin of reverse mode. */
  authority: FixedTarget;
  /** The TCP socket of the client. */
  raw: Socket;
  /** Takes charge of the client's HTTP connection. */
  onClient(client: HttpClient): void;
}

/**
 * A tunnel. The client's first octets, or the origin's if the client stays silent, tell what is spoken in it: TLS is
 * intercepted, HTTP becomes exchanges, anything else passes as it is. What `ignoreHosts` names is not looked into.
 */
export class Tunnel {
  /** One that `tcpHosts` names: what is in it, or in the TLS in it, is recorded as a TCP flow, whatever it is. */
  #recorded = false;

  constructor(private readonly setup: TunnelSetup) {}

  /** Begins with the answer to CONNECT, or of SOCKS. */
  open({ socket, rest }: RelayEnd, answer: Uint8Array): void {
    const { client, authority, services } = this.setup;
    client.tunnel = formatAuthority(authority);
    socket.on('error', this.#onError);
    socket.write(answer);
    const { ignoreHosts, tcpHosts } = services.options;
    this.#recorded = isListed(tcpHosts, authority);
    if (isListed(ignoreHosts, authority)) this.#leaveAlone(socket, rest);
    else this.#listen(socket, rest);
  }

  /** Begins with a TLS hello, or a part of it, that came without being asked to whom. */
  openTls({ socket, rest }: RelayEnd): void {
    socket.on('error', this.#onError);
    this.#intercept(socket, rest);
  }

  /** Waits for the first octets, from either end. */
  #listen(socket: Socket, rest: Buffer): void {
    let seen = rest;
    let origin: Socket | undefined;
    let waiting = true;
    const decide = (): boolean => {
      const spoken = this.#recorded ? sniffTls(seen) : sniff(seen);
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
    const passOn = () => {
      stop();
      origin?.destroy();
      this.#pass(socket, seen);
    };
    const read = (bytes: Buffer) => {
      clearTimeout(timer);
      seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
      if (!decide()) timer = setTimeout(passOn, PAUSE);
    };
    const ended = () => {
      stop();
      origin?.destroy();
      // A tunnel that was not used needs no origin; but what is recorded may be somebody who only listens.
      if (seen.length > 0 || (this.#recorded && !socket.destroyed)) this.#pass(socket, seen);
      else socket.destroy();
    };
    const askOrigin = () => {
      this.#dial().then(
        (dialled) => {
          if (!waiting || seen.length > 0) {
            dialled.socket.destroy();
            return;
          }
          origin = dialled.socket;
          firstSign(dialled, (first) => {
            if (!waiting || seen.length > 0) return;
            stop();
            this.#join({ socket, rest: seen }, { ...dialled, rest: first });
          });
        },
        (error: unknown) => {
          if (!waiting || seen.length > 0) return;
          const giveUp = () => {
            stop();
            this.#undialled({ socket, rest: seen }, error);
          };
          // What may yet be HTTP is told by the answer to its first request. What is recorded may have none.
          if (this.#recorded) giveUp();
          else timer = setTimeout(giveUp, PATIENCE);
        },
      );
    };
    const stop = () => {
      waiting = false;
      clearTimeout(timer);
      socket.off('data', read).off('end', ended).off('close', ended);
      socket.pause();
    };
    let timer = rest.length === 0 ? setTimeout(askOrigin, SILENCE) : setTimeout(passOn, PAUSE);
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
    if (this.#isRaw(socket, rest, hello)) return;
    socket.unshift(rest);
    const { services, authority, client } = this.setup;
    if (!services.options.http2 || !hello.protocols.includes('h2')) {
      this.#handshakeHttp(socket, HTTP1);
      return;
    }
    client.onlyHttp2 = !hello.protocols.includes('http/1.1');
    if (client.onlyHttp2) {
      // It would not come back with anything else.
      this.#handshakeHttp(socket, BOTH);
      return;
    }
    // The client sees what the origin speaks: that of HTTP/1.1 has limits of its own in browsers.
    const { host, port, reverse } = authority;
    const serverName = serverNameOf(authority, hello.serverName);
    services.spokenBy({ tls: reverse?.tls ?? true, host, port, serverName, http2: true }).then(
      (spoken) => this.#handshakeHttp(socket, spoken === 'h2' ? BOTH : HTTP1),
      // Why it can't be reached is told by the request's own attempt.
      () => this.#handshakeHttp(socket, BOTH),
    );
  }

  /** Whether what is in the TLS that begins with this hello is nothing that is read. If so, it has been seen to. */
  #isRaw(socket: Socket, rest: Buffer, hello: ClientHello): boolean {
    const { services, authority, client } = this.setup;
    const { host, port, reverse } = authority;
    const serverName = hello.serverName ?? host;
    // In reverse mode the name is this proxy's own.
    if (reverse !== undefined) return false;
    const named = { host: serverName.toLowerCase(), port };
    if (isListed(services.options.ignoreHosts, named)) {
      this.#leaveAlone(socket, rest);
      return true;
    }
    if (!this.#recorded && !isListed(services.options.tcpHosts, named)) return false;
    this.#recorded = true;
    if (hello.serverName !== undefined) client.sni = hello.serverName;
    // The origin comes first: what it chooses of the client's protocols is what the client is offered.
    services.dial({ tls: true, host, port, serverName }, hello.protocols).then(
      (dialled) => {
        dialled.socket.pause();
        const unused = () => dialled.socket.destroy();
        dialled.socket.on('error', unused);
        socket.unshift(rest);
        const protocols = dialled.alpn === undefined ? [] : [dialled.alpn];
        const ready = (secure: Socket) => this.#join({ socket: secure, rest: NOTHING }, dialled);
        // Later: a socket that is destroyed in the callbacks of its own handshake crashes the process (Node 20).
        this.#handshake(socket, protocols).then((secure) => setImmediate(() => ready(secure)), unused);
      },
      (error: unknown) => this.#undialled({ socket, rest }, error),
    );
    return true;
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

  #handshakeHttp(socket: Socket, protocols: readonly string[]): void {
    this.#handshake(socket, protocols).then(
      (secure) => {
        if (secure.alpnProtocol === 'h2') this.#serveHttp2(secure, NOTHING);
        else if (this.setup.authority.reverse !== undefined) this.#serve(secure, NOTHING);
        else this.#listen(secure, NOTHING);
      },
      // It has been told.
      () => undefined,
    );
  }

  /** @throws what went wrong, if that was worth it when it has been told */
  async #handshake(socket: Socket, protocols: readonly string[]): Promise<TLSSocket> {
    const { client, interceptor, authority } = this.setup;
    // While the origin was asked.
    if (socket.destroyed) throw new Error('the client closed the connection before the TLS handshake');
    try {
      const secure = await interceptor.intercept(socket, authority.host, protocols);
      client.tls = true;
      if (typeof secure.servername === 'string' && secure.servername !== '') client.sni = secure.servername;
      // What befalls it from now on, TLS has it from there.
      socket.off('error', this.#onError).on('error', () => undefined);
      secure.on('error', this.#onError);
      return secure;
    } catch (error) {
      this.#failed(error);
      socket.destroy();
      throw error;
    }
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
    // A connection that is lost between exchanges is nothing to tell of, and in one its flow tells.
    socket.off('error', this.#onError);
    const transport = new Transport(socket, raw);
    // Elsewhere its preface was looked for before.
    const onHttp2 = ({ rest: begun }: RelayEnd) => this.#serveHttp2(socket, begun);
    const mayHttp2 = authority.reverse !== undefined && services.options.http2;
    const http = new Http1Client(
      transport,
      client,
      services,
      authority,
      () => undefined,
      mayHttp2 ? onHttp2 : undefined,
    );
    this.setup.onClient(http);
    http.begin(rest);
  }

  /** Passes on what is not HTTP, or is not to be read. */
  #pass(socket: Socket, rest: Buffer, untouched = false): void {
    this.#dial(untouched).then(
      (dialled) => this.#join({ socket, rest }, dialled),
      (error: unknown) => this.#undialled({ socket, rest }, error),
    );
  }

  /** Passes on what `ignoreHosts` names. */
  #leaveAlone(socket: Socket, rest: Buffer): void {
    this.#recorded = false;
    this.#pass(socket, rest, true);
  }

  #dial(untouched = false): Promise<DialledRaw> {
    const { client, services, authority } = this.setup;
    const { host, port } = authority;
    const serverName = serverNameOf(authority, client.sni);
    return services.dial({ tls: client.tls, host, port, serverName, untouched });
  }

  /** Lets octets pass between a client and its origin. */
  #join(end: RelayEnd, dialled: DialledRaw): void {
    const { client, raw } = this.setup;
    const origin = { rest: NOTHING, ...dialled };
    if (this.#recorded) {
      this.#session(end).begin(origin, dialled.info);
      return;
    }
    client.passthrough = { up: 0, down: 0 };
    relay({ ...end, raw }, origin, client.passthrough);
  }

  /** There is no origin to pass octets on to. */
  #undialled(end: RelayEnd, error: unknown): void {
    if (this.#recorded) {
      const [code, cause]: [FlowErrorCode, unknown] =
        error instanceof OriginFailure ? [error.code, error.cause] : ['INTERNAL', error];
      this.#session(end).unreachable(code, messageOf(error), cause);
      return;
    }
    this.#failed(error);
    end.socket.destroy();
  }

  /** From here on the session tells what goes wrong. */
  #session(end: RelayEnd): TcpSession {
    const { services, client, raw } = this.setup;
    end.socket.off('error', this.#onError);
    return new TcpSession(services.tcp, client, { ...end, raw });
  }

  readonly #onError = (error: Error) => this.#failed(error);

  #failed(thrown: unknown): void {
    const { services, client } = this.setup;
    const error = asDistrust(thrown);
    services.clientError(client, isError(error) ? error : new OriginFailure('INTERNAL', messageOf(error)));
  }
}
