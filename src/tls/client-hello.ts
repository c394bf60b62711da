/**
 * What a TLS client says first (RFC 8446 section 4.1.2), as far as a proxy needs it before it answers.
 * @module
 */

export interface ClientHello {
  /** SNI (RFC 6066 section 3). */
  serverName: string | undefined;
  /** ALPN (RFC 7301 section 3.1), in the client's order; empty if it offers none. */
  protocols: string[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const ALPN = 16;
/** Octets of a record's header, and of a handshake message's. */
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** A hello is not larger. No RFC sets a bound; TLS libraries have one of 16 KiB and up. */
const LARGEST = 64 * 1024;
/** What is read for a hello, records' headers included, before it is left to the TLS library to refuse. */
const MOST = 2 * LARGEST;

/** @returns `undefined` while more is needed; an empty hello for what can't be read as one */
export function readClientHello(bytes: Buffer): ClientHello | undefined {
  const message = handshakeOf(bytes);
  if (message === undefined) return bytes.length > MOST ? nothing() : undefined;
  try {
    return helloOf(new Reader(message));
  } catch (error) {
    if (error instanceof RangeError) return nothing();
    throw error;
  }
}

function nothing(): ClientHello {
  return { serverName: undefined, protocols: [] };
}

const NONE = Buffer.alloc(0);

/** The first handshake message without its header. Records may cut it anywhere. `undefined` while more is needed. */
function handshakeOf(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let have = 0;
  let wanted = MESSAGE_HEADER;
  for (let at = 0; have < wanted; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return NONE;
    if (at + RECORD_HEADER > bytes.length) return undefined;
    const part = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + bytes.readUInt16BE(at + 3));
    at += RECORD_HEADER + bytes.readUInt16BE(at + 3);
    parts.push(part);
    have += part.length;
    if (wanted === MESSAGE_HEADER && have >= MESSAGE_HEADER) {
      const begin = Buffer.concat(parts);
      const length = begin.readUIntBE(1, 3);
      if (begin[0] !== CLIENT_HELLO || length > LARGEST) return NONE;
      wanted += length;
    }
  }
  return Buffer.concat(parts).subarray(MESSAGE_HEADER, wanted);
}

function helloOf(hello: Reader): ClientHello {
  // Version and random.
  hello.take(2 + 32);
  hello.take(hello.number(1));
  hello.take(hello.number(2));
  hello.take(hello.number(1));
  const found = nothing();
  if (hello.left === 0) return found;
  const extensions = hello.part(hello.number(2));
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.part(extensions.number(2));
    if (type === SERVER_NAME) found.serverName = serverNameOf(body);
    else if (type === ALPN) found.protocols = protocolsOf(body);
  }
  return found;
}

function serverNameOf(body: Reader): string | undefined {
  const names = body.part(body.number(2));
  while (names.left > 0) {
    const type = names.number(1);
    const name = names.take(names.number(2));
    if (type === HOST_NAME && name.length > 0) return name.toString('latin1');
  }
  return undefined;
}

function protocolsOf(body: Reader): string[] {
  const list = body.part(body.number(2));
  const protocols: string[] = [];
  while (list.left > 0) protocols.push(list.take(list.number(1)).toString('latin1'));
  return protocols;
}

/** Reads in order; a RangeError tells that there is not as much as was said. */
class Reader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  number(octets: 1 | 2): number {
    const part = this.take(octets);
    return part.readUIntBE(0, octets);
  }

  take(octets: number): Buffer {
    if (octets > this.left) throw new RangeError('the hello is shorter than it says');
    this.#at += octets;
    return this.bytes.subarray(this.#at - octets, this.#at);
  }

  part(octets: number): Reader {
    return new Reader(this.take(octets));
  }
}
