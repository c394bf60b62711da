/**
 * Where the command writes to: lines on standard output and standard error, and on a terminal a foot below them that is
 * drawn anew as often as need be.
 * @module
 */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';

/** A stream that may be a terminal. */
export type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>;

/** Marks up text, or leaves it as it is. */
export interface Paint {
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
  dim(text: string): string;
}

const CODES = { red: 31, yellow: 33, green: 32, dim: 2 };

/** Colours on a terminal, unless NO_COLOR (no-color.org) or a terminal that knows none says otherwise. */
export function paintFor(output: Output, env: NodeJS.ProcessEnv): Paint {
  const { NO_COLOR = '', TERM } = env;
  const isOn = output.isTTY === true && NO_COLOR === '' && TERM !== 'dumb';
  const style = (code: number) => (text: string) =>
    isOn && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  return {
    red: style(CODES.red),
    yellow: style(CODES.yellow),
    green: style(CODES.green),
    dim: style(CODES.dim),
  };
}

/** Standard output and standard error of the command. */
export class Screen {
  /** What is drawn below the last line. */
  #foot: string[] = [];

  constructor(
    private readonly out: Output,
    private readonly err: Output,
  ) {}

  /** Whether a foot can be drawn: what escape codes move must be a terminal. */
  get hasFoot(): boolean {
    return this.out.isTTY === true && process.env.TERM !== 'dumb';
  }

  /** How many characters fit in a line of the foot; the last column is left free, or some terminals would wrap. */
  get width(): number {
    return Math.max(1, this.#columns - 1);
  }

  /** How many lines the foot may have. */
  get height(): number {
    return Math.max(1, (this.out.rows || 24) - 2);
  }

  /** A line on standard output, above the foot. */
  line(text: string): void {
    this.#above(this.out, `${text}\n`);
  }

  /** A line on standard error, above the foot. */
  note(text: string): void {
    this.#above(this.err, `${text}\n`);
  }

  /** Draws the foot anew; none of no lines. */
  draw(lines: string[]): void {
    if (!this.hasFoot || (lines.length === 0 && this.#foot.length === 0)) return;
    const before = this.#wiped();
    this.#foot = lines;
    this.out.write(before + this.#drawn());
  }

  /** A console that writes above the foot. */
  console(): Console {
    const above = (output: Output) =>
      new Writable({
        write: (chunk, _, done) => {
          this.#above(output, String(chunk));
          done();
        },
      });
    return new Console({ stdout: above(this.out), stderr: above(this.err), colorMode: this.hasFoot });
  }

  /** A terminal that was not told its size says 0. */
  get #columns(): number {
    return this.out.columns || 80;
  }

  #above(output: Output, text: string): void {
    if (this.#foot.length === 0) {
      output.write(text);
    } else if (output === this.out) {
      this.out.write(this.#wiped() + text + this.#drawn());
    } else {
      this.out.write(this.#wiped());
      output.write(text);
      this.out.write(this.#drawn());
    }
  }

  /** The cursor is below the foot, in the first column. */
  #drawn(): string {
    return this.#foot.map((line) => `${line}\n`).join('');
  }

  /** Moves to the foot's first line and clears from there on. A narrower terminal may have wrapped its lines by now. */
  #wiped(): string {
    const rows = this.#foot.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(line.length / this.#columns)),
      0,
    );
    return rows === 0 ? '' : `\r\x1b[${rows}A\x1b[0J`;
  }
}
