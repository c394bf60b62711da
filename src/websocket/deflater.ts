import { constants, createDeflateRaw, type DeflateRaw } from 'node:zlib';
import type { DeflateSide } from './extensions.js';

/** zlib can't write raw deflate for the smallest window. */
const SMALLEST_WINDOW = 9;

/** Compresses messages of one direction that a hook has changed, one after another. */
export class Deflater {
  readonly #stream: DeflateRaw;
  readonly #flush: number;
  #output: Buffer[] = [];
  #done: ((error: Error | undefined, bytes: Buffer) => void) | undefined;

  constructor(side: DeflateSide) {
    this.#stream = createDeflateRaw({ windowBits: side.windowBits });
    // A full flush forgets the context.
    this.#flush = side.noContextTakeover ? constants.Z_FULL_FLUSH : constants.Z_SYNC_FLUSH;
    this.#stream.on('data', (bytes: Buffer) => this.#output.push(bytes));
    this.#stream.on('error', (error) => this.#finish(error));
  }

  /** Whether messages of that direction can be compressed here; they may always go uncompressed. */
  static canWrite(side: DeflateSide): boolean {
    return side.windowBits >= SMALLEST_WINDOW;
  }

  /** One at a time. */
  compress(data: Buffer, done: (error: Error | undefined, bytes: Buffer) => void): void {
    this.#done = done;
    this.#stream.write(data);
    this.#stream.flush(this.#flush, () => this.#finish(undefined));
  }

  close(): void {
    this.#done = undefined;
    this.#stream.close();
  }

  #finish(error: Error | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    const output = Buffer.concat(this.#output);
    this.#output = [];
    // Without the four octets that every flush ends with (RFC 7692 section 7.2.1).
    done?.(error, output.subarray(0, output.length - 4));
  }
}
