/**
 * Every option of the proxy, in one table.
 * @module
 */
import { messageOf, SluiceError, shown } from './errors.js';
import { compileFilter } from './flow/filter.js';
import { compileFlowMatch, type FlowMatch } from './flow/match.js';
import { isCredentials, MODE_ACCEPTED, type ProxyMode, readMode } from './mode.js';
import { refuseUnknown } from './nearest.js';
import {
  choiceForm,
  contentOf,
  filesForm,
  itemForm,
  listForm,
  partsForm,
  portForm,
  type TextForm,
  textForm,
} from './option-text.js';
import {
  checkTextParts,
  hostPattern,
  isCertificates,
  isMilliseconds,
  isObject,
  isPercentEncoded,
  isPort,
  isStrings,
  MAX_MILLISECONDS,
} from './option-values.js';
import { parseSize, SIZE_ACCEPTED, type Size } from './size.js';

/** A proxy to go through on the way to origins. */
export interface UpstreamProxy {
  /** `http://host:port`, `https://host:port` or `host:port`. */
  server: string;
  /** Hosts to reach directly, comma-separated: `localhost, .internal, *.corp.test`. */
  bypass?: string;
  username?: string;
  password?: string;
}

/** Options of {@link startProxy}. */
export interface ProxyOptions {
  /** The address to listen on. Default `'127.0.0.1'`. */
  host?: string;
  /** Default 0, any free port; a range takes its first free port. */
  port?: number | { from: number; to: number };
  /** What clients speak to the port: HTTP as to a proxy (`'regular'`, default), SOCKS5, or HTTP as to the server at URL. */
  mode?: ProxyMode;
  /** The `Host` that a client sent is left alone in mode `reverse:URL`. Default `false`: it becomes that of the URL. */
  keepHostHeader?: boolean;
  /** `user:password` that clients have to give; it goes no further. The password may have colons. Default: none needed. */
  proxyAuth?: string;
  /** A proxy to go through on the way to origins. Default none. */
  upstream?: UpstreamProxy;
  /** Bodies strictly larger than this are streamed. Default: none are. */
  streamLargeBodies?: Size;
  /** Whether WebSocket frames pass on as they arrive, instead of in whole messages. Default `false`. */
  streamWebsockets?: boolean;
  /** How much of a WebSocket or TCP message is recorded; larger ones are marked `truncated`. Default: all of it. */
  maxStoredMessageSize?: Size;
  /** Content types that stream by default, because buffering stalls them; a trailing `*` matches any rest. */
  streamContentTypes?: string[];
  /** The largest body that is buffered; a larger one fails the exchange: 413, or as `originErrors` says. Default: no limit. */
  bodySizeLimit?: Size;
  /** Whether HTTP/2 is spoken, to clients where their origin does. Default `true`. */
  http2?: boolean;
  /** The digest kept of bodies. Default `'sha256'`; `false` keeps none and is faster. */
  digest?: 'sha256' | false;
  /** Sends a name's traffic elsewhere; URL, Host, SNI and certificate stay. `{ 'app.test': '127.0.0.1:3000' }` */
  hosts?: Record<string, string>;
  /**
   * Tunnels to leave alone: no TLS interception, no flow. Looked for in the `host:port` of CONNECT and of the name in a
   * TLS hello. A string is a regular expression without regard to case. Default none.
   */
  ignoreHosts?: (RegExp | string)[];
  /** Tunnels whose octets are recorded as TCP flows once TLS is off; matched as in `ignoreHosts`. Default none. */
  tcpHosts?: (RegExp | string)[];
  /** Cookies set on flows that match are sent again with requests that match and have none. Default: no flow matches. */
  stickyCookie?: FlowMatch;
  /** `Authorization` of flows that match is sent again with requests that match and have none. Default: no flow matches. */
  stickyAuth?: FlowMatch;
  /** What a client sees of an origin that fails: a 502 (`'respond'`, default) or a cut connection (`'abort'`). */
  originErrors?: 'respond' | 'abort';
  /** The CA that signs the certificates shown to clients, PEM. Default: one per process, in memory. */
  ca?: { cert: string; key: string };
  /** Further CAs to trust in origins, PEM. */
  upstreamCa?: string | string[];
  /** Whether origins' certificates are verified. Default `true`. */
  verifyUpstream?: boolean;
  /** Milliseconds: to connect to an origin (default 30 000), and a connection's idle time between exchanges (60 000). */
  timeouts?: { connect?: number; idle?: number };
}

/** Options after checking: every one present, sizes in octets. */
export interface ResolvedOptions {
  host: string;
  port: number | { from: number; to: number };
  mode: ProxyMode;
  keepHostHeader: boolean;
  proxyAuth: string | undefined;
  upstream: UpstreamProxy | undefined;
  streamLargeBodies: number;
  streamWebsockets: boolean;
  maxStoredMessageSize: number;
  streamContentTypes: string[];
  bodySizeLimit: number;
  http2: boolean;
  digest: 'sha256' | false;
  hosts: Record<string, string>;
  ignoreHosts: RegExp[];
  tcpHosts: RegExp[];
  stickyCookie: FlowMatch | undefined;
  stickyAuth: FlowMatch | undefined;
  originErrors: 'respond' | 'abort';
  ca: { cert: string; key: string } | undefined;
  upstreamCa: string[];
  verifyUpstream: boolean;
  timeouts: { connect: number; idle: number };
}

