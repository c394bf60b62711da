/**
 * From a request head to where it goes and how it is named.
 * @module
 */
import { type Authority, defaultPort, formatAuthority } from '../flow/authority.js';
import { hasToken, ProtocolError, type RequestHead } from '../http1/head.js';
import type { Route } from '../origin/origins.js';
import type { ClientRecord } from './client-info.js';

const NOT_IN_HOST = /[\s/?#@\\<>^|%"{}`]/;

/** Reads `host:port`; IPv6 addresses are in brackets. @param otherwise the port where none is named @throws ProtocolError */
export function parseAuthority(text: string, otherwise?: number): Authority {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? otherwise : Number(match[3]);
  if (host === undefined || NOT_IN_HOST.test(host) || port === undefined || port < 1 || port > 65535) {
    throw new ProtocolError(`${JSON.stringify(text.slice(0, 100))} is not a host and port`);
  }
  return { host: host.toLowerCase(), port };
}

/**
 * Octets go to the tunnel's authority or the absolute-form target; Host only names the URL. A request that is for the
 * proxy itself, in origin form and outside of a tunnel, has no route.
 * @throws ProtocolError
 */
export function locate(
  head: RequestHead,
  client: ClientRecord,
  tunnel: Authority | undefined,
): { url: string; route: Route } | undefined {
  const hostField = head.headers.get('host');
  if (head.version === '1.1' && hostField === undefined)
    throw new ProtocolError('an HTTP/1.1 request without Host');
  // RFC 9110 sections 4.2.4 and 7.1: neither belongs into a target, and who drops one sees another request.
  if (head.target.includes('#')) throw badTarget(head.target, 'it has a fragment');
  const absolute = /^(https?|wss?):\/\/([^/?]*)(.*)$/i.exec(head.target);
  if (absolute?.[2]?.includes('@')) throw badTarget(head.target, 'it has userinfo');
  const scheme =
    tunnel === undefined
      ? `${(absolute?.[1] ?? 'http').toLowerCase().replace('ws', 'http')}:`
      : client.tls
        ? 'https:'
        : 'http:';
  const usual = defaultPort(scheme === 'https:');
  if (absolute === null && !head.target.startsWith('/')) {
    if (head.target !== '*') throw badTarget(head.target, 'it is not one that a proxy can serve');
    if (head.method !== 'OPTIONS') throw badTarget(head.target, 'only OPTIONS has it');
  }
  if (tunnel === undefined && absolute === null) return undefined;
  const target = tunnel ?? parseAuthority(absolute?.[2] ?? '', usual);
  const sameHost = hostField === undefined || hostField === '' || hostField === absolute?.[2];
  const named = sameHost ? target : parseAuthority(hostField, usual);
  const webSocket = isWebSocketHandshake(head);
  const shownScheme = webSocket ? scheme.replace('http', 'ws') : scheme;
  const rest = absolute === null ? head.target : (absolute[3] ?? '');
  const path = rest === '*' ? '/' : rest.startsWith('/') ? rest : `/${rest}`;
  return {
    url: `${shownScheme}//${formatAuthority(named, usual)}${path}`,
    route: {
      tls: scheme === 'https:',
      host: target.host,
      port: target.port,
      serverName: client.sni ?? target.host,
      ...(webSocket ? { opaque: true } : {}),
    },
  };
}

/** RFC 6455 section 4.1. */
function isWebSocketHandshake({ method, headers }: RequestHead): boolean {
  return method === 'GET' && headers.has('upgrade') && hasToken(headers.get('upgrade'), 'websocket');
}

function badTarget(target: string, why: string): ProtocolError {
  return new ProtocolError(`bad request target ${JSON.stringify(target.slice(0, 100))}: ${why}`);
}
