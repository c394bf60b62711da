/**
 * Heads of HTTP/2 messages in the shape of HTTP/1's, so that an exchange need not know which it was.
 * @module
 */
import type { Headers } from '../flow/headers.js';
import {
  type Framing,
  ProtocolError,
  type RequestHead,
  type ResponseHead,
  refuseFraming,
} from '../http1/head.js';
import { type ReceivedFields, receivedFields } from './fields.js';
import { checkSize } from './limits.js';

/** @throws ProtocolError for what parsers could read differently */
export function requestHead(fields: ReceivedFields, facts: { target: string; ended: boolean }): RequestHead {
  const { pseudo, headers } = fields;
  const { ':method': method = '', ':authority': authority } = pseudo;
  const host = headers.get('host');
  // RFC 9113 section 8.3.1: an intermediary must not let the two differ.
  if (authority !== undefined && host !== undefined && host.toLowerCase() !== authority.toLowerCase()) {
    throw new ProtocolError(`:authority ${authority.slice(0, 100)} and host ${host.slice(0, 100)} differ`);
  }
  return {
    method,
    target: facts.target,
    version: '2.0',
    headers,
    framing: framingOf(headers, facts.ended),
    keepAlive: true,
    expectContinue: /^100-continue$/i.test(headers.get('expect') ?? ''),
    upgrade: undefined,
  };
}

/** @param method of the request */
export function responseHead(fields: ReceivedFields, method: string, ended: boolean): ResponseHead {
  const { pseudo, headers } = fields;
  const status = Number(pseudo[':status']);
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  return {
    status,
    statusText: '',
    version: '2.0',
    headers,
    framing: bodiless ? { kind: 'none' } : framingOf(headers, ended),
    keepAlive: true,
  };
}

/** @param raw as node:http2 tells them. @throws ProtocolError for too many, or those that frame the message */
export function receivedTrailers(raw: readonly string[]): Headers {
  checkSize(raw, 'trailers');
  return refuseFraming(receivedFields(raw).headers);
}

function framingOf(headers: Headers, ended: boolean): Framing {
  const value = headers.get('content-length');
  if (ended) return { kind: 'none' };
  if (value === undefined) return { kind: 'frames' };
  const length = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(length)) {
    throw new ProtocolError(`bad content-length ${JSON.stringify(value.slice(0, 100))}`);
  }
  // As in HTTP/1: that nothing comes is known, even if the stream is ended only later.
  return length === 0 ? { kind: 'none' } : { kind: 'length', length };
}
