import type { Headers } from '../flow/headers.js';
import type { BodyOutlet, Written } from './body.js';

/** An outlet before which everything waits until a tap has seen what is in it. */
export class HeldOutlet implements BodyOutlet {
  onDrain: (() => void) | undefined;
  /** Writes that have not been passed on. */
  #held = 0;

  /** @param tap calls back once it is through with all that it has been given before, in order of the calls */
  constructor(
    private readonly outlet: BodyOutlet,
    private readonly tap: { settled(then: () => void): void },
  ) {
    outlet.onDrain = () => {
      if (this.#held === 0) this.onDrain?.();
    };
  }

  raw(bytes: Buffer, written: Written): boolean {
    return this.#hold(() => this.outlet.raw(bytes, written));
  }

  piece(bytes: Buffer, written: Written): boolean {
    return this.#hold(() => this.outlet.piece(bytes, written));
  }

  end(lastLine: string | undefined, trailers: Headers | undefined, written: Written): void {
    this.#hold(() => {
      this.outlet.end(lastLine, trailers, written);
      return false;
    });
  }

  #hold(write: () => boolean): boolean {
    let returned = false;
    let roomLeft = false;
    this.#held++;
    this.tap.settled(() => {
      this.#held--;
      roomLeft = write();
      if (returned && roomLeft && this.#held === 0) this.onDrain?.();
    });
    returned = true;
    return roomLeft;
  }
}
