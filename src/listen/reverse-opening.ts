import type { Socket } from 'node:net';
import type { Idler } from '../tcp/idle-watch.js';
import type { ListenServices } from './services.js';
import { sniff } from './sniff.js';

/** Who goes on with a connection, from the octets on that were read of it. */
interface Successors {
  tls(rest: Buffer): void;
  http(rest: Buffer): void;
}

/** The first octet of a connection in reverse mode: it tells a TLS hello from HTTP. */
export class ReverseOpening implements Idler {
  idleUntil = Number.POSITIVE_INFINITY;

  constructor(
    private readonly socket: Socket,
    private readonly services: ListenServices,
    private readonly successors: Successors,
  ) {
    socket.once('data', this.#onData).once('end', this.#onEnd).on('error', NOOP);
    socket.once('close', this.#stop);
    services.idleWatch.start(this, services.options.timeouts.idle);
  }

  /** Nothing came. */
  expire(): void {
    this.socket.destroy();
  }

  readonly #onData = (bytes: Buffer) => {
    const { socket } = this;
    socket.pause();
    socket.off('end', this.#onEnd).off('close', this.#stop);
    this.#stop();
    if (sniff(bytes) === 'tls') this.successors.tls(bytes);
    else this.successors.http(bytes);
  };

  readonly #onEnd = () => this.socket.end();

  readonly #stop = () => this.services.idleWatch.forget(this);
}

const NOOP = () => undefined;
