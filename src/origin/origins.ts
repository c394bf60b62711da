import type { Socket } from 'node:net';
import { messageOf } from '../errors.js';
import { type Authority, defaultPort, formatAuthority } from '../flow/authority.js';
import type { ServerInfo } from '../flow/types.js';
import type { ResolvedOptions } from '../options/types.js';
import type { IdleWatch } from '../tcp/idle-watch.js';
import { connectTcp, connectTls, type Dialled } from './connect.js';
import { OriginConnection } from './connection.js';
import { OriginFailure } from './failure.js';
import { HostMap } from './hosts.js';
import { Http2Origin } from './http2-origin.js';
import { Http2Pool } from './http2-pool.js';
import { type ReadyConnection, ReadyConnections } from './ready.js';
import type { ConnectionPin, OriginStream } from './stream.js';
import { UpstreamRoute } from './upstream.js';

/** Where a request's octets go. */
export interface Route {
  tls: boolean;
  host: string;
  port: number;
  /** The name to ask for in TLS. */
  serverName: string;
  /** A chained proxy must not look into what passes, as it would into plain requests: set for WebSocket handshakes. */
  opaque?: boolean;
  /** Octets pass as they are: TLS is never spoken, whatever a map of names says. */
  untouched?: boolean;
  /** The client speaks HTTP/2, or nothing else (`only`): the origin is asked whether it does. */
  http2?: boolean | 'only';
}

/** A connection for a raw tunnel, and what is known of its other end. */
export interface DialledRaw extends Dialled {
  info: ServerInfo;
}

/** Where a route leads once names are mapped and a chained proxy is taken into account. */
interface Hop {
  tls: boolean;
  host: string;
  port: number;
  upstream: boolean;
}

const HTTP1: readonly string[] = ['http/1.1'];
const BOTH: readonly string[] = ['h2', 'http/1.1'];

/**
 * Idle connections that are kept for each key: fewer than clients use at once, and each request would need a new one.
 * Those that were made although others were idle, for uploads that cannot be sent twice, only add to fewer.
 */
const MAX_IDLE = 1024;
const MAX_SPARE = 64;

/** Connections to origins: made, kept while idle, and never bound to a client's connection unless HTTP needs that. */
export class Origins {
  readonly hosts: HostMap;
  readonly #upstream: UpstreamRoute | undefined;
  readonly #idle = new Map<string, OriginConnection[]>();
  readonly #http2 = new Http2Pool();
  readonly #ready: ReadyConnections;
  readonly #open = new Set<Socket>();
  readonly #ports = new Set<number>();
  #closed = false;

  /** @param isSelf whether an address is where this proxy listens */
  constructor(
    private readonly options: ResolvedOptions,
    private readonly isSelf: (host: string, port: number) => boolean,
    private readonly idleWatch: IdleWatch,
  ) {
    this.hosts = new HostMap(options.hosts);
    this.#ready = new ReadyConnections(idleWatch);
    this.#upstream = options.upstream === undefined ? undefined : new UpstreamRoute(options.upstream);
  }

  /** Whether a client's port is the near end of a connection that this proxy made to itself. */
  isOwnPort(port: number | undefined): boolean {
    return port !== undefined && this.#ports.has(port);
  }

