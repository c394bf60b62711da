/**
 * Everything Sluice throws or puts on a flow, with codes that stay the same between releases.
 * @module
 */
import { types } from 'node:util';

/** Codes of errors that are thrown at the caller. */
export type SluiceErrorCode =
  /** An option's value is not one it accepts. */
  | 'BAD_OPTION'
  /** An option that does not exist; the message suggests the nearest name. */
  | 'UNKNOWN_OPTION'
  /** The port, or every port of the range, is taken. */
  | 'PORT_IN_USE'
  /** The CA's certificate or key cannot be used. */
  | 'BAD_CA'
  /** A match, rule or answer that cannot be understood. */
  | 'BAD_MATCH'
  /** `respond()` was given something that is not an answer. */
  | 'BAD_RESPONSE'
  /** A header name or value that would not be valid on the wire. */
  | 'BAD_HEADER'
  /** A body that cannot be read in the form asked for. */
  | 'BAD_BODY'
  /** A wait ran into its timeout. */
  | 'WAIT_TIMEOUT'
  /** A wait was still pending when its proxy, or its test, ended. */
  | 'WAIT_ENDED'
  /** The flow that was waited for ended in an error. The error carries the `flow`. */
  | 'FLOW_FAILED'
  /** A flow that `proxy.forbid()` rules out was seen. */
  | 'FORBIDDEN_FLOW'
  /** The value given is not a Sluice recorder. */
  | 'NOT_A_RECORDER'
  /** A matcher was given something it cannot judge. */
  | 'BAD_EXPECTATION'
  /** A matcher that waits was called without `await`, and its test ended first. */
  | 'NOT_AWAITED'
  /** A proxy that each test has anew was used where no test runs, or by several at once. */
  | 'NO_TEST'
  /** The CA's certificate could not be written where child processes find it. */
  | 'CA_FILE'
  /** The proxy is closed. */
  | 'PROXY_CLOSED';

/** Codes of `flow.error`: how an exchange failed. */
export type FlowErrorCode =
  /** The client went away, or half-closed, before the exchange was over. */
  | 'CLIENT_ABORTED'
  /** The client sent something that is not valid HTTP; it was answered 400 (413, 431, 505) and not forwarded. */
  | 'CLIENT_PROTOCOL'
  /** No connection to the origin could be made. */
  | 'ORIGIN_UNREACHABLE'
  /** The TLS handshake with the origin failed, or its certificate is not trusted. */
  | 'ORIGIN_TLS'
  /** The origin did not accept a connection within `timeouts.connect`. */
  | 'ORIGIN_TIMEOUT'
  /** The origin sent something that is not valid HTTP. */
  | 'ORIGIN_PROTOCOL'
  /** The origin closed or reset the connection before the exchange was over. */
  | 'ORIGIN_CLOSED'
  /** The chained proxy (`upstream`) refused or failed. */
  | 'UPSTREAM_PROXY'
  /** A buffered body grew past `bodySizeLimit`. */
  | 'BODY_TOO_LARGE'
  /** A hook threw; `cause` is what it threw. */
  | 'HOOK_FAILED'
  /** A rule's predicate or answer threw; `cause` is what it threw. */
  | 'RULE_FAILED'
  /** A stream transform threw; `cause` is what it threw. */
  | 'TRANSFORM_FAILED'
  /** A transform declared with `keepsLength` yielded more or fewer bytes than Content-Length. */
  | 'LENGTH_BROKEN'
  /** `resetAfter` or `hold` of `sluice/faults` reset the connections on purpose: no problem of the test. */
  | 'FAULT_RESET'
  /** An end of a WebSocket sent what RFC 6455 rules out; both ends were told with a close frame. */
  | 'WEBSOCKET_PROTOCOL'
  /** `flow.kill()` was called. */
  | 'KILLED'
  /** The request was for the proxy itself. */
  | 'PROXY_LOOP'
  /** The proxy was closed while the flow was in flight. */
  | 'PROXY_CLOSED'
  /** The proxy itself misbehaved: a bug worth reporting. */
  | 'INTERNAL';

/** Why a flow failed, as it stands on `flow.error`. */
export interface FlowError {
  /** Stable; what a test should compare. */
  code: FlowErrorCode;
  /** For people; may change between releases. */
  message: string;
  /** What was thrown, where something was. */
  cause?: unknown;
}

const BRAND = Symbol.for('sluice.error');

/**
 * The one class of errors that Sluice throws. Tell it by `code`, or by {@link isSluiceError}
 * where copies of the package may meet in one process.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly [BRAND] = true;

  constructor(
    readonly code: SluiceErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whether `value` is a {@link SluiceError}, from whichever copy of the package. */
export function isSluiceError(value: unknown): value is SluiceError {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/**
 * Whether it is an error, of whichever global scope: Jest gives each test file one of its own, and what Node throws there
 * is no instance of that scope's `Error`.
 * @param name of one kind of error
 */
export function isError(value: unknown, name?: string): value is Error {
  const is = value instanceof Error || types.isNativeError(value) || value instanceof DOMException;
  return is && (name === undefined || value.name === name);
}

/** The message of anything that was thrown. Never throws itself. */
export function messageOf(thrown: unknown): string {
  try {
    return String(isError(thrown) ? thrown.message : thrown);
  } catch {
    // Asking it what it is may throw as well: it may be a Proxy.
    return `[${typeof thrown}]`;
  }
}

/** A value as it should appear in an error message: short, quoted, never throwing. */
export function shown(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 120 ? `${value.slice(0, 117)}...` : value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null) {
    try {
      const text = JSON.stringify(value);
      return text.length > 120 ? `${text.slice(0, 117)}...` : text;
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
}

/**
 * Lets an error point at whoever waits.
 * @param origin made where the wait began
 * @param own frames of ours in it, besides the one that made it
 */
export function withStackOf(error: Error, origin: Error, own: number): Error {
  // Its own line, and that of whoever made it.
  const frames = origin.stack
    ?.split('\n')
    .slice(2 + own)
    .join('\n');
  if (isSluiceError(error) && frames !== undefined)
    error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}
