import type { Dialled } from './connect.js';
import type { Http2Origin } from './http2-origin.js';

/** What the pool asks of whoever makes connections. */
export interface Http2Dialler {
  /** A connection that offers HTTP/2, and HTTP/1.1 behind it. @throws OriginFailure */
  dial(): Promise<Dialled>;
  /** Speaks HTTP/2 over it. Gives `undefined` if the other end turns out not to. @throws OriginFailure */
  speak(dialled: Dialled): Promise<Http2Origin | undefined>;
  /** The origin has chosen HTTP/1.1: the connection may serve an exchange of that. */
  other(dialled: Dialled): void;
}

/** HTTP/2 connections to origins, one each, and what each origin has been found to speak. */
export class Http2Pool {
  readonly #origins = new Map<string, Http2Origin>();
  readonly #joining = new Map<string, Promise<Http2Origin | undefined>>();
  readonly #spoken = new Map<string, 'h2' | 'http/1.1'>();
  /** Origins that refuse to speak HTTP/1.1. */
  readonly #only = new Set<string>();

  spoken(key: string): 'h2' | 'http/1.1' | undefined {
    return this.#spoken.get(key);
  }

  /** The origin was asked for HTTP/1.1 and refused. */
  noteOnly(key: string): void {
    this.#only.add(key);
  }

  speaksOnly(key: string): boolean {
    return this.#only.has(key);
  }

  /** The origin wants HTTP/1.1 for what it was asked over HTTP/2. */
  noteHttp1(key: string): void {
    this.#only.delete(key);
    this.#spoken.set(key, 'http/1.1');
  }

  /** It can't be connected to: what comes to listen there next may speak something else. */
  forget(key: string): void {
    this.#only.delete(key);
    this.#spoken.delete(key);
  }

  /** The connection takes no further exchanges. */
  drop(key: string, origin: Http2Origin): void {
    if (this.#origins.get(key) === origin) this.#origins.delete(key);
  }

  /** The connection to an origin, if there is one that can be used. */
  find(key: string): Http2Origin | undefined {
    const origin = this.#origins.get(key);
    return origin?.usable ? origin : undefined;
  }

  /** Connects, once for all who ask meanwhile. Gives `undefined` if the origin chose HTTP/1.1. @throws OriginFailure */
  join(key: string, dialler: Http2Dialler): Promise<Http2Origin | undefined> {
    const joining = this.#joining.get(key) ?? this.#join(key, dialler);
    this.#joining.set(key, joining);
    return joining;
  }

  close(): void {
    for (const origin of this.#origins.values()) origin.close();
    this.#origins.clear();
  }

  async #join(key: string, dialler: Http2Dialler): Promise<Http2Origin | undefined> {
    try {
      const dialled = await dialler.dial();
      if (dialled.alpn !== 'h2') {
        this.noteHttp1(key);
        dialler.other(dialled);
        return undefined;
      }
      const origin = await dialler.speak(dialled);
      if (origin === undefined) {
        this.noteHttp1(key);
      } else {
        this.#spoken.set(key, 'h2');
        this.#origins.set(key, origin);
      }
      return origin;
    } finally {
      this.#joining.delete(key);
    }
  }
}
