/**
 * A terminal, as far as the command asks for one.
 * @module
 */
import { Writable } from 'node:stream';

/** What is on a screen after what was written to it. Lines that are too long are wrapped; nothing is scrolled away. */
export class Terminal extends Writable {
  readonly isTTY = true;
  #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(
    public columns = 80,
    public rows = 24,
  ) {
    super({ decodeStrings: false });
  }

  /** The lines, without blanks at their ends and empty ones at the end. */
  get screen(): string[] {
    const lines = this.#lines.map((line) => line.trimEnd());
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  /** Makes it narrower or wider, as terminals do that wrap what is there anew. */
  resize(columns: number): void {
    const before = this.#lines.slice(0, this.#row);
    const rows = before.flatMap((line) => line.trimEnd().match(new RegExp(`.{1,${columns}}`, 'g')) ?? ['']);
    this.#lines = [...rows, ''];
    this.#row = rows.length;
    this.#column = 0;
    this.columns = columns;
  }

  override _write(chunk: string | Buffer, _: BufferEncoding, done: () => void): void {
    const token = /\x1b\[(\d*)([A-Za-z])|[\s\S]/gu;
    for (const [text, count = '', command] of String(chunk).matchAll(token)) {
      if (command === undefined) this.#put(text);
      else this.#obey(command, count);
    }
    done();
  }

  #put(char: string): void {
    if (char === '\n') {
      this.#row++;
      this.#column = 0;
    } else if (char === '\r') {
      this.#column = 0;
    } else {
      if (this.#column === this.columns) this.#put('\n');
      const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
      this.#lines[this.#row] = line.slice(0, this.#column) + char + line.slice(this.#column + 1);
      this.#column++;
    }
    this.#lines[this.#row] ??= '';
  }

  #obey(command: string, count: string): void {
    if (command === 'm') return;
    if (command === 'A') {
      this.#row = Math.max(0, this.#row - Number(count || 1));
    } else if (command === 'J' && count === '0') {
      this.#lines.length = this.#row + 1;
      this.#lines[this.#row] = (this.#lines[this.#row] ?? '').slice(0, this.#column);
    } else {
      throw new Error(`this terminal does not know ESC [ ${count} ${command}`);
    }
  }
}
