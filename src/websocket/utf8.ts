import { isUtf8 } from 'node:buffer';

const EMPTY = Buffer.alloc(0);

/** Checks UTF-8 that comes in parts, a character split between them included. */
export class Utf8Check {
  /** The beginning of a character whose rest is to come. */
  #tail: Buffer = EMPTY;

  /** No character is unfinished. */
  get between(): boolean {
    return this.#tail.length === 0;
  }

  /** @returns whether it can still be UTF-8 */
  add(bytes: Buffer): boolean {
    const whole = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    const cut = beginOfLast(whole);
    this.#tail = cut === whole.length ? EMPTY : Buffer.from(whole.subarray(cut));
    return isUtf8(whole.subarray(0, cut)) && mayBegin(this.#tail);
  }

  /** @returns whether no character is left unfinished. It is ready for another text then. */
  end(): boolean {
    const whole = this.#tail.length === 0;
    this.#tail = EMPTY;
    return whole;
  }
}

/** Where a last character begins that is not whole; the length if there is none. */
function beginOfLast(bytes: Buffer): number {
  const { length } = bytes;
  for (let back = 1; back <= Math.min(3, length); back++) {
    const octet = bytes[length - back] ?? 0;
    if (octet < 0x80) return length;
    if (octet >= 0xc0) {
      const needed = octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : 2;
      return needed > back ? length - back : length;
    }
  }
  return length;
}

/** Whether these octets can be the beginning of a character (Unicode, table 3-7). */
function mayBegin(tail: Buffer): boolean {
  const [first, second] = tail;
  if (first === undefined) return true;
  if (first < 0xc2 || first > 0xf4) return false;
  if (second === undefined) return true;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
}
