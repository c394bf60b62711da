/**
 * What a client of SOCKS says (RFC 1928 and, of its user name and password, RFC 1929), and what it is answered. No I/O.
 * @module
 */
import { type Authority, withBrackets } from '../flow/authority.js';
import { ProtocolError } from '../http1/head.js';
import { parseAuthority } from './target.js';

export const VERSION = 5;

/** How a client can authenticate itself. */
export const METHOD = { none: 0, password: 2, noneAcceptable: 0xff } as const;

/** Replies to a request (RFC 1928 section 6). */
export const REPLY = {
  succeeded: 0,
  failed: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  expired: 6,
  unknownCommand: 7,
  unknownAddressType: 8,
} as const;

export type Reply = (typeof REPLY)[keyof typeof REPLY];

const CONNECT = 1;
const IPV4 = 1;
const DOMAIN = 3;
const IPV6 = 4;
const AUTH_VERSION = 1;

/** What a client sent is not SOCKS5, or not a part of it that is served. `answer` tells the client. */
export class SocksError extends Error {
  constructor(
    message: string,
    readonly answer: Buffer = Buffer.alloc(0),
  ) {
    super(message);
    this.name = 'SocksError';
  }
}

/** A message, and where in the octets it ended. */
export type Read<T> = { message: T; end: number };

/** The methods that a client offers. `undefined` while more is needed. @throws SocksError */
export function readGreeting(bytes: Buffer): Read<Buffer> | undefined {
  const [version, count] = bytes;
  if (version !== undefined && version !== VERSION) throw wrongVersion(version);
  if (count === undefined || bytes.length < 2 + count) return undefined;
  return { message: bytes.subarray(2, 2 + count), end: 2 + count };
}

/** A user name and its password. `undefined` while more is needed. @throws SocksError */
export function readCredentials(bytes: Buffer): Read<{ user: Buffer; password: Buffer }> | undefined {
  const [version, userLength] = bytes;
  if (version !== undefined && version !== AUTH_VERSION) {
    throw new SocksError(`version ${version} of the password sub-negotiation`, credentialsAnswer(false));
  }
  if (userLength === undefined) return undefined;
  const userEnd = 2 + userLength;
  const passwordLength = bytes[userEnd];
  if (passwordLength === undefined) return undefined;
  const end = userEnd + 1 + passwordLength;
  if (bytes.length < end) return undefined;
  return { message: { user: bytes.subarray(2, userEnd), password: bytes.subarray(userEnd + 1, end) }, end };
}

/** Where a client wants to be connected to. `undefined` while more is needed. @throws SocksError */
export function readRequest(bytes: Buffer): Read<Authority> | undefined {
  const [version, command, , type, length = 0] = bytes;
  if (version !== undefined && version !== VERSION) {
    throw new SocksError(`version ${version} in a request`, requestAnswer(REPLY.failed));
  }
  if (type === undefined || bytes.length < 5) return undefined;
  const address = type === DOMAIN ? 5 : 4;
  const octets = { [IPV4]: 4, [DOMAIN]: length, [IPV6]: 16 }[type];
  if (octets === undefined) {
    throw new SocksError(
      `address type ${type}; 1, 3 and 4 are known`,
      requestAnswer(REPLY.unknownAddressType),
    );
  }
  const end = address + octets + 2;
  if (bytes.length < end) return undefined;
  if (command !== CONNECT) {
    const name = command === 2 ? ' (BIND)' : command === 3 ? ' (UDP ASSOCIATE)' : '';
    throw new SocksError(
      `command ${command}${name}; only 1, CONNECT, is served`,
      requestAnswer(REPLY.unknownCommand),
    );
  }
  const host = hostOf(type, bytes.subarray(address, address + octets));
  const port = bytes.readUInt16BE(end - 2);
  try {
    return { message: parseAuthority(`${withBrackets(host)}:${port}`), end };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new SocksError(error.message, requestAnswer(REPLY.failed));
  }
}

/** Which of the methods offered is taken. */
export function greetingAnswer(method: number): Buffer {
  return Buffer.from([VERSION, method]);
}

export function credentialsAnswer(admitted: boolean): Buffer {
  return Buffer.from([AUTH_VERSION, admitted ? 0 : 1]);
}

/** The address that it has room for is not told: clients have no use for the one that was connected from. */
export function requestAnswer(reply: Reply): Buffer {
  return Buffer.from([VERSION, reply, 0, IPV4, 0, 0, 0, 0, 0, 0]);
}

function hostOf(type: number, octets: Buffer): string {
  if (type === IPV4) return octets.join('.');
  if (type === IPV6) {
    const groups = octets.toString('hex').match(/.{4}/g) ?? [];
    // URL gives the short form (RFC 5952).
    return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  }
  const name = octets.toString('latin1');
  // Resolvers end a name at NUL, and read octets over 127 in different ways.
  if (!/^[\x21-\x7e]+$/.test(name)) {
    throw new SocksError(`${JSON.stringify(name)} is not a host name`, requestAnswer(REPLY.failed));
  }
  return name;
}

function wrongVersion(version: number): SocksError {
  const wanted = 'this port speaks SOCKS5 (option mode)';
  // SOCKS4 has an answer of its own for "rejected or failed".
  if (version === 4) {
    return new SocksError(`${wanted}, and the client SOCKS4`, Buffer.from([0, 0x5b, 0, 0, 0, 0, 0, 0]));
  }
  return new SocksError(`${wanted}, and the client began with octet ${version}`);
}
