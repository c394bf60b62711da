/**
 * An origin as an exchange sees it. Each protocol implements it.
 * @module
 */
import type { FlowErrorCode } from '../errors.js';
import type { Headers } from '../flow/headers.js';
import type { ServerInfo } from '../flow/types.js';
import type { Framing, ResponseHead } from '../http1/head.js';
import type { WholeContent } from '../http1/writer.js';
import type { BodyEvents, BodyOutlet, BodySource, Written } from '../stream/body.js';
import type { Transport } from '../tcp/transport.js';

export interface OutgoingRequest {
  method: string;
  /** Path and query, or `*`. */
  target: string;
  version: string;
  headers: Headers;
  framing: Framing['kind'];
}

/** A body that is sent in one. */
export type WholeBody = WholeContent;
export type { Written };

/** A connection that was given up for another protocol. */
export interface Detached {
  transport: Transport;
  /** Octets already read from it. */
  rest: Buffer;
}

/** NTLM and Negotiate authenticate a connection, not a request: the origin connection stays with the client's. */
export interface ConnectionPin {
  pinned: OriginStream | undefined;
}

/** What an origin tells of its response. */
export interface OriginEvents extends BodyEvents {
  /** An interim response (1xx), but not 101. */
  informational(head: ResponseHead): void;
  /** The final response, or 101. */
  head(head: ResponseHead): void;
  /** The connection was lost, the stream was reset (`cause` is a StreamReset then), or what came is not HTTP. */
  failed(code: FlowErrorCode, message: string, cause?: unknown): void;
}

/** Where a request goes and its response comes from. */
export interface OriginStream extends BodySource {
  /** `undefined` where a rule or hook answers in the origin's place. */
  readonly info: ServerInfo | undefined;
  /** It is a stream of HTTP/2: trailers always have a place, chunks have none. */
  readonly http2?: boolean;
  /** Not an octet has come back for the request. */
  readonly unanswered?: boolean;
  /** Must be called once, before anything is sent. */
  attach(events: OriginEvents): void;
  send(head: OutgoingRequest): BodyOutlet;
  sendWhole(head: OutgoingRequest, body: WholeBody, written: Written): void;
  /** The exchange is over; with `reusable` another one may use the connection. */
  release(reusable: boolean): void;
  /** Ends it in the middle: `reset` lets go out what was written and ends with RST, `now` (default) drops it. */
  cut(how?: 'now' | 'reset'): void;
  /** Keeps the connection for the client that `pin` belongs to. */
  pinTo(pin: ConnectionPin): void;
  detach(): Detached;
}
