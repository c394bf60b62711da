/**
 * From a request head to where it goes and how it is named.
 * @module
 */
import { type Authority, defaultPort, formatAuthority } from '../flow/authority.js';
import { remembered } from '../flow/remembered.js';
import { hasToken, ProtocolError, type RequestHead } from '../http1/head.js';
import type { Route } from '../origin/origins.js';
import type { ClientRecord } from './client-info.js';

/** Where all requests of a connection go, whatever they name: the authority of its tunnel, or the origin of reverse mode. */
export interface FixedTarget extends Authority {
  /** Reverse mode: clients take this proxy for the origin. */
  reverse?: {
    /** The origin is spoken to over TLS, whatever the client does. */
    tls: boolean;
    /** Requests keep the Host that they came with. */
    keepsHost: boolean;
  };
}

const ABSOLUTE = /^(?:https?|wss?):\/\//i;
const NOT_IN_HOST = /[\s/?#@\\<>^|%"{}`]/;

/** Reads `host:port`; IPv6 addresses are in brackets. @param otherwise the port where none is named @throws ProtocolError */
export function parseAuthority(text: string, otherwise?: number): Authority {
  const { host, port = otherwise } = splitAuthority(text);
  if (host === undefined || port === undefined || port < 1 || port > 65535) {
    throw new ProtocolError(`${JSON.stringify(text.slice(0, 100))} is not a host and port`);
  }
  return { host, port };
}

/** The host in lower case, unless there is none that is valid, and the port that is named. */
const splitAuthority = remembered((text): Partial<Authority> => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || NOT_IN_HOST.test(host)) return {};
  return { host: host.toLowerCase(), ...(match?.[3] !== undefined && { port: Number(match[3]) }) };
});

/** A target in absolute form; `undefined` if it is in another one. */
function splitAbsolute(target: string): { scheme: string; authority: string; rest: string } | undefined {
  if (!ABSOLUTE.test(target)) return undefined;
  const colon = target.indexOf(':');
  const start = colon + 3;
  let end = start;
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end++;
  return { scheme: target.slice(0, colon), authority: target.slice(start, end), rest: target.slice(end) };
}

/**
 * Octets go to the tunnel's authority or the absolute-form target; Host only names the URL. A request that is for the
 * proxy itself, in origin form and outside of a tunnel, has no route. In reverse mode Host becomes the origin's, and the
 * URL has that in either case.
 * @throws ProtocolError
 */
export function locate(
  head: RequestHead,
  client: ClientRecord,
  tunnel: FixedTarget | undefined,
): { url: string; route: Route } | undefined {
  const hostField = head.headers.get('host');
  if (head.version === '1.1' && hostField === undefined)
    throw new ProtocolError('an HTTP/1.1 request without Host');
  // RFC 9110 sections 4.2.4 and 7.1: neither belongs into a target, and who drops one sees another request.
  if (head.target.includes('#')) throw badTarget(head.target, 'it has a fragment');
  const absolute = splitAbsolute(head.target);
  if (absolute?.authority.includes('@')) throw badTarget(head.target, 'it has userinfo');
  const scheme =
    tunnel === undefined
      ? `${(absolute?.scheme ?? 'http').toLowerCase().replace('ws', 'http')}:`
      : isSecure(tunnel, client)
        ? 'https:'
        : 'http:';
  const usual = defaultPort(scheme === 'https:');
  if (absolute === undefined && !head.target.startsWith('/')) {
    if (head.target !== '*') throw badTarget(head.target, 'it is not one that a proxy can serve');
    if (head.method !== 'OPTIONS') throw badTarget(head.target, 'only OPTIONS has it');
  }
  if (tunnel === undefined && absolute === undefined) return undefined;
  const target: FixedTarget = tunnel ?? parseAuthority(absolute?.authority ?? '', usual);
  const sameHost = hostField === undefined || hostField === '' || hostField === absolute?.authority;
  const named = sameHost || tunnel?.reverse ? target : parseAuthority(hostField, usual);
  const webSocket = isWebSocketHandshake(head);
  const shownScheme = webSocket ? scheme.replace('http', 'ws') : scheme;
  const rest = absolute?.rest ?? head.target;
  const path = rest === '*' ? '/' : rest.startsWith('/') ? rest : `/${rest}`;
  if (tunnel?.reverse?.keepsHost === false) {
    const host = formatAuthority(tunnel, usual);
    if (hostField !== host) head.headers.set(head.version === '2.0' ? 'host' : 'Host', host);
  }
  return {
    url: `${shownScheme}//${formatAuthority(named, usual)}${path}`,
    route: {
      tls: scheme === 'https:',
      host: target.host,
      port: target.port,
      serverName: serverNameOf(target, client.sni),
      ...(webSocket ? { opaque: true } : {}),
    },
  };
}

/** The name to ask an origin for in TLS: what the client asked for, but in reverse mode that names this proxy. */
export function serverNameOf({ host, reverse }: FixedTarget, sni: string | undefined): string {
  return reverse === undefined ? (sni ?? host) : host;
}

/** What goes before a target in origin form. */
export function originOf(tunnel: FixedTarget, client: ClientRecord): string {
  const tls = isSecure(tunnel, client);
  return `${tls ? 'https' : 'http'}://${formatAuthority(tunnel, defaultPort(tls))}`;
}

function isSecure({ reverse }: FixedTarget, client: ClientRecord): boolean {
  return reverse?.tls ?? client.tls;
}

/** RFC 6455 section 4.1. */
function isWebSocketHandshake({ method, headers }: RequestHead): boolean {
  return method === 'GET' && headers.has('upgrade') && hasToken(headers.get('upgrade'), 'websocket');
}

function badTarget(target: string, why: string): ProtocolError {
  return new ProtocolError(`bad request target ${JSON.stringify(target.slice(0, 100))}: ${why}`);
}
