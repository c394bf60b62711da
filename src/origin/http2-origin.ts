import http2, { type ClientHttp2Session } from 'node:http2';
import type { ServerInfo } from '../flow/types.js';
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
}

/** An HTTP/2 connection to an origin: a stream for each exchange, as many at once as the origin allows. */
export class Http2Origin implements Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  readonly session: ClientHttp2Session;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  #info: ServerInfo;
  #open = 0;
  /** How the connection failed, for messages. */
  #failure = '';

  constructor(
    dialled: Dialled,
    private readonly setup: Http2OriginSetup,
  ) {
    const { socket, raw } = dialled;
    const { remoteAddress: address = '', remotePort: port = 0 } = raw;
    const via = setup.via === undefined ? {} : { via: setup.via };
    this.#info = { address, port, tls: setup.tls, reused: false, ...via };
    this.scheme = setup.tls ? 'https' : 'http';
    this.authority = setup.authority;
    this.session = http2.connect(`${this.scheme}://${setup.authority}`, {
      ...SESSION_LIMITS,
      createConnection: () => socket,
    });
    widenWindow(this.session);
    this.session.on('error', (error) => {
      this.#failure = `: ${error.message}`;
    });
    this.session.on('goaway', (code: number) => {
      if (code !== 0) this.#failure = `: it went away with ${nameOfCode(code)}`;
    });
    this.session.on('close', () => setup.idleWatch.forget(this));
  }

  /** Whether further exchanges can go over it. */
  get usable(): boolean {
    return !this.session.closed && !this.session.destroyed;
  }

  /** What is known of how the connection ended; empty if it has not, or in an orderly way. */
  get lastWords(): string {
    return this.#failure;
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

  /** Whether the other end has shown that it speaks HTTP/2: its settings come first, or something else does. */
  spoken(): Promise<boolean> {
    const { session } = this;
    return new Promise((resolve) => {
      session.once('remoteSettings', () => resolve(true));
      session.once('close', () => resolve(false));
    });
  }
}
