import http2, { type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { clearTimeout, setTimeout } from '../clock.js';
import type { ServerInfo } from '../flow/types.js';
import { Pulse, watchFailure } from '../http2/failing-session.js';
import { SESSION_LIMITS, widenWindow } from '../http2/limits.js';
import { nameOfCode } from '../http2/reset.js';
import type { Idler, IdleWatch } from '../tcp/idle-watch.js';
import type { Dialled } from './connect.js';
import { Http2OriginStream } from './http2-stream.js';

export interface Http2OriginSetup {
  tls: boolean;
  /** `host:port` to name where a request has no Host. */
  authority: string;
  /** The chained proxy it goes through. */
  via?: string;
  /** Milliseconds. */
  idleTimeout: number;
  idleWatch: IdleWatch;
  /** It does not serve something over HTTP/2 (HTTP_1_1_REQUIRED). */
  onHttp1Required(): void;
  /** It takes no further exchanges. */
  onGone(origin: Http2Origin): void;
}

/** An HTTP/2 connection to an origin: a stream for each exchange, as many at once as the origin allows. */
export class Http2Origin implements Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  readonly session: ClientHttp2Session;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  #info: ServerInfo;
  #open = 0;
  /** How the connection failed. */
  #failure: Error | undefined;
  /** Streams after this one were not and will not be served (RFC 9113 section 6.8). */
  #lastServed = Number.POSITIVE_INFINITY;

  constructor(
    dialled: Dialled,
    private readonly setup: Http2OriginSetup,
  ) {
    const { socket, raw, rest } = dialled;
    const { remoteAddress: address = '', remotePort: port = 0 } = raw;
    const via = setup.via === undefined ? {} : { via: setup.via };
    this.#info = { address, port, tls: setup.tls, reused: false, ...via };
    // It may be half open, which node:http2 takes for a connection that is well.
    socket.once('end', () => socket.destroy());
    if (rest !== undefined && rest.length > 0) socket.unshift(rest);
    this.scheme = setup.tls ? 'https' : 'http';
    this.authority = setup.authority;
    this.session = http2.connect(`${this.scheme}://${setup.authority}`, {
      ...SESSION_LIMITS,
      createConnection: () => socket,
    });
    widenWindow(this.session);
    watchFailure(this.session, (error) => {
      this.#failure ??= new Error(`it broke the rules of HTTP/2: ${error.message}`, { cause: error });
    });
    this.session.on('error', (error) => {
      this.#failure ??= error;
    });
    this.session.on('goaway', (code: number, lastServed: number) => {
      this.#lastServed = lastServed;
      if (code !== 0) this.#failure = new Error(`it went away with ${nameOfCode(code)}`);
      setup.onGone(this);
    });
    this.session.on('close', () => {
      setup.idleWatch.forget(this);
      setup.onGone(this);
    });
    this.#takePulse(raw);
    setup.idleWatch.start(this, setup.idleTimeout);
  }

  /** Whether further exchanges can go over it. */
  get usable(): boolean {
    return !this.session.closed && !this.session.destroyed;
  }

  /** How the connection failed, if it did; one that is closed in an orderly way has not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The failure for the end of a message; empty if there is none. */
  get lastWords(): string {
    return this.#failure === undefined ? '' : `: ${this.#failure.message}`;
  }

  /** Whether the origin said in going away that it has not begun with a stream. One without an id was never sent. */
  excludes(id: number | undefined): boolean {
    return id === undefined || id > this.#lastServed;
  }

  open(): Http2OriginStream {
    const info = this.#info;
    if (!info.reused) this.#info = { ...info, reused: true };
    return new Http2OriginStream(this, info);
  }

  /** A stream of it is in use. */
  began(): void {
    this.#open++;
    this.setup.idleWatch.stop(this);
  }

  /** A stream of it is over. */
  ended(): void {
    this.#open--;
    if (this.#open === 0 && this.usable) this.setup.idleWatch.start(this, this.setup.idleTimeout);
  }

  expire(): void {
    this.session.close();
  }

  close(): void {
    this.session.destroy();
  }

  /** Not with PINGs: servers of gRPC end a connection for two too many. */
  #takePulse(raw: Socket): void {
    const { session } = this;
    const dead = () => {
      this.#failure ??= new Error('it broke the rules of HTTP/2, and stayed when it was told so');
      session.destroy();
    };
    // Settings without any in them. Of what else could be sent, node:http2 leaves a new window for the next write.
    new Pulse(session, raw, { dead, came: () => undefined }, () => session.settings({}));
  }

  http1Required(): void {
    this.setup.onHttp1Required();
  }

  /**
   * Waits for the other end's settings, which come first. Only then is it known how many streams it takes: one too many
   * is refused, and an upload can't be repeated.
   * @param timeout in milliseconds
   * @throws Error if they don't come
   */
  begun(timeout: number): Promise<void> {
    const { session } = this;
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        clearTimeout(timer);
        this.close();
        reject(new Error(why));
      };
      const timer = setTimeout(
        () => fail(`no settings of HTTP/2 within ${timeout} ms (timeouts.connect)`),
        timeout,
      );
      session.once('remoteSettings', () => {
        clearTimeout(timer);
        resolve();
      });
      session.once('close', () => fail(`the connection was closed before HTTP/2 had begun${this.lastWords}`));
    });
  }
}
