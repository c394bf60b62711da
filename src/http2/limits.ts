/**
 * What every HTTP/2 connection of this proxy is held to.
 * @module
 */
import type { Http2Session, ServerSessionOptions } from 'node:http2';
import { LIMITS, ProtocolError } from '../http1/head.js';

/** How much of one stream may come before it is read: what a stalled receiver makes the proxy hold. */
const STREAM_WINDOW = 1024 * 1024;
/** The same for a client's streams. It is close by, and there may be many streams that nobody reads. */
const CLIENT_STREAM_WINDOW = 256 * 1024;
/** How much may be under way on a connection. */
const SESSION_WINDOW = 16 * 1024 * 1024;
/** The most that node:http2 is to write of a head, in octets. Its default is less than HTTP/1's limit. */
const SENT_HEAD = 4 * LIMITS.head;

/** Of connections to origins. */
export const SESSION_LIMITS = {
  // node:http2 resets a stream over these without a word. What is over HTTP/1's is found before that.
  maxHeaderListPairs: 4 * LIMITS.fields,
  maxSendHeaderBlockLength: SENT_HEAD,
  settings: {
    initialWindowSize: STREAM_WINDOW,
    maxHeaderListSize: 4 * LIMITS.head,
    enablePush: false,
  },
} satisfies ServerSessionOptions;

/** Of clients' connections. */
export const CLIENT_LIMITS = {
  maxHeaderListPairs: 4 * LIMITS.fields,
  maxSendHeaderBlockLength: SENT_HEAD,
  settings: {
    initialWindowSize: CLIENT_STREAM_WINDOW,
    maxHeaderListSize: 4 * LIMITS.head,
    maxConcurrentStreams: 1000,
    enablePush: false,
  },
} satisfies ServerSessionOptions;

/** Streams that a client may reset at once, and then per second, before its connection is ended (CVE-2023-44487). */
export const RESETS = { burst: 500, perSecond: 33 } as const;

/**
 * Holds a list of fields to what it could have in HTTP/1.
 * @param raw names and values in turn
 * @throws ProtocolError with 431
 */
export function checkSize(raw: readonly string[], what: 'head' | 'trailers'): void {
  let octets = 0;
  // In HTTP/1 each is followed by a colon and a space, or the end of the line.
  for (const part of raw) octets += part.length + 2;
  if (octets > LIMITS[what]) throw new ProtocolError(`more than ${LIMITS[what]} octets of ${what}`, 431);
  // The pseudo fields are extra.
  if (raw.length > 2 * (LIMITS.fields + 4)) throw new ProtocolError(`more than ${LIMITS.fields} fields`, 431);
}

/** Lets more than the default of 64 KiB come on a connection. */
export function widenWindow(session: Http2Session): void {
  session.setLocalWindowSize(SESSION_WINDOW);
}