interface OptionSpec<T> {
  readonly default: T;
  /** One line, for lists of the options. */
  readonly help: string;
  readonly accepted: string;
  /** How it is written on the command line; its name there is the one here in snake case. */
  readonly text: TextForm;
  /** The value holds keys or passwords: messages must not show it. */
  readonly secret?: boolean;
  /** Gives the checked value, or `undefined` if it is not accepted; throws only for a better message. */
  read(value: unknown, name: string): T | undefined;
}

const UPSTREAM_PARTS = ['server', 'bypass', 'username', 'password'];

const numeral = (given: string): unknown => (/^\d+$/.test(given) ? Number(given) : given);

const size = (fallback: number, help: string): OptionSpec<number> => ({
  default: fallback,
  help,
  accepted: SIZE_ACCEPTED,
  text: textForm('size'),
  read: (value, name) => (value === Number.POSITIVE_INFINITY ? (value as number) : parseSize(value, name)),
});

const oneOf = <T extends string | boolean>(
  fallback: T,
  values: readonly T[],
  help: string,
): OptionSpec<T> => ({
  default: fallback,
  help,
  accepted: values.map((v) => JSON.stringify(v)).join(' or '),
  text: choiceForm(values),
  read: (value) => values.find((v) => v === value),
});

/** Patterns of `host:port`, looked for without regard to case as mitmproxy does, or as a RegExp's own flags say. */
const hostPatterns = (help: string): OptionSpec<RegExp[]> => ({
  default: [],
  help,
  accepted: 'an array of RegExps or regular expressions as text',
  text: itemForm('regex', 'a regular expression', '^db[.]test:5432$'),
  read: (v, name) => (Array.isArray(v) ? v.map((pattern) => hostPattern(pattern, name)) : undefined),
});

const flowMatch = (help: string): OptionSpec<FlowMatch | undefined> => ({
  default: undefined,
  help,
  accepted: 'a URL glob, a RegExp, a function or a query, as waitForRequest() takes',
  text: {
    ...textForm('filter', 'a filter expression', '~d app.test'),
    parse: (filter, name) => {
      // It is looked at as such, and not as a part of a match.
      named(name, /^filter: /, () => compileFilter(filter));
      return { filter };
    },
  },
  read: (v, name) => {
    named(name, /^match: (?:filter: (?=filter: ))?/, () => compileFlowMatch(v as FlowMatch));
    return v as FlowMatch;
  },
});

/** @throws SluiceError BAD_OPTION with what `check` throws, by this name instead of its own */
function named(name: string, own: RegExp, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    const error = new SluiceError('BAD_OPTION', `${name}: ${messageOf(cause).replace(own, '')}`, { cause });
    throw isObject(cause) && 'at' in cause ? Object.assign(error, { at: cause.at }) : error;
  }
}

/**
 * The table. A new option is a row here, a field in {@link ProxyOptions} and one in {@link ResolvedOptions}, and stands
 * in `FIXED` if it cannot change while a proxy runs. The row's `text` is one of the forms in option-text.ts; the command
 * and its help are made from it.
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

/**
 * Checks options and fills in defaults.
 * @throws SluiceError UNKNOWN_OPTION or BAD_OPTION, naming the value and what is accepted
 */
export function resolveOptions(options: ProxyOptions = {}): ResolvedOptions {
  if (!isObject(options)) throw new SluiceError('BAD_OPTION', `options: ${shown(options)} is not an object`);
  const names = Object.keys(OPTIONS) as (keyof ResolvedOptions)[];
  refuseUnknown(Object.keys(options), names);
  const resolve = <K extends keyof ResolvedOptions>(name: K): ResolvedOptions[K] => {
    const spec = OPTIONS[name];
    const value = options[name];
    if (value === undefined) return spec.default;
    const read = spec.read(value, name);
    if (read === undefined) {
      const given = spec.secret === true ? 'the value given' : shown(value);
      throw new SluiceError('BAD_OPTION', `${name}: ${given} is not accepted; give ${spec.accepted}`);
    }
    return read;
  };
  return Object.fromEntries(names.map((name) => [name, resolve(name)])) as unknown as ResolvedOptions;
}

/** The names of all options. */
export const OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);

/** Options that only hold from a proxy's start. */
const FIXED: readonly (keyof ProxyOptions)[] = [
  'host',
  'port',
  'ca',
  'mode',
  'proxyAuth',
  'upstream',
  'stickyCookie',
  'stickyAuth',
];

/**
 * Changes options that are in use. `hosts` are left to whoever maps them.
 * @throws SluiceError UNKNOWN_OPTION, or BAD_OPTION, also for one that only holds from a proxy's start
 */
export function changeOptions(current: ResolvedOptions, options: ProxyOptions): void {
  const resolved = resolveOptions(options);
  for (const name of Object.keys(options) as (keyof ProxyOptions)[]) {
    if (options[name] === undefined) continue;
    if (FIXED.includes(name)) {
      throw new SluiceError(
        'BAD_OPTION',
        `${name}: the proxy runs already; give it where the proxy is started`,
      );
    }
    Object.assign(current, { [name]: resolved[name] });
  }
}
