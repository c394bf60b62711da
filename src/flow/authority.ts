/**
 * Hosts and ports as they are written (RFC 3986 section 3.2).
 * @module
 */

/** A host and port. An IPv6 address is without brackets here. */
export interface Authority {
  host: string;
  port: number;
}

/** `host:port`, with an IPv6 address in brackets; only the host where the port is `defaultPort`. */
export function formatAuthority({ host, port }: Authority, defaultPort?: number): string {
  const name = withBrackets(host);
  return port === defaultPort ? name : `${name}:${port}`;
}

/** A host as URLs have it. */
export function withBrackets(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** A host as sockets take it. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** The port of `https:` and `wss:`, or of `http:` and `ws:`. */
export function defaultPort(tls: boolean): number {
  return tls ? 443 : 80;
}

/** Where a URL of these schemes leads. */
export function endpointOf({ protocol, hostname, port }: URL): Authority & { tls: boolean } {
  const tls = protocol === 'https:' || protocol === 'wss:';
  return { tls, host: withoutBrackets(hostname), port: port === '' ? defaultPort(tls) : Number(port) };
}
