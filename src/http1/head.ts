/**
 * Heads of HTTP/1 messages, read strictly (RFC 9112): what two parsers could read differently is refused.
 * @module
 */
import { Headers, lowerCaseName, trimmed } from '../flow/headers.js';
import { remembered } from '../flow/remembered.js';

/** A message that is not valid HTTP, 1 or 2. `status` is the answer it deserves when it is a request. */
export class ProtocolError extends Error {
  constructor(
    message: string,
    readonly status: 400 | 405 | 413 | 431 | 505 = 400,
  ) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/** How a body is delimited (RFC 9112 section 6.3, RFC 9113 section 8.1). Decided when the head is parsed, never from edited headers. */
export type Framing =
  | { kind: 'none' }
  | { kind: 'length'; length: number }
  | { kind: 'chunked' }
  /** Until the stream ends, of HTTP/2 without Content-Length. */
  | { kind: 'frames' }
  /** Until the connection closes; responses only. */
  | { kind: 'close' };

interface Head {
  /** `1.0` or `1.1`; `2.0` of a stream of HTTP/2. */
  version: string;
  headers: Headers;
  framing: Framing;
  /** The connection may be used again after this message, as far as this side is concerned. */
  keepAlive: boolean;
}

export interface RequestHead extends Head {
  method: string;
  /** The request target as it came: origin, absolute, authority or asterisk form. */
  target: string;
  expectContinue: boolean;
  /** The value of Upgrade, if Connection names it; never in HTTP/1.0 (RFC 9110 section 7.8). */
  upgrade: string | undefined;
}

export interface ResponseHead extends Head {
  status: number;
  statusText: string;
}

export const LIMITS = {
  /** Octets of a head, the empty line included. */
  head: 64 * 1024,
  fields: 256,
  /** Octets of a chunk line, its CRLF included. */
  chunkLine: 4 * 1024,
  trailers: 16 * 1024,
} as const;

const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
const STATUS = /^ [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Methods and reason phrases: recorded messages share them. */
const shared = remembered((text) => text);

const fieldName = remembered((name) => {
  if (!TOKEN.test(name)) throw new ProtocolError(`bad field name ${JSON.stringify(name.slice(0, 100))}`);
  return name;
});

/** Reads a request head. @param text latin1, ending with the CRLF of its last line */
export function parseRequestHead(text: string): RequestHead {
  const lineEnd = text.indexOf('\r\n');
  const line = text.slice(0, lineEnd);
  const methodEnd = line.indexOf(' ');
  const targetEnd = line.lastIndexOf(' ');
  const method = shared(line.slice(0, methodEnd));
  const target = line.slice(methodEnd + 1, targetEnd);
  const version = versionOf(line.slice(targetEnd + 1));
  if (version === undefined || !TOKEN.test(method) || !TARGET.test(target)) {
    throw new ProtocolError(`bad request line: ${JSON.stringify(line.slice(0, 100))}`);
  }
  const headers = parseFields(text, lineEnd + 2);
  const facts = gather(headers);
  // RFC 9112 section 3.2: hops that pick different ones would see different requests.
  if (facts.hosts > 1) throw new ProtocolError('more than one Host');
  const length = contentLength(facts);
  if (method === 'CONNECT' && (facts.encodings !== undefined || length !== undefined)) {
    throw new ProtocolError('a CONNECT request with a body');
  }
  let framing: Framing = { kind: 'none' };
  if (facts.encodings !== undefined) {
    if (version === '1.0') throw new ProtocolError('Transfer-Encoding in an HTTP/1.0 request');
    const codings = codingsOf(facts.encodings);
    if (codings.at(-1) !== 'chunked' || codings.indexOf('chunked') !== codings.length - 1) {
      throw new ProtocolError(
        `Transfer-Encoding ${JSON.stringify(facts.encodings)}; the last, and only the last, must be chunked`,
      );
    }
    framing = { kind: 'chunked' };
  } else if (length !== undefined && length > 0) {
    framing = { kind: 'length', length };
  }
  return {
    method,
    target,
    version,
    headers,
    framing,
    keepAlive: persistent(version, facts),
    expectContinue: version === '1.1' && facts.expect?.toLowerCase() === '100-continue',
    upgrade: version === '1.1' && hasToken(facts.connection, 'upgrade') ? facts.upgrade : undefined,
  };
}

/**
 * Reads a response head.
 * @param text latin1, ending with the CRLF of its last line
 * @param method of the request that this answers
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lineEnd = text.indexOf('\r\n');
  const line = text.slice(0, lineEnd);
  const version = versionOf(line.slice(0, 8));
  if (version === undefined || !STATUS.test(line.slice(8))) {
    throw new ProtocolError(`bad status line: ${JSON.stringify(line.slice(0, 100))}`);
  }
  const status = Number(line.slice(9, 12));
  const statusText = shared(line.slice(13));
  const headers = parseFields(text, lineEnd + 2);
  const facts = gather(headers);
  // Looked at also where no body follows: not every hop knows that none does.
  const length = contentLength(facts);
  let framing: Framing;
  if (
    status < 200 ||
    status === 204 ||
    status === 304 ||
    method === 'HEAD' ||
    (method === 'CONNECT' && status < 300)
  ) {
    framing = { kind: 'none' };
  } else if (facts.encodings !== undefined) {
    if (version === '1.0') throw new ProtocolError('Transfer-Encoding in an HTTP/1.0 response');
    const codings = codingsOf(facts.encodings);
    const chunkedAt = codings.indexOf('chunked');
    if (chunkedAt !== -1 && chunkedAt !== codings.length - 1) {
      throw new ProtocolError(
        `Transfer-Encoding ${JSON.stringify(facts.encodings)}: chunked is not the last`,
      );
    }
    framing = chunkedAt === -1 ? { kind: 'close' } : { kind: 'chunked' };
  } else if (length !== undefined) {
    framing = length === 0 ? { kind: 'none' } : { kind: 'length', length };
  } else {
    framing = { kind: 'close' };
  }
  const keepAlive = framing.kind !== 'close' && persistent(version, facts);
  return { status, statusText, version, headers, framing, keepAlive };
}

/** Reads a trailer section; fields that frame the message come too late there (RFC 9110 section 6.5.1). */
export function parseTrailers(text: string): Headers {
  return refuseFraming(parseFields(text, 0));
}

/** Refuses trailers that frame the message. @throws ProtocolError */
export function refuseFraming(trailers: Headers): Headers {
  for (const name of ['Content-Length', 'Transfer-Encoding']) {
    if (trailers.has(name)) throw new ProtocolError(`${name} among the trailers`);
  }
  return trailers;
}

/** Reads field lines from `start` to the end of `text`. */
export function parseFields(text: string, start: number): Headers {
  const fields: string[] = [];
  let at = start;
  while (at < text.length) {
    let end = text.indexOf('\r\n', at);
    if (end === -1) end = text.length;
    const first = text.charCodeAt(at);
    if (first === 0x20 || first === 0x09) throw new ProtocolError('a folded field line (obs-fold)');
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) {
      throw new ProtocolError(
        `a field line without a colon: ${JSON.stringify(text.slice(at, Math.min(end, at + 100)))}`,
      );
    }
    const name = fieldName(text.slice(at, colon));
    const value = trimmed(text, colon + 1, end);
    if (BAD_VALUE.test(value)) throw new ProtocolError(`a control character in the value of ${name}`);
    fields.push(name, value);
    if (fields.length > LIMITS.fields * 2) throw new ProtocolError(`more than ${LIMITS.fields} fields`, 431);
    at = end + 2;
  }
  return new Headers(fields, text, start);
}

/** `1.1` or `1.0`; `undefined` for what is not a version. @throws ProtocolError for one that is not spoken here */
function versionOf(text: string): string | undefined {
  if (text === 'HTTP/1.1') return '1.1';
  const match = /^HTTP\/(\d)\.(\d)$/.exec(text);
  if (match === null) return undefined;
  if (match[1] !== '1') throw new ProtocolError(`${text} is not spoken here; HTTP/1.1 and 1.0 are`, 505);
  return match[2] === '0' ? '1.0' : '1.1';
}

/** Whether a comma-separated list has `token`, without case. */
export function hasToken(list: string | undefined, token: string): boolean {
  if (list === undefined) return false;
  if (!list.includes(',')) return list === token || trimmed(list).toLowerCase() === token;
  return list.split(',').some((item) => trimmed(item).toLowerCase() === token);
}

interface Facts {
  hosts: number;
  /** How many Content-Lengths, and the first of them. */
  lengths: number;
  length: string | undefined;
  encodings: string | undefined;
  connection: string | undefined;
  expect: string | undefined;
  upgrade: string | undefined;
}

const joined = (sofar: string | undefined, value: string) =>
  sofar === undefined ? value : `${sofar}, ${value}`;

/** The fields that decide framing and reuse, found in one pass. */
function gather(headers: Headers): Facts {
  const facts: Facts = {
    hosts: 0,
    lengths: 0,
    length: undefined,
    encodings: undefined,
    connection: undefined,
    expect: undefined,
    upgrade: undefined,
  };
  for (let i = 0; i < headers.size; i++) {
    const name = headers.nameAt(i);
    const value = headers.valueAt(i);
    switch (name.length) {
      case 4:
        if (lowerCaseName(name) === 'host') facts.hosts++;
        break;
      case 6:
        if (lowerCaseName(name) === 'expect') facts.expect = joined(facts.expect, value);
        break;
      case 7:
        if (lowerCaseName(name) === 'upgrade') facts.upgrade = joined(facts.upgrade, value);
        break;
      case 10:
        if (lowerCaseName(name) === 'connection') facts.connection = joined(facts.connection, value);
        break;
      case 14:
        if (lowerCaseName(name) === 'content-length' && facts.lengths++ === 0) facts.length = value;
        break;
      case 16:
        // A proxy hop: HTTP/1.0 clients and old browsers say here what others say in Connection.
        if (lowerCaseName(name) === 'proxy-connection') facts.connection = joined(facts.connection, value);
        break;
      case 17:
        if (lowerCaseName(name) === 'transfer-encoding') facts.encodings = joined(facts.encodings, value);
        break;
    }
  }
  return facts;
}

function codingsOf(encodings: string): string[] {
  const codings = encodings.split(',').map((coding) => trimmed(coding).toLowerCase());
  // Empty ones and parameters are within the grammar, but also how one hop is made to see `chunked` and another not.
  if (!codings.every((coding) => TOKEN.test(coding))) {
    throw new ProtocolError(`bad Transfer-Encoding ${JSON.stringify(encodings.slice(0, 100))}`);
  }
  return codings;
}

function contentLength({ encodings, lengths, length: value }: Facts): number | undefined {
  if (value === undefined) return undefined;
  if (encodings !== undefined) throw new ProtocolError('both Transfer-Encoding and Content-Length');
  // A list of equal lengths may be collapsed (RFC 9110 section 8.6), but the next hop would see the list: refused.
  if (lengths > 1) throw new ProtocolError('more than one Content-Length');
  if (!/^\d+$/.test(value))
    throw new ProtocolError(`bad Content-Length ${JSON.stringify(value.slice(0, 100))}`);
  const length = Number(value);
  if (!Number.isSafeInteger(length))
    throw new ProtocolError(`Content-Length ${value.slice(0, 100)} is over 2^53`, 413);
  return length;
}

function persistent(version: string, facts: Facts): boolean {
  if (hasToken(facts.connection, 'close')) return false;
  return version === '1.1' || hasToken(facts.connection, 'keep-alive');
}
