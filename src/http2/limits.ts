/**
 * What every HTTP/2 connection of this proxy is held to, on either side.
 * @module
 */
import type { Http2Session, ServerSessionOptions } from 'node:http2';
import { LIMITS } from '../http1/head.js';

/** How much of one stream may come before it is read: what a stalled receiver makes the proxy hold. */
const STREAM_WINDOW = 1024 * 1024;
/** The same of all streams of a connection together. */
const SESSION_WINDOW = 16 * 1024 * 1024;

export const SESSION_LIMITS = {
  // Those of HTTP/1, and the pseudo fields.
  maxHeaderListPairs: LIMITS.fields + 4,
  settings: {
    initialWindowSize: STREAM_WINDOW,
    maxHeaderListSize: LIMITS.head,
    enablePush: false,
  },
} satisfies ServerSessionOptions;

/** Lets more than the default of 64 KiB come on a connection. */
export function widenWindow(session: Http2Session): void {
  session.setLocalWindowSize(SESSION_WINDOW);
}
