/**
 * The options of the proxy: as they are given, and as they are after checking.
 * @module
 */
import type { FlowMatch } from '../flow/match.js';
import type { Size } from '../size.js';
import type { ProxyMode } from './mode.js';

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
