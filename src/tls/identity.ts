import { X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { checkServerIdentity as nodes, type PeerCertificate } from 'node:tls';

/**
 * `tls.checkServerIdentity`, for IPv6 addresses too: that of Node 22.23 does not find these in any certificate.
 * @returns what is wrong with the certificate for `host`, if anything is
 */
export function checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (isIPv6(host) && new X509Certificate(certificate.raw).checkIP(host) !== undefined) return undefined;
  return nodes(host, certificate);
}
