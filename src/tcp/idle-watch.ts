import { clearTimeout, performance, setTimeout } from '../clock.js';

/** What can be ended for being idle. */
export interface Idler {
  /** When it expires, in milliseconds since the epoch; `Infinity` while it is busy. Only the watch sets it. */
  idleUntil: number;
  expire(): void;
}

/**
 * Ends connections that have been idle for too long. One timer serves them all: a timer each, set and cleared for every
 * exchange, was a measurable part of a request.
 */
export class IdleWatch {
  readonly #idlers = new Set<Idler>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** `idler` is idle from now on and expires in `ms` milliseconds. */
  start(idler: Idler, ms: number): void {
    const deadline = performance.now() + ms;
    idler.idleUntil = deadline;
    this.#idlers.add(idler);
    if (deadline < this.#wakesAt) this.#wakeAt(deadline);
  }

  /** `idler` is busy. */
  stop(idler: Idler): void {
    idler.idleUntil = Number.POSITIVE_INFINITY;
  }

  /** `idler` is gone. */
  forget(idler: Idler): void {
    this.#idlers.delete(idler);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#idlers.clear();
  }

  #wakeAt(deadline: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = deadline;
    this.#timer = setTimeout(() => this.#wake(), Math.max(deadline - performance.now(), 1));
    // An idle connection does not keep a process alive for its timeout's sake.
    this.#timer.unref();
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const at = performance.now();
    const inOrder = [...this.#idlers].sort((a, b) => a.idleUntil - b.idleUntil);
    for (const idler of inOrder) {
      if (idler.idleUntil > at) {
        if (idler.idleUntil !== Number.POSITIVE_INFINITY) this.#wakeAt(idler.idleUntil);
        return;
      }
      this.#idlers.delete(idler);
      idler.expire();
    }
  }
}
