/** What the first octets in a tunnel are. `unclear` asks for more. */
export type Spoken = 'tls' | 'http1' | 'unclear' | 'unknown';

const REQUEST_LINE_BEGINS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} (?:\/|\*|[Hh][Tt][Tt][Pp])/;
const MAY_YET_BEGIN = /^(?:\r\n?)?[!#$%&'*+\-.^_`|~0-9A-Za-z]{0,32}(?: (?:[Hh][Tt]{0,2})?)?$/;
const TLS_HANDSHAKE = 0x16;

/** Tells a protocol by its first octets. HTTP/2's preface is not HTTP/1. */
export function sniff(bytes: Buffer): Spoken {
  if (bytes.length === 0) return 'unclear';
  if (bytes[0] === TLS_HANDSHAKE) return 'tls';
  const text = bytes.toString('latin1', 0, 48).replace(/^(?:\r\n)+/, '');
  if (text.startsWith('PRI * HTTP/2')) return 'unknown';
  if ('PRI * HTTP/2'.startsWith(text)) return 'unclear';
  if (REQUEST_LINE_BEGINS.test(text)) return 'http1';
  return MAY_YET_BEGIN.test(text) ? 'unclear' : 'unknown';
}
