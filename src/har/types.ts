/**
 * HAR 1.2 as Sluice writes it. Fields with an underscore are extensions: the names that Chromium and Playwright use
 * where there is one, and Sluice's own for what streams.
 * @module
 */

/** The root of a HAR file. */
export interface Har {
  log: HarLog;
}

export interface HarLog {
  version: '1.2';
  creator: { name: string; version: string };
  /** In order of request start. */
  entries: HarEntry[];
  comment?: string;
}

/** One flow. */
export interface HarEntry {
  /** ISO 8601, UTC. */
  startedDateTime: string;
  /** Milliseconds: the sum of the known `timings`. */
  time: number;
  request: HarRequest;
  response: HarResponse;
  cache: Record<string, never>;
  timings: HarTimings;
  /** The origin's address, or that of the chained proxy the flow went through. */
  serverIPAddress?: string;
  /** The client connection's id in its proxy. */
  connection?: string;
  comment?: string;
  _serverPort?: number;
  /** Only where it is known: of preflights, WebSockets, and requests with a telling Sec-Fetch-Dest. */
  _resourceType?: string;
  /** Of a connection that became a WebSocket: its messages, in order of their ends, as Chrome exports them. */
  _webSocketMessages?: HarWebSocketMessage[];
  /** Its pings and pongs, in order. */
  _webSocketPings?: HarWebSocketPing[];
  /** Absent while it is open. `code`, `reason`: of the first close frame; 1005 without a code, 1006 without a frame. */
  _webSocketClose?: { code: number; reason: string; by?: 'client' | 'server' };
  /** Frames passed on as they arrived. */
  _webSocketStreamed?: true;
  /** Of an event stream: its events, in order. */
  _eventSourceMessages?: HarEventSourceMessage[];
  /** Interim (1xx) responses. */
  _informational?: { status: number; statusText: string; headers: HarField[]; time: string }[];
  /** The flow's warnings. */
  _warnings?: string[];
}

/** Milliseconds each; -1 where unknown or not applicable. */
export interface HarTimings {
  blocked: number;
  dns: number;
  connect: number;
  ssl: number;
  /** From the request's head to its last byte. */
  send: number;
  /** From there to the response's head. */
  wait: number;
  /** From there to the response's last byte; of a WebSocket to its end, or so far to the last message, ping or pong. */
  receive: number;
}

/** A WebSocket's message. */
export interface HarWebSocketMessage {
  /** `send`: the client's. */
  type: 'send' | 'receive';
  /** Seconds since the epoch. */
  time: number;
  /** 1: text; 2: binary. */
  opcode: 1 | 2;
  /** Text, or binary data in base64. */
  data: string;
  /** Octets of the whole payload, where `data` has not all of it. */
  _size?: number;
  /** The record has only the payload's beginning. */
  _truncated?: true;
  /** A hook kept it from the other end. */
  _dropped?: true;
  /** The test sent it, not the peer. */
  _injected?: true;
  /** A hook changed it; what is here is what was sent on. */
  _edited?: true;
  /** How many frames it came in, if more than one. */
  _frames?: number;
  /** The payload's octets, if it is text and not valid UTF-8. */
  _base64?: string;
  comment?: string;
}

/** A WebSocket's ping or pong. */
export interface HarWebSocketPing {
  type: 'send' | 'receive';
  /** Seconds since the epoch. */
  time: number;
  /** 9: ping; 10: pong. */
  opcode: 9 | 10;
  /** Base64. */
  data: string;
}

/** A server-sent event. */
export interface HarEventSourceMessage {
  /** Seconds since the epoch. */
  time: number;
  eventName: string;
  eventId: string;
  data: string;
  /** Milliseconds. */
  _retry?: number;
  comment?: string;
}

/** A header, trailer or query parameter. */
export interface HarField {
  name: string;
  value: string;
}

export interface HarCookie {
  name: string;
  value: string;
  path?: string;
  domain?: string;
  /** ISO 8601. */
  expires?: string;
  httpOnly?: boolean;
  secure?: boolean;
  sameSite?: string;
}

/** What a request and a response have in common. */
export interface HarMessage {
  /** `HTTP/1.1`, `HTTP/2.0` */
  httpVersion: string;
  cookies: HarCookie[];
  /** In the order in which they came. */
  headers: HarField[];
  /** Octets of the start line and the headers, as HTTP/1.1 writes them; -1 where there is no message. */
  headersSize: number;
  /** Octets of the body as sent (content-encoded); -1 where unknown. */
  bodySize: number;
  comment?: string;
  /** The body was passed on as it came and is not in this file. */
  _streamed?: true;
  /** How the body moved through the proxy. */
  _transfer?: HarTransfer;
  _trailers?: HarField[];
}

export interface HarRequest extends HarMessage {
  method: string;
  url: string;
  queryString: HarField[];
  postData?: HarPostData;
}

export interface HarResponse extends HarMessage {
  /** 0 where there was no response. */
  status: number;
  statusText: string;
  content: HarContent;
  /** The Location field, or `''`. */
  redirectURL: string;
  /** Head and body, octets; -1 where there is no response. */
  _transferSize: number;
  /** The flow's error: its code and message. */
  _failureText?: string;
}

export interface HarPostData {
  mimeType: string;
  /** The fields of an urlencoded body, or the parts of a multipart one (without their content). */
  params: HarParam[];
  /** Absent if the body was streamed. */
  text?: string;
  comment?: string;
  /** How `text` is encoded, if it is not text. HAR has no standard field for it in requests. */
  _encoding?: 'base64';
}

export interface HarParam {
  name: string;
  value?: string;
  fileName?: string;
  contentType?: string;
  comment?: string;
}

export interface HarContent {
  /** Octets after content decoding. */
  size: number;
  /** Octets that content coding saved (negative if it added some); absent without content coding. */
  compression?: number;
  /** The Content-Type field, or `x-unknown`. */
  mimeType: string;
  /** Absent if there is no body in the record. */
  text?: string;
  encoding?: 'base64';
  comment?: string;
}

/** Both sides of a body's way through the proxy. */
export interface HarTransfer {
  received: HarSide;
  sent: HarSide;
}

export interface HarSide {
  bytes: number;
  sha256?: string;
  /** The same after content decoding. */
  decoded?: { bytes: number; sha256: string };
  /** Of what passed of a streamed body that was cut. */
  partial?: { bytes: number; sha256: string };
  pieces: {
    count: number;
    /** Run-length encoded: `[[4096, 2], [1808, 1]]`. */
    runs: [size: number, times: number][];
    /** The runs stop early; `count` does not. */
    truncated?: true;
  };
}
