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
const ALPN = 16;
/** A hello is not larger (RFC 8446 section 4.1.2 sets no bound, its records do). */
const LARGEST = 64 * 1024;

/** @returns `undefined` while more is needed; an empty hello for what can't be read as one */
export function readClientHello(bytes: Buffer): ClientHello | undefined {
  const message = handshakeOf(bytes);
  if (message === undefined) return bytes.length > LARGEST ? NOTHING : undefined;
  try {
    return helloOf(new Reader(message));
  } catch (error) {
    if (error instanceof RangeError) return NOTHING;
    throw error;
  }
}

const NOTHING: ClientHello = { serverName: undefined, protocols: [] };

/** The first handshake message, whose records may cut it anywhere. */
function handshakeOf(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let have = 0;
  for (let at = 0; at + 5 <= bytes.length; ) {
    if (bytes[at] !== HANDSHAKE) return EMPTY;
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(at + 5, end));
    have += Math.min(end, bytes.length) - at - 5;
    at = end;
    if (have < 4) continue;
    const message = Buffer.concat(parts);
    if (message[0] !== CLIENT_HELLO) return EMPTY;
    const length = message.readUIntBE(1, 3);
    if (length > LARGEST) return EMPTY;
    if (have >= 4 + length) return message.subarray(4, 4 + length);
  }
  return undefined;
}

const EMPTY = Buffer.alloc(0);

function helloOf(hello: Reader): ClientHello {
  // Version and random.
  hello.take(2 + 32);
  hello.take(hello.number(1));
  hello.take(hello.number(2));
  hello.take(hello.number(1));
  const found: ClientHello = { serverName: undefined, protocols: [] };
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
    if (type === 0) return name.toString('latin1');
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
