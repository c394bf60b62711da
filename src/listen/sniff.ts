/** What the first octets of a connection, or in a tunnel, are. `unclear` asks for more. */
export type Spoken = 'tls' | 'http1' | 'http2' | 'unclear' | 'unknown';

const REQUEST_LINE_BEGINS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} (?:\/|\*|[Hh][Tt][Tt][Pp])/;
const MAY_YET_BEGIN = /^(?:\r\n?)?[!#$%&'*+\-.^_`|~0-9A-Za-z]{0,32}(?: (?:[Hh][Tt]{0,2})?)?$/;
const TLS_HANDSHAKE = 0x16;

/** How HTTP/2 begins (RFC 9113 section 3.4). */
const PREFACE = 'PRI * HTTP/2.0\r\n';

/** Tells only TLS from anything else. */
export function sniffTls(bytes: Buffer): Spoken {
  if (bytes.length === 0) return 'unclear';
  return bytes[0] === TLS_HANDSHAKE ? 'tls' : 'unknown';
}

/** Tells a protocol by its first octets. */
export function sniff(bytes: Buffer): Spoken {
  if (bytes.length === 0) return 'unclear';
  if (bytes[0] === TLS_HANDSHAKE) return 'tls';
  const text = bytes.toString('latin1', 0, 48).replace(/^(?:\r\n)+/, '');
  if (text.startsWith(PREFACE)) return 'http2';
  if (PREFACE.startsWith(text)) return 'unclear';
  if (REQUEST_LINE_BEGINS.test(text)) return 'http1';
  return MAY_YET_BEGIN.test(text) ? 'unclear' : 'unknown';
}
