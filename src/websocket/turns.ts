import { Fifo } from './fifo.js';

/** A message's place among those of both directions. */
export interface Turn {
  tell: (() => void) | undefined;
}

/**
 * Tells messages in the order in which they came to their ends, whichever way they went: decompression takes its time,
 * and an answer may be there before what it answers has been decompressed.
 */
export class Turns {
  readonly #waiting = new Fifo<Turn>();

  /** Nobody waits: a message that is there can be told at once. */
  get free(): boolean {
    return this.#waiting.length === 0;
  }

  /** A message has come to its end. */
  take(): Turn {
    const turn: Turn = { tell: undefined };
    this.#waiting.push(turn);
    return turn;
  }

  /** What there is to tell of it can be told, in its turn. */
  ready(turn: Turn, tell: () => void): void {
    turn.tell = tell;
    for (let first = this.#waiting.first; first?.tell !== undefined; first = this.#waiting.first) {
      this.#waiting.shift();
      first.tell();
    }
  }
}
