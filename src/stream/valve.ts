/** Holds a source back while any of those that its octets go to is full. */
export class Valve {
  readonly #full = new Set<string>();

  constructor(private readonly source: { pause(): void; resume(): void }) {}

  get closed(): boolean {
    return this.#full.size > 0;
  }

  /** `receiver` is full (`true`), or has room again. */
  set(receiver: string, full: boolean): void {
    if (full) {
      this.#full.add(receiver);
      this.source.pause();
    } else if (this.#full.delete(receiver) && this.#full.size === 0) {
      this.source.resume();
    }
  }
}
