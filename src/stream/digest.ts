import { createHash, type Hash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { contentDecoders } from '../flow/content.js';

/** Octets a decoder may have waiting before the source is stopped. */
const MAX_WAITING = 1024 * 1024;

/**
 * Counts and digests the content of a body with a Content-Encoding while its encoded octets pass by. It decodes on
 * Node's thread pool, so it can fall behind: `write` then returns false until `onDrain`.
 */
export class ContentDigest {
  onDrain: (() => void) | undefined;
  readonly #decoders: Transform[];
  readonly #hash: Hash = createHash('sha256');
  readonly #result: Promise<{ bytes: number; sha256: string } | undefined>;
  #bytes = 0;
  /** Nothing more is decoded: it failed, or the content ended before the octets did. */
  #over = false;

  private constructor(first: Transform, decoders: Transform[]) {
    this.#decoders = decoders;
    const last = decoders.at(-1) ?? first;
    this.#result = new Promise((resolve) => {
      const fail = () => {
        this.#stop();
        resolve(undefined);
      };
      for (const [i, decoder] of decoders.entries()) {
        decoder.on('error', fail);
        const next = decoders[i + 1];
        if (next !== undefined) decoder.pipe(next);
      }
      last.on('data', (content: Buffer) => {
        this.#bytes += content.length;
        this.#hash.update(content);
      });
      last.on('end', () => {
        this.#stop();
        resolve({ bytes: this.#bytes, sha256: this.#hash.digest('hex') });
      });
    });
    first.on('drain', () => this.onDrain?.());
  }

  /** `undefined` if there is nothing to decode, or a coding that this Node does not know. */
  static for(contentEncoding: string | undefined): ContentDigest | undefined {
    const decoders = contentEncoding === undefined ? undefined : contentDecoders(contentEncoding);
    const first = decoders?.[0];
    return decoders === undefined || first === undefined ? undefined : new ContentDigest(first, decoders);
  }

  /** @param bytes stay as they are until decoded: give a copy of what is used again */
  write(bytes: Buffer): boolean {
    const first = this.#decoders[0];
    if (this.#over || first === undefined) return true;
    first.write(bytes);
    return first.writableLength < MAX_WAITING;
  }

  /** The body is over: the content's count and digest, or `undefined` if it could not be decoded. */
  finish(): Promise<{ bytes: number; sha256: string } | undefined> {
    if (!this.#over) this.#decoders[0]?.end();
    return this.#result;
  }

  /** The body will not be completed. */
  destroy(): void {
    for (const decoder of this.#decoders) decoder.destroy();
  }

  #stop(): void {
    this.#over = true;
    this.destroy();
    this.onDrain?.();
  }
}
