import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { STATUS_CODES } from 'node:http';
import { lookup } from 'mrmime';
import { messageOf, SluiceError, shown } from '../errors.js';
import { Headers } from '../flow/headers.js';
import type { RespondInit } from '../flow/types.js';
import type { Framing } from '../http1/head.js';
import type {
  Detached,
  OriginEvents,
  OriginStream,
  OutgoingRequest,
  WholeBody,
  Written,
} from '../origin/stream.js';
import type { BodyOutlet } from '../stream/body.js';

const KEYS = ['status', 'headers', 'contentType', 'json', 'body', 'path'];

/** @throws SluiceError BAD_RESPONSE for anything that can't be an answer */
export function checkRespondInit(init: RespondInit): void {
  const refuse = (what: string): never => {
    throw new SluiceError('BAD_RESPONSE', `respond: ${what}`);
  };
  if (typeof init !== 'object' || init === null)
    refuse(`${shown(init)} is not an answer; give { status?, json?, ... }`);
  for (const key of Object.keys(init)) {
    if (!KEYS.includes(key)) refuse(`unknown key ${shown(key)}; accepted are ${KEYS.join(', ')}`);
  }
  const { status = 200, body, path, contentType, json } = init;
  if (!Number.isInteger(status) || status < 200 || status > 599)
    refuse(`status ${shown(status)}; 200 to 599 is accepted`);
  if ([json, body, path].filter((source) => source !== undefined).length > 1)
    refuse('give one of json, body and path');
  const isBody = typeof body === 'string' || body instanceof Uint8Array || isAsyncIterable(body);
  if (body !== undefined && !isBody)
    refuse(`body ${shown(body)}; a string, Uint8Array or async iterable is accepted`);
  if (path !== undefined && typeof path !== 'string')
    refuse(`path ${shown(path)}; a file's path is accepted`);
  if (contentType !== undefined && typeof contentType !== 'string')
    refuse(`contentType ${shown(contentType)}`);
  Headers.from(init.headers ?? {});
}

/** An answer that a rule or hook gives, in the shape of an origin, so that it takes a response's whole way. */
export class AnswerStream implements OriginStream {
  readonly info = undefined;
  /** The answer is made piece by piece: it streams by default. */
  readonly streams: boolean;
  #events: OriginEvents | undefined;
  #begun = false;
  #cut = false;
  #paused = false;
  #resumed: (() => void) | undefined;

  constructor(
    private readonly init: RespondInit,
    private readonly method: string,
    /** The client speaks HTTP/2, and so does whoever answers it. */
    readonly http2: boolean,
  ) {
    this.streams = isAsyncIterable(init.body);
  }

  attach(events: OriginEvents): void {
    this.#events = events;
  }

  /** The request's body is not wanted, but counted: the answer comes when it is over. */
  send(_head: OutgoingRequest): BodyOutlet {
    const taken = (_bytes: Buffer, written: Written): boolean => {
      written();
      return true;
    };
    return {
      onDrain: undefined,
      raw: taken,
      piece: taken,
      end: (_lastLine, _trailers, written) => {
        written();
        this.begin();
      },
    };
  }

  sendWhole(_head: OutgoingRequest, _body: WholeBody, written: Written): void {
    written();
    this.begin();
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#respond().catch((error: unknown) => {
      if (!this.#cut)
        this.#events?.failed('RULE_FAILED', `the answer could not be given: ${messageOf(error)}`, error);
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#resumed?.();
  }

  lend(): () => void {
    return () => undefined;
  }

  release(): void {
    this.#cut = true;
  }

  cut(): void {
    this.#cut = true;
    this.resume();
  }

  pinTo(): void {
    // Nothing to pin.
  }

  detach(): Detached {
    throw new Error('an answer is not a connection');
  }

  async #respond(): Promise<void> {
    const { init } = this;
    const headers = Headers.from(init.headers ?? {});
    const type = init.contentType ?? defaultType(init);
    if (type !== undefined && !headers.has('content-type')) headers.set('Content-Type', type);
    const status = init.status ?? 200;
    if (status === 204 || status === 304) {
      // RFC 9110 section 8.6 and RFC 9112 section 6.1: not even the fields that speak of a body.
      await this.#send(status, headers, { kind: 'none' }, []);
      return;
    }
    if (init.body !== undefined && isAsyncIterable(init.body)) {
      if (!this.http2) headers.set('Transfer-Encoding', 'chunked');
      await this.#send(status, headers, { kind: this.http2 ? 'frames' : 'chunked' }, init.body);
      return;
    }
    if (init.path !== undefined) {
      const { size } = await stat(init.path);
      headers.set('Content-Length', String(size));
      await this.#send(status, headers, lengthFraming(size), contentOf(init.path));
      return;
    }
    const bytes = wholeBody(init);
    headers.set('Content-Length', String(bytes.length));
    await this.#send(status, headers, lengthFraming(bytes.length), [bytes]);
  }

  async #send(
    status: number,
    headers: Headers,
    framing: Framing,
    body: AsyncIterable<string | Uint8Array> | Iterable<Buffer>,
  ): Promise<void> {
    const events = this.#events;
    if (events === undefined || this.#cut) return;
    const bodiless = this.method === 'HEAD' || framing.kind === 'none';
    const statusText = this.http2 ? '' : (STATUS_CODES[status] ?? '');
    events.head({
      status,
      statusText,
      version: this.http2 ? '2.0' : '1.1',
      headers,
      framing: bodiless ? { kind: 'none' } : framing,
      keepAlive: true,
    });
    await this.#unpaused();
    if (!bodiless) {
      for await (const piece of body) {
        await this.#unpaused();
        if (this.#cut) return;
        const bytes = typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece);
        if (bytes.length > 0) this.#tell(events, bytes, framing);
      }
      await this.#unpaused();
    }
    if (!this.#cut) events.end(undefined, undefined);
  }

  #tell(events: OriginEvents, bytes: Buffer, framing: Framing): void {
    if (framing.kind !== 'chunked') {
      events.data(bytes, 0, bytes.length);
      events.wire(bytes, 0, bytes.length);
      return;
    }
    const line = Buffer.from(bytes.length.toString(16));
    const wire = Buffer.concat([line, CRLF, bytes, CRLF]);
    events.chunk(bytes.length, line);
    events.data(bytes, 0, bytes.length);
    events.wire(wire, 0, wire.length);
  }

  #unpaused(): Promise<void> | undefined {
    if (!this.#paused) return undefined;
    return new Promise((resolve) => {
      this.#resumed = () => {
        this.#resumed = undefined;
        resolve();
      };
    });
  }
}

const CRLF = Buffer.from('\r\n');

/** Opens the file when the first octet is asked for: for HEAD none is. */
async function* contentOf(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: 256 * 1024 });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<string | Uint8Array> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

function lengthFraming(length: number): Framing {
  return length === 0 ? { kind: 'none' } : { kind: 'length', length };
}

function wholeBody(init: RespondInit): Buffer {
  if (init.json !== undefined) return Buffer.from(JSON.stringify(init.json));
  if (typeof init.body === 'string') return Buffer.from(init.body);
  return init.body instanceof Uint8Array ? Buffer.from(init.body) : Buffer.alloc(0);
}

function defaultType(init: RespondInit): string | undefined {
  if (init.json !== undefined) return 'application/json';
  if (init.path !== undefined) return lookup(init.path) ?? 'application/octet-stream';
  return typeof init.body === 'string' ? 'text/plain; charset=utf-8' : undefined;
}
