/**
 * A client as an exchange sees it. Each protocol implements it.
 * @module
 */
import type { Headers } from '../flow/headers.js';
import type { ClientInfo } from '../flow/types.js';
import type { Framing } from '../http1/head.js';
import type { StreamReset } from '../http2/reset.js';
import type { Detached, WholeBody, Written } from '../origin/stream.js';
import type { BodyOutlet, BodySource } from '../stream/body.js';

export interface OutgoingResponse {
  status: number;
  statusText: string;
  version: string;
  headers: Headers;
  framing: Framing['kind'];
}

/** Where a request comes from and its response goes. */
export interface ClientStream extends BodySource {
  readonly info: ClientInfo;
  /** A `1.0` client never gets chunks or interim responses; `2.0` has frames. */
  readonly version: string;
  /** Relays an interim response. */
  informational(status: number, statusText: string, headers: Headers, version?: string): void;
  respond(head: OutgoingResponse): BodyOutlet;
  respondWhole(head: OutgoingResponse, body: WholeBody, written: Written): void;
  /** Both messages are over, or as far as they will go. The connection goes on, or is closed in an orderly way. */
  done(keepAlive: boolean): void;
  /**
   * Ends the connection in the middle: `short` lets go out what was written, `reset` too but ends with RST, where an
   * orderly close could be taken for the end of a body, and `now` drops it. A stream of HTTP/2 is reset instead, with
   * the code of `cause` if that is a {@link StreamReset}.
   */
  cut(how: 'short' | 'reset' | 'now', cause?: unknown): void;
  detach(): Detached;
}
