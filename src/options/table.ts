/**
 * Every option of the proxy, in one table.
 * @module
 */
import { isCredentials, MODE_ACCEPTED, readMode } from './mode.js';
import { flowMatch, hostPatterns, type OptionSpec, oneOf, size } from './specs.js';
import { contentOf, filesForm, listForm, partsForm, portForm, textForm } from './text.js';
import type { ResolvedOptions, UpstreamProxy } from './types.js';
import {
  checkTextParts,
  isCertificates,
  isMilliseconds,
  isObject,
  isPercentEncoded,
  isPort,
  isStrings,
  MAX_MILLISECONDS,
} from './values.js';

const UPSTREAM_PARTS = ['server', 'bypass', 'username', 'password'];

const numeral = (given: string): unknown => (/^\d+$/.test(given) ? Number(given) : given);

/**
 * The table. A new option is a row here, a field in `ProxyOptions` and one in {@link ResolvedOptions}, and stands in
 * `FIXED` in resolve.ts if it cannot change while a proxy runs. The row's `text` is one of the forms in text.ts; the
 * command and its help are made from it.
 */
export const OPTIONS: { readonly [K in keyof ResolvedOptions]: OptionSpec<ResolvedOptions[K]> } = {
  host: {
    default: '127.0.0.1',
    help: 'the address to listen on',
    accepted: 'an address or name of this machine',
    text: textForm(),
    read: (v) => (typeof v === 'string' && v !== '' ? v : undefined),
  },
  port: {
    default: 0,
    help: 'the port to listen on; 0 for any free one',
    accepted: 'a port from 0 to 65535, or { from, to } within 1024 to 65535',
    text: portForm,
    read: (v) => {
      if (isPort(v)) return v;
      if (isObject(v) && isPort(v.from) && isPort(v.to) && v.from >= 1024 && v.from <= v.to) {
        return { from: v.from, to: v.to };
      }
      return undefined;
    },
  },
  mode: {
    default: 'regular',
    help: "what clients speak to the port: a proxy's HTTP, SOCKS5, or HTTP as to the server at URL",
    accepted: MODE_ACCEPTED,
    text: textForm('regular|socks5|reverse:URL', MODE_ACCEPTED.replaceAll("'", '')),
    read: readMode,
  },
  keepHostHeader: oneOf<boolean>(false, [true, false], 'leave the Host alone in mode reverse:URL'),
  proxyAuth: {
    default: undefined,
    help: 'the user name and password that clients have to give',
    accepted: "'user:password'; the password may have colons",
    text: textForm('user:password', 'user:password'),
    secret: true,
    read: (v) => (isCredentials(v) ? v : undefined),
  },
  upstream: {
    default: undefined,
    help: 'a proxy to go through on the way to origins',
    accepted: '{ server: "http://host:port", bypass?, username?, password? }; SOCKS is not supported',
    text: partsForm(
      'the URL of an HTTP proxy',
      'http://user:password@host:3128,bypass=.internal',
      UPSTREAM_PARTS,
    ),
    secret: true,
    read: (v, name) => {
      if (!isObject(v)) return undefined;
      checkTextParts(v, UPSTREAM_PARTS, name);
      if (typeof v.server !== 'string') return undefined;
      const server = /^[a-z][a-z0-9+.-]*:\/\//i.test(v.server) ? v.server : `http://${v.server}`;
      if (!URL.canParse(server) || !/^https?:\/\//i.test(server)) return undefined;
      // The URL's own user name and password are percent-encoded.
      const { username, password } = new URL(server);
      if (!isPercentEncoded(username) || !isPercentEncoded(password)) return undefined;
      return { ...(v as unknown as UpstreamProxy), server };
    },
  },
  streamLargeBodies: size(Number.POSITIVE_INFINITY, 'stream bodies strictly larger than this'),
  streamWebsockets: oneOf<boolean>(false, [true, false], 'pass WebSocket frames on as they arrive'),
  maxStoredMessageSize: size(Number.POSITIVE_INFINITY, 'how much of a WebSocket or TCP message is recorded'),
  streamContentTypes: {
    default: ['text/event-stream', 'multipart/x-mixed-replace', 'application/grpc*'],
    help: 'content types that stream by default, since buffering would stall them; an empty list for none',
    accepted: 'an array of content types, a trailing * for any rest',
    text: listForm('type', 'content types, or nothing for none', 'text/event-stream,application/grpc*'),
    read: (v) => (isStrings(v) ? v.map((type) => type.toLowerCase()) : undefined),
  },
  bodySizeLimit: size(Number.POSITIVE_INFINITY, 'the largest body that is buffered'),
  http2: oneOf<boolean>(true, [true, false], 'speak HTTP/2, to clients where their origin does'),
  digest: oneOf<'sha256' | false>('sha256', ['sha256', false], 'the digest kept of bodies'),
  hosts: {
    default: {},
    help: "sends a name's traffic to another address",
    accepted:
      "an object of 'name', '*.name', 'name:port' or '*' to 'host', 'host:port', 'http://host:port' or 'https://host:port'",
    text: partsForm('names with their targets', 'app.test=127.0.0.1:3000,*.cdn.test=127.0.0.1'),
    read: (v) => (isObject(v) && isStrings(Object.values(v)) ? (v as Record<string, string>) : undefined),
  },
  ignoreHosts: hostPatterns('tunnels that are left alone, by host:port'),
  tcpHosts: hostPatterns('tunnels that are recorded as TCP flows, by host:port'),
  stickyCookie: flowMatch('requests that get the cookies again which were set on others like them'),
  stickyAuth: flowMatch('requests that get the Authorization again which others like them had'),
  originErrors: oneOf<'respond' | 'abort'>(
    'respond',
    ['respond', 'abort'],
    'what a client sees of an origin that fails: a 502, or a cut connection',
  ),
  ca: {
    default: undefined,
    help: 'the CA that signs the certificates shown to clients',
    accepted: '{ cert, key }, both PEM',
    text: partsForm(
      'the files of certificate and key, both PEM',
      'ca.pem,ca-key.pem',
      ['cert', 'key'],
      contentOf,
    ),
    secret: true,
    read: (v) =>
      isObject(v) && typeof v.cert === 'string' && typeof v.key === 'string'
        ? { cert: v.cert, key: v.key }
        : undefined,
  },
  upstreamCa: {
    default: [],
    help: 'further CAs to trust in origins',
    accepted: 'certificates in PEM, or an array of such',
    text: filesForm('files of certificates in PEM', 'origin-ca.pem'),
    read: (v) => {
      const pems = typeof v === 'string' ? [v] : v;
      return isStrings(pems) && pems.every(isCertificates) ? pems : undefined;
    },
  },
  verifyUpstream: oneOf<boolean>(true, [true, false], "whether origins' certificates are verified"),
  timeouts: {
    default: { connect: 30_000, idle: 60_000 },
    help: 'milliseconds to connect to an origin, and of idleness between exchanges',
    accepted: `{ connect?, idle? } in milliseconds, over 0 and up to ${MAX_MILLISECONDS}`,
    text: partsForm('milliseconds over 0', 'connect=1000,idle=60000', ['connect', 'idle'], numeral),
    read: (v) => {
      if (!isObject(v)) return undefined;
      const { connect = 30_000, idle = 60_000, ...rest } = v;
      if (!isMilliseconds(connect) || !isMilliseconds(idle) || Object.keys(rest).length > 0) return undefined;
      return { connect, idle };
    },
  },
};

/** The names of all options. */
export const OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);
