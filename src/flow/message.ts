import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import { messageOf, SluiceError, shown } from '../errors.js';
import { decodeContent, decodeText, encodeContent, mediaType } from './content.js';
import type { EventSearch } from './events.js';
import { Headers } from './headers.js';
import type { EventWait, ServerSentEvent } from './payload-types.js';
import { PieceLog } from './pieces.js';
import { TransferRecord } from './transfer.js';
import type { BodyStatus, HeaderList, HttpRequest, Message, PartRecord, StreamTransform } from './types.js';

const EMPTY = Buffer.alloc(0);
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** What a message needs of its flow. */
export interface MessageOwner {
  /** Leaves a sentence in `flow.warnings`, once. */
  warn(what: string): void;
  /** Waits for an event of its response; `undefined` once no more can come. */
  waitForEvent?(search: EventSearch, options: EventWait): Promise<ServerSentEvent> | undefined;
}

/** The record of a message. The exchange writes it; tests read it, and hooks edit it while it has not been sent. */
export abstract class MessageRecord implements Message {
  readonly transfer = new TransferRecord();
  bodyStatus: BodyStatus = 'pending';
  complete = false;
  /** The head has gone out: it can't be edited any more. */
  headSent = false;
  /** The body, or its last octet, has gone out. */
  bodySent = false;
  /** A body was assigned, so that what was received is not what is sent. */
  bodyEdited = false;
  /** The decision about streaming has been taken. */
  streamDecided = false;
  #stream: boolean | StreamTransform = false;
  /** An explicit `false` of a rule or hook, which a late size check must not undo. */
  streamRefused = false;
  #raw: Buffer = EMPTY;
  #trailers: Headers | undefined;
  #parts: PartRecord[] | undefined;

  constructor(
    /** The flow it is part of. */
    readonly owner: MessageOwner,
    readonly headers: Headers,
    protected readonly kind: 'request' | 'response',
  ) {
    headers.guard(this);
  }

  get stream(): boolean | StreamTransform {
    return this.#stream;
  }

  set stream(value: boolean | StreamTransform) {
    if (typeof value !== 'boolean' && typeof value !== 'function') {
      throw new SluiceError(
        'BAD_MATCH',
        `stream: ${shown(value)} is not accepted; give true, false or a transform`,
      );
    }
    if (this.streamDecided) {
      this.owner.warn(
        `${this.kind}.stream was set after the decision was taken and has no effect; set it in ${this.kind}Headers`,
      );
      return;
    }
    this.#stream = value;
    this.streamRefused = value === false;
  }

  /** Sets the attribute without counting as somebody's wish. */
  streamByDefault(value: boolean): void {
    this.#stream = value;
  }

  /** A buffered body of unknown length has outgrown `streamLargeBodies`. */
  becomeStreamed(): void {
    this.#stream = true;
    this.#raw = EMPTY;
    this.bodyStatus = 'streamed';
  }

  get parts(): PartRecord[] {
    this.#parts ??= [];
    return this.#parts;
  }

  set parts(parts: PartRecord[]) {
    this.#parts = parts;
  }

  get trailers(): Headers | undefined {
    return this.#trailers;
  }

  /** Also takes an object of names to values, as `headers` of `respond()` does. */
  set trailers(value: HeaderList | Record<string, string | string[]> | undefined) {
    if (this.bodySent) {
      this.owner.warn(`${this.kind}.trailers were assigned after the body had been sent and have no effect`);
      return;
    }
    this.#trailers = value === undefined || value instanceof Headers ? value : copyOf(value);
  }

  get rawBody(): Buffer {
    return this.#raw;
  }