  /**
   * @param fresh not one that has served before; streams of HTTP/2 don't stand in each other's way
   * @param pin holds the connection that this client's authenticated exchanges are pinned to, if there is one
   * @throws OriginFailure
   */
  acquire(route: Route, fresh: boolean, pin: ConnectionPin): OriginStream | Promise<OriginStream> {
    const hop = this.#hop(route);
    const key = this.#key(route, hop);
    const asks = (route.http2 ?? false) !== false && this.#http2.spoken(key) !== 'http/1.1';
    if (this.#mayHttp2(route, hop) && (asks || this.#http2.speaksOnly(key))) {
      const origin = this.#http2.find(key);
      if (origin !== undefined) return origin.open();
      return this.#join(route, hop, key).then(
        (joined) => joined?.open() ?? this.#take(route, hop, key, fresh),
      );
    }
    const { pinned } = pin;
    if (pinned instanceof OriginConnection && pinned.key === key && pinned.idle) {
      pinned.take();
      return pinned;
    }
    return this.#take(route, hop, key, fresh);
  }

  /** What an origin speaks when it has the choice. Remembered. @throws OriginFailure */
  async spokenBy(route: Route): Promise<'h2' | 'http/1.1'> {
    const hop = this.#hop(route);
    if (!hop.tls || !this.#mayHttp2(route, hop)) return 'http/1.1';
    const key = this.#key(route, hop);
    if (this.#http2.spoken(key) === 'http/1.1') return 'http/1.1';
    // Without a connection that proves it, it is asked again: one is needed anyway.
    if (this.#http2.find(key) !== undefined) return 'h2';
    return (await this.#join(route, hop, key)) === undefined ? 'http/1.1' : 'h2';
  }

  /**
   * A connection for a raw tunnel.
   * @param alpn what to offer in TLS
   * @throws OriginFailure
   */
  async dial(route: Route, alpn = HTTP1): Promise<DialledRaw> {
    const hop = this.#hop(route);
    const made = this.#ready.take(readyKey(hop), !hop.tls);
    const dialled = await this.#dial(route, hop, { tunnel: true, alpn, made });
    const via = hop.upstream && this.#upstream !== undefined ? { via: this.#upstream.name } : {};
    const { remoteAddress: address = '', remotePort: port = 0 } = dialled.raw;
    return { ...dialled, info: { address, port, tls: hop.tls, reused: false, ...via } };
  }

  /**
   * Connects before it is known what will be spoken. What goes there next uses the connection.
   * @throws OriginFailure
   */
  async prepare({ host, port }: Authority): Promise<ReadyConnection> {
    const route = { tls: false, host, port, serverName: host };
    const hop = { ...this.#hop(route), tls: false };
    const dialled = await this.#dial(route, hop, { tunnel: true, alpn: HTTP1 });
    return this.#ready.add(readyKey(hop), { ...dialled, tunnelled: true }, this.options.timeouts.idle);
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
    this.#idle.clear();
    this.#http2.close();
  }

  #hop(route: Route): Hop {
    const mapped = this.hosts.find(route.host, route.port);
    const hop: Hop = {
      tls: route.untouched !== true && (mapped?.tls ?? route.tls),
      host: mapped?.host ?? route.host,
      port: mapped?.port ?? route.port,
      upstream: false,
    };
    if (this.isSelf(hop.host, hop.port)) {
      const itself = `${formatAuthority(route)} is this proxy itself: it would ask itself for ever`;
      throw new OriginFailure('PROXY_LOOP', itself);
    }
    // What was mapped by hand is meant to be reached as it says.
    if (mapped === undefined && this.#upstream?.serves(route.host, route.port)) hop.upstream = true;
    return hop;
  }

  #key(route: Route, hop: Hop): string {
    const tls = hop.tls ? `tls ${route.serverName} ${this.options.verifyUpstream}` : 'plain';
    const through = !hop.upstream ? '' : route.opaque ? ' tunnel' : ' upstream';
    return `${tls} ${hop.host}:${hop.port}${through}`;
  }

  /**
   * HTTP/2 without TLS is for those who know that the origin speaks it: not for what a map or hook took TLS from, unless the
   * client would not be there if it did not.
   */
  #mayHttp2(route: Route, hop: Hop): boolean {
    return this.options.http2 && route.opaque !== true && (hop.tls || !route.tls || route.http2 === 'only');
  }

  /** An HTTP/1 connection, idle or new. */
  #take(route: Route, hop: Hop, key: string, fresh: boolean): OriginConnection | Promise<OriginStream> {
    if (!fresh && (this.#ready.none || !this.#ready.has(readyKey(hop)))) {
      const idle = this.#idle.get(key);
      for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) {
        if (connection.idle) {
          connection.take();
          return connection;
        }
      }
    }
    return this.#connect(route, hop, key);
  }

  async #connect(route: Route, hop: Hop, key: string): Promise<OriginStream> {
    // A chained proxy reads plain requests itself; others need a tunnel through it.
    const tunnel = hop.tls || route.opaque === true;
    const spare = (this.#idle.get(key)?.length ?? 0) > 0;
    try {
      const made = this.#ready.take(readyKey(hop), false);
      const dialled = await this.#dial(route, hop, { tunnel, alpn: HTTP1, made });
      return this.#connection(route, hop, key, dialled, spare ? MAX_SPARE : MAX_IDLE);
    } catch (error) {
      if (!this.#mayHttp2(route, hop) || !isAlpnRefusal(error)) {
        this.#http2.forget(key);
        throw error;
      }
      this.#http2.noteOnly(key);
      const origin = this.#http2.find(key) ?? (await this.#join(route, hop, key));
      if (origin === undefined) throw error;
      return origin.open();
    }
  }

  /** @param idleMost how many may be idle with it when it is kept */
  #connection(route: Route, hop: Hop, key: string, dialled: Dialled, idleMost = MAX_IDLE): OriginConnection {
    const via = hop.upstream ? this.#upstream : undefined;
    const passesUnseen = hop.tls || route.opaque === true || dialled.tunnelled === true;
    const seesRequests = via !== undefined && !passesUnseen;
    return new OriginConnection(dialled, {
      key,
      tls: hop.tls,
      ...(via === undefined ? {} : { via: via.name }),
      absoluteForm: seesRequests
        ? { authority: formatAuthority(route, 80), extra: via.authorization }
        : undefined,
      idleTimeout: this.options.timeouts.idle,
      idleWatch: this.idleWatch,
      onIdle: (connection) => this.#keep(connection, idleMost),
    });
  }

  #join(route: Route, hop: Hop, key: string): Promise<Http2Origin | undefined> {
    return this.#http2.join(key, {
      dial: async () => {
        // Without TLS node:http2 does the reading, and those that are ready are read here.
        const made = hop.tls ? this.#ready.take(readyKey(hop), false) : undefined;
        const dialled = await this.#dial(route, hop, { tunnel: true, alpn: BOTH, made });
        // Whoever speaks HTTP/2 without TLS knows that the origin does (RFC 9113 section 3.3).
        return hop.tls ? dialled : { ...dialled, alpn: 'h2' };
      },
      speak: (dialled) => this.#speak(route, hop, key, dialled),
      other: (dialled) => this.#connection(route, hop, key, dialled).keep(),
    });
  }

  /** Speaks HTTP/2 over a connection. @throws OriginFailure if it was agreed on and does not come */
  async #speak(route: Route, hop: Hop, key: string, dialled: Dialled): Promise<Http2Origin | undefined> {
    const via = hop.upstream ? this.#upstream : undefined;
    const { idle, connect } = this.options.timeouts;
    const origin = new Http2Origin(dialled, {
      tls: hop.tls,
      authority: formatAuthority(route, defaultPort(hop.tls)),
      ...(via === undefined ? {} : { via: via.name }),
      idleTimeout: idle,
      idleWatch: this.idleWatch,
      onHttp1Required: () => this.#http2.noteHttp1(key),
      onGone: (gone) => this.#http2.drop(key, gone),
    });
    try {
      await origin.begun(connect);
      return origin;
    } catch (error) {
      // Without TLS it was a try.
      if (!hop.tls) return undefined;
      throw new OriginFailure('ORIGIN_CLOSED', `${formatAuthority(route)}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * @param tunnel whether octets have to get through a chained proxy as they are
   * @param made a connection that is there already
   */
  async #dial(
    route: Route,
    hop: Hop,
    { tunnel, alpn, made }: { tunnel: boolean; alpn: readonly string[]; made?: Dialled | undefined },
  ): Promise<Dialled> {
    const { verifyUpstream: verify, upstreamCa: ca } = this.options;
    const { connect: timeout } = this.options.timeouts;
    const named = formatAuthority(route);
    const onSocket = (socket: Socket) => this.#track(socket);
    try {
      const { host, port } = hop;
      const plainReads = alpn === BOTH && !hop.tls;
      const plain =
        made ??
        (hop.upstream && this.#upstream !== undefined
          ? await this.#upstream.connect({ host, port, tunnel, timeout, verify, ca, onSocket, plainReads })
          : await connectTcp({ host, port, timeout, onSocket, plainReads }));
      if (!hop.tls) return plain;
      return await connectTls(plain, { serverName: route.serverName, verify, ca, timeout, alpn });
    } catch (error) {
      const failure = error instanceof OriginFailure ? error : undefined;
      const mapped = hop.host === route.host && hop.port === route.port ? '' : ` (${formatAuthority(hop)})`;
      throw new OriginFailure(
        failure?.code ?? 'ORIGIN_UNREACHABLE',
        `${named}${mapped}: ${messageOf(error)}`,
        {
          cause: failure?.cause ?? error,
        },
      );
    }
  }

  #track(socket: Socket): void {
    if (this.#closed) {
      socket.destroy();
      throw new OriginFailure('PROXY_CLOSED', 'the proxy was closed');
    }
    this.#open.add(socket);
    let own: number | undefined;
    socket.once('connect', () => {
      const { localPort, remotePort = 0 } = socket;
      // Connections to different peers may share a local port: only one that leads here tells of a loop.
      if (localPort === undefined || !this.isSelf('127.0.0.1', remotePort)) return;
      own = localPort;
      this.#ports.add(own);
    });
    socket.once('close', () => {
      this.#open.delete(socket);
      if (own !== undefined) this.#ports.delete(own);
    });
  }

  #keep(connection: OriginConnection, most: number): void {
    const idle = this.#idle.get(connection.key) ?? [];
    this.#idle.set(connection.key, idle);
    // Connections that closed while idle are dropped here, not with a search at each close.
    if (idle.length >= most) {
      const alive = idle.filter((other) => other.idle);
      idle.length = 0;
      idle.push(...alive.slice(-MAX_IDLE + 1));
      for (const surplus of alive.slice(0, -MAX_IDLE + 1)) surplus.cut();
      if (idle.length >= most) {
        connection.cut();
        return;
      }
    }
    idle.push(connection);
  }
}

/** Connections with the same key lead to the same place, whatever will be spoken. */
function readyKey({ host, port, upstream }: Hop): string {
  return `${host}:${port}${upstream ? ' upstream' : ''}`;
}

/** The origin speaks none of the protocols that it was offered (RFC 7301 section 3.2). */
function isAlpnRefusal(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
  return code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
}
