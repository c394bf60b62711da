import { createHash, type Hash } from 'node:crypto';
import type { MessageRecord } from '../flow/message.js';
import type { Digest, SideRecord } from '../flow/transfer.js';
import { ContentDigest } from './digest.js';
import type { EventTap } from './event-tap.js';
import { MultipartTap } from './multipart.js';

/** What a tap is to compute. */
export interface TapWishes {
  /** SHA-256 of the octets, and count and digest of the content. */
  body: boolean;
  /** Names and counts of a multipart body's parts ... */
  parts: boolean;
  /** ... and their digests. */
  partDigests: boolean;
}

/**
 * Everything that is computed from a body's octets in passing: digest, content digest, parts, events. It never holds the
 * body back for longer than the slowest of them needs.
 */
export class Taps {
  /** Told when a `write` that returned false may go on. */
  onDrain: (() => void) | undefined;
  #hash: Hash | undefined;
  /** Octets that went into it. */
  #octets = 0;
  /** What came of it. */
  #digest: Digest | undefined;
  readonly #content: ContentDigest | undefined;
  readonly #multipart: MultipartTap | undefined;

  constructor(
    private readonly message: MessageRecord,
    private readonly side: SideRecord,
    wishes: TapWishes,
    /** Of an event stream. */
    private readonly events?: EventTap,
  ) {
    const { headers } = message;
    this.#hash = wishes.body ? createHash('sha256') : undefined;
    this.#content = wishes.body ? ContentDigest.for(headers.get('content-encoding')) : undefined;
    this.#multipart = wishes.parts
      ? MultipartTap.for(headers.get('content-type'), wishes.partDigests)
      : undefined;
    if (this.#content !== undefined) this.#content.onDrain = () => this.onDrain?.();
    if (this.#multipart !== undefined) message.parts = this.#multipart.parts;
  }

  /** Whether `write` does anything at all. */
  get idle(): boolean {
    const { events } = this;
    return !this.#hash && !this.#content && !this.#multipart && !events;
  }

  /** @param bytes valid during the call only. Returns false when the source should wait for `onDrain`. */
  write(bytes: Buffer): boolean {
    if (this.#hash !== undefined) {
      this.#hash.update(bytes);
      this.#octets += bytes.length;
    }
    this.events?.write(bytes);
    if (this.#content === undefined && this.#multipart === undefined) return true;
    const kept = Buffer.from(bytes);
    this.#multipart?.write(kept);
    return this.#content?.write(kept) ?? true;
  }

  /** The body ended normally. Returns a promise only if something is still being computed. */
  finish(): Promise<void> | undefined {
    this.side.setSha256(this.passed()?.sha256);
    const events = this.events?.finish();
    if (this.#content === undefined && this.#multipart === undefined) return events;
    return this.#finishSlow(events);
  }

  /** Count and digest of what has passed. Nothing may be written after that. */
  passed(): Digest | undefined {
    if (this.#hash !== undefined) {
      this.#digest = { bytes: this.#octets, sha256: this.#hash.digest('hex') };
      this.#hash = undefined;
    }
    return this.#digest;
  }

  /** The side will not end normally: what is known of it is about its beginning. */
  cut(): void {
    this.side.cut(this.passed());
    this.destroy();
  }

  /** Nothing more is of interest. */
  destroy(): void {
    this.#content?.destroy();
    this.#multipart?.destroy();
    this.events?.destroy();
  }

  async #finishSlow(events: Promise<void> | undefined): Promise<void> {
    const [content, parts] = await Promise.all([this.#content?.finish(), this.#multipart?.finish(), events]);
    this.side.setDecoded(content);
    if (parts !== undefined) this.message.parts = parts;
  }
}
