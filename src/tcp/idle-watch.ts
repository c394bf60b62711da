/** What can be ended for being idle. */
export interface Idler {
  expire(): void;
}

/**
 * Ends connections that have been idle for too long. One timer serves them all: a timer each, set and cleared for every
 * exchange, was a measurable part of a request.
 */
export class IdleWatch {
  readonly #deadlines = new Map<Idler, number>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** `idler` is idle from now on and expires in `ms` milliseconds. */
  start(idler: Idler, ms: number): void {
    const deadline = Date.now() + ms;
    this.#deadlines.set(idler, deadline);
    if (deadline < this.#wakesAt) this.#wakeAt(deadline);
  }

  /** `idler` is busy, or gone. */
  stop(idler: Idler): void {
    this.#deadlines.delete(idler);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#deadlines.clear();
  }

  #wakeAt(deadline: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = deadline;
    this.#timer = setTimeout(() => this.#wake(), Math.max(deadline - Date.now(), 1));
    // An idle connection does not keep a process alive for its timeout's sake.
    this.#timer.unref();
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    const inOrder = [...this.#deadlines].sort(([, a], [, b]) => a - b);
    for (const [idler, deadline] of inOrder) {
      if (deadline > now) {
        this.#wakeAt(deadline);
        return;
      }
      this.#deadlines.delete(idler);
      idler.expire();
    }
  }
}
