/**
 * Every option of the proxy, in one table.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { SluiceError, shown } from './errors.js';

/** Octets: a number, or digits with `k`, `m` or `g` (1024-based, either case): `'3m'` is 3 145 728. */
export type Size = number | string;

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
  /** A proxy to go through on the way to origins. Default none. */
  upstream?: UpstreamProxy;
  /** Bodies strictly larger than this are streamed. Default: none are. */
  streamLargeBodies?: Size;
  /** Whether WebSocket frames pass on as they arrive, instead of in whole messages. Default `false`. */
  streamWebsockets?: boolean;
  /** How much of a WebSocket message's payload is recorded; larger ones are marked `truncated`. Default: all of it. */
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
  upstream: UpstreamProxy | undefined;
  streamLargeBodies: number;
  streamWebsockets: boolean;
  maxStoredMessageSize: number;
  streamContentTypes: string[];
  bodySizeLimit: number;
  http2: boolean;
  digest: 'sha256' | false;
  hosts: Record<string, string>;
  originErrors: 'respond' | 'abort';
  ca: { cert: string; key: string } | undefined;
  upstreamCa: string[];
  verifyUpstream: boolean;
  timeouts: { connect: number; idle: number };
}

/** What a {@link Size} may be, for messages. */
export const SIZE_ACCEPTED = "a number of bytes or digits with k, m or g, as in 65536, '64k', '3m', '1g'";

/**
 * Reads a {@link Size}.
 * @param name what to call it in the error
 * @throws SluiceError BAD_OPTION for anything but a whole number of octets: `'3mb'`, `'1.5m'`, `''`, `-1`
 */
export function parseSize(value: unknown, name = 'size'): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  const match = typeof value === 'string' ? /^(\d+)([kmg]?)$/i.exec(value) : null;
  if (match?.[1] !== undefined) {
    const factor = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2]?.toLowerCase() ?? ''] ?? 1;
    const size = Number(match[1]) * factor;
    if (Number.isSafeInteger(size)) return size;
  }
  throw new SluiceError('BAD_OPTION', `${name}: ${shown(value)} is not a size; accepted is ${SIZE_ACCEPTED}`);
}

interface OptionSpec<T> {
  readonly default: T;
  /** One line, for lists of the options. */
  readonly help: string;
  readonly accepted: string;
  /** The value holds keys or passwords: messages must not show it. */
  readonly secret?: boolean;
  /** Gives the checked value, or `undefined` if it is not accepted; throws only for a better message. */
  read(value: unknown, name: string): T | undefined;
}

const isObject = (v: unknown): v is Record<string, unknown> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
const isPort = (v: unknown): v is number =>
  typeof v === 'number' && Number.isInteger(v) && v >= 0 && v <= 65535;
/** More makes a timer of Node's fire at once. */
const MAX_MILLISECONDS = 2 ** 31 - 1;
const isMilliseconds = (v: unknown): v is number => typeof v === 'number' && v > 0 && v <= MAX_MILLISECONDS;
const isStrings = (v: unknown): v is string[] => Array.isArray(v) && v.every((s) => typeof s === 'string');

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}

/** Whether a text is PEM with at least one certificate, and each of them can be read. */
function isCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.length > 0 && blocks.every((block) => isCertificate(block));
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

const size = (fallback: number, help: string): OptionSpec<number> => ({
  default: fallback,
  help,
  accepted: SIZE_ACCEPTED,
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
  read: (value) => values.find((v) => v === value),
});

/** The table. A new option is a row here, a field in {@link ProxyOptions} and one in {@link ResolvedOptions}. */
export const OPTIONS: { readonly [K in keyof ResolvedOptions]: OptionSpec<ResolvedOptions[K]> } = {
  host: {
    default: '127.0.0.1',
    help: 'the address to listen on',
    accepted: 'an address or name of this machine',
    read: (v) => (typeof v === 'string' && v !== '' ? v : undefined),
  },
  port: {
    default: 0,
    help: 'the port to listen on; 0 for any free one',
    accepted: 'a port from 0 to 65535, or { from, to } within 1024 to 65535',
    read: (v) => {
      if (isPort(v)) return v;
      if (isObject(v) && isPort(v.from) && isPort(v.to) && v.from >= 1024 && v.from <= v.to) {
        return { from: v.from, to: v.to };
      }
      return undefined;
    },
  },
  upstream: {
    default: undefined,
    help: 'a proxy to go through on the way to origins',
    accepted: '{ server: "http://host:port", bypass?, username?, password? }; SOCKS is not supported',
    secret: true,
    read: (v) => {
      if (!isObject(v) || typeof v.server !== 'string') return undefined;
      for (const [key, field] of Object.entries(v)) {
        if (!['server', 'bypass', 'username', 'password'].includes(key)) return undefined;
        if (field !== undefined && typeof field !== 'string') return undefined;
      }
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
  maxStoredMessageSize: size(Number.POSITIVE_INFINITY, 'how much of a WebSocket message is recorded'),
  streamContentTypes: {
    default: ['text/event-stream', 'multipart/x-mixed-replace', 'application/grpc*'],
    help: 'content types that stream by default, since buffering would stall them; [] for none',
    accepted: 'an array of content types, a trailing * for any rest',
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
    read: (v) => (isObject(v) && isStrings(Object.values(v)) ? (v as Record<string, string>) : undefined),
  },
  originErrors: oneOf<'respond' | 'abort'>(
    'respond',
    ['respond', 'abort'],
    'what a client sees of an origin that fails: a 502, or a cut connection',
  ),
  ca: {
    default: undefined,
    help: 'the CA that signs the certificates shown to clients',
    accepted: '{ cert, key }, both PEM',
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
  for (const name of Object.keys(options)) {
    if (!(names as string[]).includes(name)) {
      const near = nearest(name, names);
      const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`;
      throw new SluiceError('UNKNOWN_OPTION', `unknown option ${shown(name)}; ${hint}`);
    }
  }
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

/** Options that only hold from a proxy's start. */
const FIXED: readonly (keyof ProxyOptions)[] = ['host', 'port', 'ca', 'upstream'];

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

/** The candidate within two edits of `name`, if there is one. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, far: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best !== undefined && best.far <= Math.max(2, Math.floor(name.length / 4))
    ? best.candidate
    : undefined;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