  set rawBody(value: Uint8Array | string) {
    if (!this.#bodyMayChange()) return;
    this.#raw = toBuffer(value);
    this.bodyEdited = true;
  }

  get body(): Buffer {
    return decodeContent(this.#raw, this.headers.get('content-encoding'));
  }

  set body(value: Uint8Array | string) {
    if (!this.#bodyMayChange()) return;
    this.#raw = encodeContent(toBuffer(value), this.headers.get('content-encoding'));
    this.bodyEdited = true;
  }

  text(): string {
    return decodeText(this.body, this.headers.get('content-type'));
  }

  json<T = unknown>(): T {
    const text = this.text();
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const why = this.bodyStatus === 'streamed' ? ' (the body was streamed, so it was not recorded)' : '';
      throw new SluiceError(
        'BAD_BODY',
        `the ${this.kind} body is not JSON${why}: ${messageOf(error)}; it begins ${shown(text.slice(0, 80))}`,
        { cause: error },
      );
    }
  }

  async formData(): Promise<FormData> {
    const type = mediaType(this.headers.get('content-type'));
    if (type !== 'multipart/form-data' && type !== 'application/x-www-form-urlencoded') {
      throw new SluiceError(
        'BAD_BODY',
        `the ${this.kind} body is ${shown(type)}; formData() reads multipart/form-data and application/x-www-form-urlencoded`,
      );
    }
    if (this.bodyStatus === 'streamed') {
      throw new SluiceError(
        'BAD_BODY',
        `the ${this.kind} body was streamed, so it was not recorded; \`parts\` has what was counted of a multipart one`,
      );
    }
    try {
      const contentType = this.headers.get('content-type') ?? '';
      return await new Response(new Uint8Array(this.body), {
        headers: { 'content-type': contentType },
      }).formData();
    } catch (error) {
      throw new SluiceError('BAD_BODY', `the ${this.kind} body is not valid ${type}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** The request line or the status line, without the version. */
  protected abstract startLine(): string;

  toString(): string {
    return this.startLine();
  }

  /** What `console.log` shows: the message, not the machinery. The body is left to whoever asks for it. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    const { headers, bodyStatus, complete, transfer } = this;
    return `${this.startLine()} ${inspect({ headers, bodyStatus, complete, bytes: transfer.received.bytes }, options)}`;
  }

  /** Nobody edits the message any more, and nobody may ever look at it. */
  settle(): void {
    this.headSent = true;
    this.bodySent = true;
    this.headers.compact();
  }

  /** Records a body that was received whole, or as far as it came. */
  record(raw: Buffer, digest: boolean): void {
    this.#raw = raw;
    this.bodyStatus = 'recorded';
    if (digest) this.transfer.digestLater(raw, this.headers.get('content-encoding'));
  }

  /**
   * The recorded body has been sent, `raw` of it.
   * @param oneChunk it left as one chunk, whatever chunks it came in
   */
  sentWhole(raw: Buffer, oneChunk: boolean, digest: boolean): void {
    if (!this.bodyEdited && !oneChunk) {
      this.transfer.sentAsReceived();
      return;
    }
    const { sent } = this.transfer;
    sent.bytes = raw.length;
    if (oneChunk && raw.length > 0) {
      const log = new PieceLog();
      log.addPiece(raw.length);
      sent.follow(log);
    }
    sent.end();
    if (digest) sent.digestLater(raw, this.headers.get('content-encoding'));
  }

  /** Whether the head can still be edited; leaves a warning if not. */
  headMayChange(what: string): boolean {
    if (!this.headSent) return true;
    this.owner.warn(
      `${this.kind}.${what} was edited after the head had been sent and the edit has no effect; edit it in ${this.kind}Headers`,
    );
    return false;
  }

  #bodyMayChange(): boolean {
    const pending = this.bodyStatus === 'pending';
    if (this.bodyStatus === 'streamed' || (pending && this.#stream !== false)) {
      this.owner.warn(`${this.kind}.body was assigned, but the body is streamed: the edit has no effect`);
      return false;
    }
    if (pending) {
      this.owner.warn(
        `${this.kind}.body was assigned before the body had come: the edit has no effect; assign it in ${this.kind}`,
      );
      return false;
    }
    if (this.bodySent || this.headSent) {
      this.owner.warn(`${this.kind}.body was assigned after it had been sent: the edit has no effect`);
      return false;
    }
    return true;
  }
}

export class RequestRecord extends MessageRecord implements HttpRequest {
  #method: string;
  #url: string;
  /** A hook set `url`: the request goes where it says. */
  rerouted = false;

  constructor(owner: MessageOwner, head: { method: string; url: string; version: string; headers: Headers }) {
    super(owner, head.headers, 'request');
    this.#method = head.method;
    this.#url = head.url;
    this.httpVersion = head.version;
  }

  readonly httpVersion: string;

  protected override startLine(): string {
    return `${this.#method} ${this.#url}`;
  }

  get method(): string {
    return this.#method;
  }

  set method(value: string) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(value)) {
      throw new SluiceError('BAD_HEADER', `${shown(value)} is not a method; a token such as GET is`);
    }
    if (this.headMayChange('method')) this.#method = value;
  }

  get url(): string {
    return this.#url;
  }

  set url(value: string) {
    const socket = /^wss?:/.test(this.#url);
    if (!URL.canParse(value) || !(socket ? /^(?:http|ws)s?:/i : /^https?:/i).test(value)) {
      const accepted = socket ? 'ws: or wss:' : 'http: or https:';
      throw new SluiceError('BAD_HEADER', `${shown(value)} is not an absolute ${accepted} URL`);
    }
    if (!this.headMayChange('url')) return;
    const url = new URL(socket ? value.replace(/^http/i, 'ws') : value);
    url.hash = '';
    this.#url = url.href;
    this.headers.set('Host', url.host);
    this.rerouted = true;
  }

  get path(): string {
    return pathOf(this.#url);
  }

  set path(value: string) {
    if (!/^\/[\x21\x22\x24-\x7e\x80-\xff]*$/.test(value)) {
      throw new SluiceError(
        'BAD_HEADER',
        `${shown(value)} is not a path; it begins with / and has no spaces and no #`,
      );
    }
    if (this.headMayChange('path'))
      this.#url = this.#url.slice(0, this.#url.length - this.path.length) + value;
  }
}

/** Path and query of an absolute URL, as they stand in it. */
export function pathOf(url: string): string {
  const authority = url.indexOf('://') + 3;
  const slash = url.indexOf('/', authority);
  const query = url.indexOf('?', authority);
  if (slash === -1 || (query !== -1 && query < slash)) return query === -1 ? '/' : `/${url.slice(query)}`;
  return url.slice(slash);
}

function toBuffer(value: Uint8Array | string): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (!(value instanceof Uint8Array)) {
    throw new SluiceError('BAD_BODY', `${shown(value)} is not a body; a string, Buffer or Uint8Array is`);
  }
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function copyOf(list: HeaderList | Record<string, string | string[]>): Headers {
  if (!(Symbol.iterator in list)) return Headers.from(list as Record<string, string | string[]>);
  const headers = new Headers();
  for (const [name, value] of list as HeaderList) headers.append(name, value);
  return headers;
}
