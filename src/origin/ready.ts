import type { Idler, IdleWatch } from '../tcp/idle-watch.js';
import type { Dialled } from './connect.js';

/** A connection that waits for its use. */
export interface ReadyConnection {
  /** Closes it, unless it is in use by now. */
  close(): void;
}

/**
 * Connections that were made before it was known what would be spoken over them, as SOCKS wants it. Whoever needs one
 * that leads there takes it.
 */
export class ReadyConnections {
  readonly #waiting = new Map<string, Ready[]>();

  constructor(private readonly idleWatch: IdleWatch) {}

  /** @param idleTimeout after how many milliseconds it is closed */
  add(key: string, dialled: Dialled, idleTimeout: number): ReadyConnection {
    const all = this.#waiting.get(key) ?? [];
    this.#waiting.set(key, all);
    const ready = new Ready(dialled, () => {
      this.idleWatch.forget(ready);
      all.splice(all.indexOf(ready), 1);
      if (all.length === 0) this.#waiting.delete(key);
    });
    all.push(ready);
    this.idleWatch.start(ready, idleTimeout);
    return ready;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  get none(): boolean {
    return this.#waiting.size === 0;
  }

  /** @param raw what the other end has said already is wanted; nobody who asks first can use such a connection */
  take(key: string, raw: boolean): Dialled | undefined {
    for (const ready of [...(this.#waiting.get(key) ?? [])]) {
      if (raw || !ready.spoken) return ready.take();
      ready.close();
    }
    return undefined;
  }
}

class Ready implements ReadyConnection, Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  #rest: Buffer;
  #waits = true;

  constructor(
    private readonly dialled: Dialled,
    /** It waits no longer. */
    private readonly onOver: () => void,
  ) {
    const { socket, buffers, rest } = dialled;
    this.#rest = rest ?? Buffer.alloc(0);
    // Read while it waits, so that one that is lost is not given away. More than one read is not taken.
    if (buffers === undefined) socket.on('data', this.#onData);
    else buffers.onRead = this.#onData;
    socket.on('end', this.#onGone).on('close', this.#onGone).on('error', this.#onGone);
    if (this.spoken) socket.pause();
    else socket.resume();
  }

  /** The other end has said something. */
  get spoken(): boolean {
    return this.#rest.length > 0;
  }

  take(): Dialled {
    const { socket, buffers } = this.dialled;
    socket.pause();
    if (buffers === undefined) socket.off('data', this.#onData);
    else buffers.onRead = undefined;
    socket.off('end', this.#onGone).off('close', this.#onGone);
    this.#over();
    return { ...this.dialled, rest: this.#rest };
  }

  close(): void {
    if (!this.#waits) return;
    this.#over();
    this.dialled.socket.destroy();
  }

  expire(): void {
    this.close();
  }

  #over(): void {
    this.#waits = false;
    this.onOver();
  }

  readonly #onData = (bytes: Buffer) => {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    this.dialled.socket.pause();
  };
  // It stays an error's listener: until the next owner listens, one would be an uncaught one.
  readonly #onGone = () => this.close();
}
