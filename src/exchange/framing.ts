/**
 * How messages leave: their framing, and the fields that must agree with it whatever a hook did to them.
 * @module
 */
import { type Headers, lowerCaseName } from '../flow/headers.js';
import type { Framing } from '../http1/head.js';

/** Makes Content-Length and Transfer-Encoding say what `framing` is. An agreeing head is left as it is. */
export function enforceFraming(headers: Headers, framing: Framing['kind'], length: number | undefined): void {
  switch (framing) {
    case 'frames':
      headers.delete('content-length');
      headers.delete('transfer-encoding');
      break;
    case 'chunked':
      headers.delete('content-length');
      if (!/(?:^|,)\s*chunked\s*$/i.test(headers.get('transfer-encoding') ?? '')) {
        headers.set('Transfer-Encoding', 'chunked');
      }
      break;
    case 'length':
      headers.delete('transfer-encoding');
      if (length !== undefined && headers.get('content-length') !== String(length)) {
        headers.set('Content-Length', String(length));
      }
      break;
    case 'close':
      headers.delete('content-length');
      if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) headers.delete('transfer-encoding');
      break;
    case 'none':
      break;
  }
}

/** A request without a body must not speak of one: its origin would take the next request for it. */
export function removeBodyFields(headers: Headers): void {
  headers.delete('transfer-encoding');
  if (Number(headers.get('content-length') ?? 0) !== 0) headers.delete('content-length');
}

/** A length of HTTP/2's can be stated together with trailers; in HTTP/1 the octets end the message. */
export const TRAILERS_LOST =
  'trailers are not sent on: in HTTP/1 there is no place for them after a body with Content-Length';

/** What a receiver can read of a body whose length is not known beforehand. */
export interface Receiver {
  /** It speaks HTTP/2. */
  frames: boolean;
  mayChunk: boolean;
  mayClose: boolean;
}

/** The framing of a streamed message as it leaves. */
export function streamedFraming(
  received: Framing,
  message: { transformed: boolean; keepsLength: boolean },
  receiver: Receiver,
): Framing['kind'] {
  const chunked = receiver.mayChunk || !receiver.mayClose ? 'chunked' : 'close';
  const lengthUnknown = receiver.frames ? 'frames' : chunked;
  switch (received.kind) {
    case 'none':
      return 'none';
    case 'length':
      return message.transformed && !message.keepsLength ? lengthUnknown : 'length';
    case 'close':
      return receiver.frames ? 'frames' : 'close';
    default:
      return lengthUnknown;
  }
}

/**
 * Fields between two hops of a proxy that an origin must not see, and what they become. An origin sees what it would
 * see without a proxy.
 */
export function removeProxyFields(headers: Headers): void {
  headers.rename('Proxy-Connection', 'Connection');
  deleteProxyFields(headers);
  if (!headers.has('upgrade')) return;
  // An upgrade to HTTP/2 would take the exchange out of sight (RFC 7540 section 3.2); other upgrades stay.
  headers.delete('http2-settings');
  const upgradeLeft = removeTokens(headers, 'Upgrade', /^h2c$/i);
  if (upgradeLeft !== undefined) {
    removeTokens(headers, 'Connection', upgradeLeft ? /^http2-settings$/i : /^(?:upgrade|http2-settings)$/i);
  }
}

/**
 * Takes what is for this proxy out of a request's trailers: credentials go no further, wherever they stand (RFC 9110
 * section 11.7.2). Returns the trailers, or nothing if they have no other fields.
 */
export function withoutProxyFields(trailers: Headers | undefined): Headers | undefined {
  if (trailers === undefined) return undefined;
  deleteProxyFields(trailers);
  return trailers.size === 0 ? undefined : trailers;
}

function deleteProxyFields(fields: Headers): void {
  for (let i = fields.size - 1; i >= 0; i--) {
    const name = fields.nameAt(i);
    if (lowerCaseName(name).startsWith('proxy-')) fields.delete(name);
  }
}

/** Takes tokens out of a list. Returns whether others are left, or `undefined` if there was none to take. */
function removeTokens(headers: Headers, name: string, unwanted: RegExp): boolean | undefined {
  const tokens = (headers.get(name) ?? '').split(',').map((token) => token.trim());
  if (!tokens.some((token) => unwanted.test(token))) return undefined;
  const kept = tokens.filter((token) => token !== '' && !unwanted.test(token));
  if (kept.length === 0) headers.delete(name);
  else headers.set(name, kept.join(', '));
  return kept.length > 0;
}
