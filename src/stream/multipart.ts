import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import { mediaType } from '../flow/content.js';
import type { PartRecord } from '../flow/types.js';

/** The parser takes no longer ones. RFC 2046 section 5.1.1 allows 70. */
const MAX_BOUNDARY = 252;

type PartHeaders = Record<string, string[] | undefined>;

/** Counts and digests the parts of a multipart body (RFC 2046 section 5.1) while its octets pass by. */
export class MultipartTap {
  readonly parts: PartRecord[] = [];
  readonly #dicer: Dicer;
  readonly #done: Promise<void>;
  #failed = false;

  private constructor(boundary: string, digest: boolean) {
    this.#dicer = new Dicer({ boundary });
    this.#done = new Promise((resolve) => {
      this.#dicer.on('finish', resolve);
      // A malformed body goes through all the same; the parts seen so far are what is known of it.
      this.#dicer.on('error', () => {
        this.#failed = true;
        resolve();
      });
    });
    this.#dicer.on('part', (part: Readable) => this.#follow(part, digest));
  }

  /** `undefined` if `contentType` is not multipart with a boundary that can be looked for. */
  static for(contentType: string | undefined, digest: boolean): MultipartTap | undefined {
    if (contentType === undefined || !mediaType(contentType).startsWith('multipart/')) return undefined;
    const match = /;\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))/i.exec(contentType);
    const boundary = match?.[1] ?? match?.[2];
    if (boundary === undefined || boundary.length > MAX_BOUNDARY) return undefined;
    return new MultipartTap(boundary, digest);
  }

  /** @param bytes stay as they are until parsed: give a copy of what is used again */
  write(bytes: Buffer): void {
    if (!this.#failed) this.#dicer.write(bytes);
  }

  /** The body is over; resolves when every part has its digest. */
  async finish(): Promise<PartRecord[]> {
    if (!this.#failed) this.#dicer.end();
    await this.#done;
    return this.parts;
  }

  destroy(): void {
    this.#failed = true;
    this.#dicer.destroy();
  }

  #follow(part: Readable, digest: boolean): void {
    const record: PartRecord = { bytes: 0 };
    this.parts.push(record);
    const hash = digest ? createHash('sha256') : undefined;
    part.on('header', (headers: PartHeaders) => {
      const disposition = headers['content-disposition']?.[0];
      record.name = parameter(disposition, 'name');
      record.filename = parameter(disposition, 'filename');
      record.contentType = headers['content-type']?.[0];
    });
    part.on('data', (bytes: Buffer) => {
      record.bytes += bytes.length;
      hash?.update(bytes);
    });
    part.on('end', () => {
      if (hash !== undefined) record.sha256 = hash.digest('hex');
    });
    part.on('error', () => {
      this.#failed = true;
    });
  }
}

/** A parameter of Content-Disposition, as browsers write it (HTML's form encoding: %22, %0D, %0A). */
function parameter(disposition: string | undefined, name: string): string | undefined {
  if (disposition === undefined) return undefined;
  const extended = new RegExp(`;\\s*${name}\\*\\s*=\\s*utf-8''([^;\\s]+)`, 'i').exec(disposition)?.[1];
  if (extended !== undefined) return decodeURIComponentOr(extended);
  const match = new RegExp(`;\\s*${name}\\s*=\\s*(?:"((?:\\\\"|[^"])*)"|([^;\\s]+))`, 'i').exec(disposition);
  const value = match?.[1] ?? match?.[2];
  if (value === undefined) return undefined;
  return value.replace(/%22/g, '"').replace(/%0D/gi, '\r').replace(/%0A/gi, '\n').replace(/\\"/g, '"');
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
