/**
 * Fields between the records, which are HTTP/1's way of writing them, and HTTP/2's (RFC 9113 section 8).
 * @module
 */
import type { OutgoingHttpHeaders } from 'node:http2';
import { Headers } from '../flow/headers.js';

/** Fields about a connection of HTTP/1 (RFC 9113 section 8.2.2); those that Connection names are too. */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** What node:http2 takes only one value of. */
const SINGLE = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);

/** A head as it came, taken apart. */
export interface ReceivedFields {
  /** By name, with the colon. */
  pseudo: { readonly [name: string]: string };
  /**
   * The others, in order, with `:authority` as Host. Cookie's crumbs are one field again (RFC 9113 sections 8.2.3 and
   * 8.3.1).
   */
  headers: Headers;
}

/** @param raw names and values in turn, as node:http2 tells them */
export function receivedFields(raw: readonly string[]): ReceivedFields {
  const pseudo: { [name: string]: string } = {};
  const fields: string[] = [];
  let cookie = -1;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name.startsWith(':')) {
      pseudo[name] = value;
    } else if (name === 'cookie' && cookie !== -1) {
      fields[cookie] = `${fields[cookie]}; ${value}`;
    } else {
      if (name === 'cookie') cookie = fields.length + 1;
      fields.push(name, value);
    }
  }
  const authority = pseudo[':authority'];
  if (authority !== undefined && !fields.some((name, i) => i % 2 === 0 && name === 'host')) {
    fields.unshift('host', authority);
  }
  return { pseudo, headers: new Headers(fields) };
}

/** The fields of a request as node:http2 takes them. Host becomes `:authority`. */
export function requestFields(
  request: { method: string; target: string; headers: Headers },
  scheme: 'http' | 'https',
  authority: string,
): OutgoingHttpHeaders {
  const { method, target, headers } = request;
  return {
    ':method': method,
    ':scheme': scheme,
    ':authority': headers.get('host') ?? authority,
    ':path': target,
    ...outgoing(headers, true),
  };
}

/** The fields of a response as node:http2 takes them. */
export function responseFields(status: number, headers: Headers): OutgoingHttpHeaders {
  return { ':status': status, ...outgoing(headers, false) };
}

/** Trailers as node:http2 takes them. */
export function trailerFields(trailers: Headers | undefined): OutgoingHttpHeaders {
  return trailers === undefined ? {} : outgoing(trailers, false);
}

function outgoing(headers: Headers, request: boolean): OutgoingHttpHeaders {
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase());
  // A field may be called `constructor` or `__proto__`.
  const fields: { [name: string]: string | string[] } = Object.create(null);
  for (const [written, value] of headers) {
    const name = written.toLowerCase();
    if (CONNECTION_FIELDS.has(name) || (request && name === 'host')) continue;
    // RFC 9113 section 8.2.2: of TE there is nothing left to say but this.
    if (name === 'te') {
      if (/(?:^|,)\s*trailers\s*(?:,|$)/i.test(value)) fields.te = 'trailers';
      continue;
    }
    if (named.includes(name)) continue;
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (SINGLE.has(name)) fields[name] = `${String(before)}, ${value}`;
    else if (Array.isArray(before)) before.push(value);
    else fields[name] = [before, value];
  }
  return fields;
}
