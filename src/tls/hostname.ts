import { isIPv4, isIPv6 } from 'node:net';
import { SluiceError, shown } from '../errors.js';

/** A name that a certificate can be made for. */
export interface HostName {
  /** In the one form it is compared in: lower case, no brackets, no final dot, IPv6 shortened. */
  readonly text: string;
  /** 4 or 16 octets if the name is an IP address. */
  readonly address?: Buffer;
}

/** Letters, digits, hyphens (RFC 1123 section 2.1), and underscores, which names in test networks have. */
const LABEL = /^[a-z0-9_-]{1,63}$/;

/**
 * Reads a DNS name or an IP address; IPv6 also in brackets or with a zone, which is dropped.
 * @throws SluiceError BAD_OPTION for anything else: wildcards, ports, names outside ASCII, over 253 characters
 */
export function readHostName(name: string): HostName {
  const text = name.toLowerCase();
  if (isIPv4(text)) return { text, address: Buffer.from(text.split('.').map(Number)) };
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (isIPv6(bare)) return readIPv6(bare);
  const dns = text.endsWith('.') ? text.slice(0, -1) : text;
  if (dns.length <= 253 && dns.split('.').every((label) => LABEL.test(label))) return { text: dns };
  throw new SluiceError(
    'BAD_OPTION',
    `${shown(name)} is not a name to make a certificate for; give a DNS name in ASCII or an IP address, without a port`,
  );
}

function readIPv6(literal: string): HostName {
  // URL gives the form of RFC 5952: no zone, hexadecimal groups only, one `::` at most.
  const text = new URL(`http://[${literal.replace(/%.*/, '')}]`).hostname.slice(1, -1);
  const [head = [], tail = []] = text
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return { text, address: Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex') };
}
