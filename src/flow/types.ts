/**
 * What a test sees of a flow. The classes behind these interfaces are in this folder; nothing here has behaviour.
 * @module
 */
import type { FlowError } from '../errors.js';
import type { EventWait, ServerSentEvent, ServerSentEventMatch, WebSocketData } from './payload-types.js';

/**
 * An ordered list of fields (RFC 9110 section 5): names compare without case, order, case and duplicates are kept as
 * they came. Assignments after the head has gone out change nothing and leave a warning on the flow.
 */
export interface HeaderList {
  /** The field's values joined with `, `, or `undefined`. */
  get(name: string): string | undefined;
  /** Each of the field's values, in order. */
  getAll(name: string): string[];
  has(name: string): boolean;
  /** Replaces the field where it first stands (or adds it at the end). @throws SluiceError BAD_HEADER */
  set(name: string, value: string | string[]): void;
  /** Adds a field line at the end. @throws SluiceError BAD_HEADER */
  append(name: string, value: string): void;
  delete(name: string): void;
  [Symbol.iterator](): Iterator<[string, string]>;
}

/** The pieces in which a body moved. */
export interface Pieces {
  /** How many pieces. Exact, also when the log was truncated. */
  readonly count: number;
  /** Each piece's size in octets. With `truncated`, those that the log still holds. */
  sizes(): number[];
  /** The same, run-length encoded: `[[4096, 2], [1808, 1]]`. */
  readonly runs: [size: number, times: number][];
  /** The log stopped after 4096 runs; `count` goes on. */
  readonly truncated: boolean;
}

/** One side of a body's way through the proxy. Octets without framing. */
export interface Side {
  /** `received`: read from the peer; `sent`: handed to the socket and its write callback fired. */
  readonly bytes: number;
  /** SHA-256, lower-case hex, of those bytes. Only if the side ended normally and `digest` is not `false`. */
  readonly sha256?: string | undefined;
  /** The same of the content-decoded bytes, if the message has a Content-Encoding that was understood. */
  readonly decoded?: { readonly bytes: number; readonly sha256: string } | undefined;
  /** Of a streamed body that was cut: what passed. Absent if `digest` is `false`, or not all that was written was sent. */
  readonly partial?: { readonly bytes: number; readonly sha256: string } | undefined;
  readonly pieces: Pieces;
}

/** What is known of a body's transfer, recorded or not. Times are milliseconds since the epoch, with fractions. */
export interface Transfer {
  readonly received: Side;
  readonly sent: Side;
  /** The head had come. */
  readonly startedAt: number;
  /** The body's first octet had come; absent without a body. */
  readonly firstByteAt?: number | undefined;
  /** The last octet had been sent on, or the flow failed; absent until then. */
  readonly endedAt?: number | undefined;
}

/** A part of a multipart body: what was counted while it passed. */
export interface PartRecord {
  name?: string;
  filename?: string;
  contentType?: string;
  /** Octets of its content, without its header. */
  bytes: number;
  /** SHA-256, lower-case hex, of these. Absent with `digest: false`, and where the part was cut short. */
  sha256?: string | undefined;
}

/** What a transform is told besides the pieces. */
export interface TransformContext {
  flow: HttpFlow;
  message: HttpRequest | HttpResponse;
  /** Aborted when the message is. */
  signal: AbortSignal;
}

/**
 * Wraps the generator that yields all pieces of a body: change, drop, add, split, delay, stop or tee them.
 * The bytes are as they were sent (content-encoded); wrap it in `decoded` to see the content.
 */
export type StreamTransform = (
  pieces: AsyncIterable<Buffer>,
  context: TransformContext,
) => AsyncIterable<Uint8Array | string>;

/** How a message's body went through. */
export type BodyStatus = 'pending' | 'recorded' | 'streamed';

/** What a request and a response have in common. */
export interface Message {
  readonly headers: HeaderList;
  /**
   * Fields after a chunked body, or after any in HTTP/2; present once they arrived, or once assigned, as a list or an
   * object of them.
   */
  get trailers(): HeaderList | undefined;
  set trailers(value: HeaderList | Record<string, string | string[]> | undefined);
  /**
   * `false`: buffered and recorded; `true`: passed on as it arrives and not recorded; or a transform. Decided before
   * the first body byte, at the latest in the `requestHeaders` / `responseHeaders` hook.
   */
  stream: boolean | StreamTransform;
  /** The content-decoded body; empty if streamed. Assigning encodes it again and fixes Content-Length. */
  get body(): Buffer;
  set body(value: Uint8Array | string);
  /** The body as it was sent, transfer-decoded. Assigning leaves Content-Encoding to the caller. */
  get rawBody(): Buffer;
  set rawBody(value: Uint8Array | string);
  /** `body` as text, in the charset of Content-Type (UTF-8 by default). */
  text(): string;
  /** `body` as JSON. @throws SluiceError BAD_BODY with the text's beginning */
  json<T = unknown>(): T;
  /** `body` as form data, multipart or urlencoded. @throws SluiceError BAD_BODY */
  formData(): Promise<FormData>;
  readonly bodyStatus: BodyStatus;
  /** The message was received and sent on to its end. */
  readonly complete: boolean;
  /** The parts of a multipart body. */
  readonly parts: PartRecord[];
  readonly transfer: Transfer;
}

