/**
 * What a test sees of WebSocket messages and server-sent events, and what it compares them with. Nothing here has behaviour.
 * @module
 */

/** A server-sent event (HTML Living Standard, section 9.2), as a page's EventSource gets it. */
export interface ServerSentEvent {
  /** Its type: `message` unless the stream names one. */
  readonly event: string;
  /** Its `data` lines, joined with LF. */
  readonly data: string;
  /** The id that holds since this event or an earlier one, for `Last-Event-ID`; empty if none was given. */
  readonly id: string;
  /** The time to wait before a reconnection that its block sets, in milliseconds. */
  readonly retry?: number | undefined;
  /** When it had come to its end: milliseconds since the epoch, with fractions. */
  readonly timestamp: number;
  /** `data` as JSON. @throws SluiceError BAD_BODY with the data's beginning */
  json<T = unknown>(): T;
}

/** Which end of a WebSocket. */
export type WebSocketPeer = 'client' | 'server';

/** A message of a WebSocket (RFC 6455 section 5.6): what its frames hold, decompressed. */
export interface WebSocketMessage {
  readonly from: WebSocketPeer;
  readonly type: 'text' | 'binary';
  /**
   * The payload. Assigning in the `websocketMessage` hook changes what the other end receives; later, or on a streamed
   * connection, it changes nothing and leaves a warning. Only assigning counts: don't write into the buffer.
   */
  get data(): Buffer;
  set data(value: Uint8Array | string);
  /** `data` as UTF-8. */
  text(): string;
  /** `data` as JSON. @throws SluiceError BAD_BODY with the text's beginning */
  json<T = unknown>(): T;
  /** When it had come to its end: milliseconds since the epoch, with fractions. */
  readonly timestamp: number;
  /**
   * Octets of payload in each of its frames, of the first million, as they came: compressed, if they were, and of an
   * edited message too.
   */
  readonly fragments: number[];
  /** Octets of the whole payload, also of a truncated one. */
  readonly size: number;
  /** `send()` made it. */
  readonly injected: boolean;
  /** A hook changed `data`. */
  readonly edited: boolean;
  /** A hook kept it from the other end. */
  readonly dropped: boolean;
  /** It is larger than `maxStoredMessageSize`: `data` is its beginning. */
  readonly truncated: boolean;
  /** Keeps it from the other end, in the `websocketMessage` hook. Later, or when streamed, it only warns. */
  drop(): void;
}

/** A ping or pong (RFC 6455 section 5.5.2). */
export interface WebSocketPing {
  readonly from: WebSocketPeer;
  readonly type: 'ping' | 'pong';
  readonly data: Buffer;
  /** Milliseconds since the epoch, with fractions. */
  readonly timestamp: number;
}

/** What a payload is compared with; a function is given what carries it. */
export type PayloadMatch<T> =
  | string
  | RegExp
  | Uint8Array
  | ((carrier: T) => boolean)
  | object
  | number
  | boolean
  | null;

/** What a WebSocket message is compared with. */
export type WebSocketMessageMatch = PayloadMatch<WebSocketMessage>;

/** What a server-sent event is compared with. */
export type ServerSentEventMatch = PayloadMatch<ServerSentEvent>;

/** Options of `waitForEvent`. */
export interface EventWait {
  /** Only events of this type count. Default: of any. */
  event?: string;
  /** Milliseconds; 0 waits for ever. Default that of the proxy: 30 000, or what its fixture says (`waitTimeout`). */
  timeout?: number;
  /** Gives up waiting when aborted. */
  signal?: AbortSignal;
  /** Only events after this one count. Default: every event that is recorded. */
  after?: ServerSentEvent;
}

/** Options of `waitForMessage`. */
export interface MessageWait {
  /** Only messages of this end count. Default: of either. */
  from?: WebSocketPeer;
  /** Milliseconds; 0 waits for ever. Default that of the proxy: 30 000, or what its fixture says (`waitTimeout`). */
  timeout?: number;
  /** Gives up waiting when aborted. */
  signal?: AbortSignal;
  /** Only messages after this one count. Default: every message that is recorded. */
  after?: WebSocketMessage;
}

/** What is recorded of a WebSocket besides its handshake. */
export interface WebSocketData {
  /**
   * `false`: each message is held until it is whole, and hooks can edit it; `true`: frames pass on as they arrive.
   * Default as `streamWebsockets` says; decided in the `websocketStart` hook at the latest, later it only warns.
   * Assigning anything else throws SluiceError BAD_MATCH.
   */
  stream: boolean;
  /** Complete messages, in order of their ends; those of `send()` when it was called, even if a hook holds one. */
  readonly messages: WebSocketMessage[];
  /** Pings and pongs, in order; the first 10 000. */
  readonly pings: WebSocketPing[];
  /**
   * Of the first close frame, or of the proxy's own where it closed both ends; 1005 if it had none, 1006 if the connection
   * was lost without one. Absent while open.
   */
  readonly closeCode?: number | undefined;
  /** Of the first close frame; empty if it had none. */
  readonly closeReason?: string | undefined;
  /** Who sent the first close frame, or left without one. Absent while open, and where the proxy ended it. */
  readonly closedBy?: WebSocketPeer | undefined;
  /** The connection is over. */
  readonly closed: boolean;
  /** When that was: milliseconds since the epoch, with fractions. Absent while it is open. */
  readonly endedAt?: number | undefined;
  /**
   * Sends a message of its own, text if `data` is a string, uncompressed and between messages. It is recorded, marked
   * `injected`, and hooks don't see it. Before `websocketStart` has run it is kept until then; once the connection is
   * closing it only warns.
   * @throws SluiceError BAD_OPTION for another `to`, BAD_BODY for other data
   */
  send(to: WebSocketPeer, data: string | Uint8Array): void;
  /**
   * Waits for a message, as `toHaveMessage` compares: a string exactly, a RegExp by searching, bytes exactly, anything
   * else as JSON of which it is a subset, or a function. Messages that came before count.
   * @throws SluiceError WAIT_TIMEOUT, or WAIT_ENDED if the connection is over, with the messages that were seen;
   * BAD_MATCH or BAD_OPTION
   */
  waitForMessage(match: WebSocketMessageMatch, options?: MessageWait): Promise<WebSocketMessage>;
  /** Waits until the connection is over, however it ended. @throws SluiceError WAIT_TIMEOUT, WAIT_ENDED or BAD_OPTION */
  waitForClose(options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;
}
