/**
 * Server-sent events (HTML Living Standard, section 9.2): the text/event-stream format.
 * @module
 */

/** An event as the standard dispatches it. */
export interface ParsedEvent {
  event: string;
  data: string;
  id: string;
  retry: number | undefined;
}

/** UTF-16 units of an event, or of a line, that are borne. What sends more is no event stream. */
const LARGEST = 16 * 1024 * 1024;

/** Puts events together from octets, however these are cut. */
export class EventStreamParser {
  readonly #decoder = new TextDecoder('utf-8');
  /** The beginning of a line. */
  #line = '';
  /** The last line ended in CR: an LF right after it belongs to it. */
  #afterCr = false;
  #event = '';
  #data: string[] = [];
  #size = 0;
  #id = '';
  #retry: number | undefined;

  constructor(private readonly told: (event: ParsedEvent) => void) {}

  /** @returns whether it can go on: `false` once there was too much without an end */
  write(bytes: Buffer): boolean {
    const text = this.#decoder.decode(bytes, { stream: true });
    // Each is looked for once: most streams have but one of them.
    let lf = text.indexOf('\n');
    let cr = text.indexOf('\r');
    let at = 0;
    if (this.#afterCr && text !== '') {
      this.#afterCr = false;
      if (lf === 0) at = 1;
    }
    for (;;) {
      if (lf !== -1 && lf < at) lf = text.indexOf('\n', at);
      if (cr !== -1 && cr < at) cr = text.indexOf('\r', at);
      const end = lf === -1 || cr === -1 ? Math.max(lf, cr) : Math.min(lf, cr);
      if (end === -1) break;
      this.#take(this.#line + text.slice(at, end));
      this.#line = '';
      at = end + 1;
      if (end !== cr) continue;
      if (text[at] === '\n') at++;
      else this.#afterCr = at === text.length;
    }
    this.#line += text.slice(at);
    return this.#line.length + this.#size <= LARGEST;
  }

  #take(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    switch (field) {
      case 'event':
        this.#event = copyOf(value);
        break;
      case 'data':
        this.#data.push(copyOf(value));
        this.#size += value.length + 1;
        break;
      case 'id':
        if (!value.includes('\0')) this.#id = copyOf(value);
        break;
      case 'retry':
        if (/^\d+$/.test(value)) this.#retry = Number(value);
        break;
    }
  }

  #dispatch(): void {
    const data = this.#data;
    const event = this.#event === '' ? 'message' : this.#event;
    const retry = this.#retry;
    this.#data = [];
    this.#size = 0;
    this.#event = '';
    this.#retry = undefined;
    // An event without data is none; the last id stays.
    if (data.length > 0) this.told({ event, data: data.join('\n'), id: this.#id, retry });
  }
}

/** A part of a text keeps the whole in memory: what is recorded must not. */
function copyOf(part: string): string {
  return Buffer.from(part).toString();
}