export interface HttpRequest extends Message {
  /** Assigning throws SluiceError BAD_HEADER for what is no token. */
  method: string;
  /**
   * Absolute; of a WebSocket handshake it starts with `ws:` or `wss:`. Assigning re-routes the request and rewrites Host;
   * throws SluiceError BAD_HEADER for another URL.
   */
  url: string;
  /** Path and query of `url`. Assigning keeps the rest; throws SluiceError BAD_HEADER for what is no path. */
  path: string;
  /** `1.0`, `1.1` or `2.0`, as the client spoke. */
  readonly httpVersion: string;
}

export interface HttpResponse extends Message {
  /** Assigning throws SluiceError BAD_HEADER for what is not from 200 to 999. */
  status: number;
  /** The reason phrase; empty in HTTP/2. Assigning throws SluiceError BAD_HEADER for what is not latin1 on one line. */
  statusText: string;
  /** `1.0`, `1.1` or `2.0`, as the origin spoke. */
  readonly httpVersion: string;
  /**
   * The events of a `text/event-stream` response, from its head on and streamed or not, as far as they have been sent;
   * each is here before its octets go out. Of a recorded response: those of `body`. `undefined` for other types.
   */
  readonly events?: ServerSentEvent[] | undefined;
  /**
   * `events` has only the first: there were more than 10 000, or than 64 MiB of text, one of over 16 MiB, or what could
   * not be decoded.
   */
  readonly eventsTruncated: boolean;
  /**
   * Waits for an event, as `toHaveEvent` compares its `data`. Events that came before count.
   * @throws SluiceError WAIT_TIMEOUT, or WAIT_ENDED if no more can come, with the events that were seen; BAD_MATCH or
   * BAD_OPTION
   */
  waitForEvent(match: ServerSentEventMatch, options?: EventWait): Promise<ServerSentEvent>;
}

/** An interim response (1xx) that came before the final one. */
export interface HttpInformational {
  status: number;
  statusText: string;
  headers: HeaderList;
  /** Milliseconds since the epoch, with fractions. */
  timestamp: number;
}

/** The client's side of a connection. */
export interface ClientInfo {
  /** Unique in its proxy. */
  readonly id: number;
  readonly address: string;
  readonly port: number;
  /** The CONNECT authority, if the client opened a tunnel. */
  readonly tunnel?: string | undefined;
  readonly tls: boolean;
  /** The server name the client sent in its TLS hello. */
  readonly sni?: string | undefined;
  /** Octets from the client, and to it, in a tunnel that passes unrecorded; there once its origin is. */
  readonly passthrough?: { readonly up: number; readonly down: number } | undefined;
}

/** The origin's side of a connection. */
export interface ServerInfo {
  /** The address that was connected to. */
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  /** The connection had served an earlier exchange. */
  readonly reused: boolean;
  /** The chained proxy it went through. */
  readonly via?: string | undefined;
}

/** What `respond()` takes. `json`, `body` and `path` exclude each other. */
export interface RespondInit {
  /** Default 200. */
  status?: number;
  headers?: Record<string, string | string[]>;
  contentType?: string;
  /** Sent as JSON, with its content type. */
  json?: unknown;
  /** An async iterable is streamed, chunk by chunk. */
  body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
  /** A file, its content type taken from the name. */
  path?: string;
}

/** One HTTP exchange. */
export interface HttpFlow {
  /** Unique in its proxy: digits, counted up in order of request start. */
  readonly id: string;
  readonly type: 'http';
  /** A CORS preflight: OPTIONS with Origin and Access-Control-Request-Method. */
  readonly preflight: boolean;
  readonly client: ClientInfo;
  /** Known once the request is on its way; absent where a rule or hook answered before, or no connection was made. */
  readonly server?: ServerInfo | undefined;
  readonly request: HttpRequest;
  /** There from its head on. */
  readonly response?: HttpResponse | undefined;
  /** There once a handshake has made the connection a WebSocket. */
  readonly websocket?: WebSocketData | undefined;
  /** Interim responses (1xx), in order. */
  readonly informational: HttpInformational[];
  /** Why the flow failed, if it did. */
  readonly error?: FlowError | undefined;
  /** What had no effect and why, a sentence each. */
  readonly warnings: string[];
  /** For hooks to keep things in. */
  readonly metadata: Map<string, unknown>;
  /** Answers in the origin's place. Once a head has gone out it only warns. @throws SluiceError BAD_RESPONSE */
  respond(init: RespondInit): void;
  /** Cuts the exchange: the client sees a connection error. Has no effect once the flow is over. */
  kill(): void;
}

/** A flow whose response head has been seen. */
export type AnsweredFlow = HttpFlow & { readonly response: HttpResponse };

/** A flow that ended in an error. */
export type FailedFlow = HttpFlow & { readonly error: FlowError };

/** A flow whose connection is, or was, a WebSocket. */
export type WebSocketFlow = AnsweredFlow & { readonly websocket: WebSocketData };
