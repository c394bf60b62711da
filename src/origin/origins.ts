import { type FlowErrorCode, messageOf } from '../errors.js';
import type { ResolvedOptions } from '../options.js';
import { connectTcp, connectTls, type Dialled } from './connect.js';
import { OriginConnection } from './connection.js';
import { HostMap } from './hosts.js';
import type { ConnectionPin } from './stream.js';
import { UpstreamRoute } from './upstream.js';

/** Where a request's octets go. */
export interface Route {
  tls: boolean;
  host: string;
  port: number;
  /** The name to ask for in TLS. */
  serverName: string;
}

export interface AcquireOptions {
  /** Not one that has served before. */
  fresh: boolean;
  /** The connection that this client's authenticated exchanges are pinned to, if there is one. */
  pin: ConnectionPin;
}

/** Why no connection to an origin could be had. */
export class OriginFailure extends Error {
  constructor(
    readonly code: FlowErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'OriginFailure';
  }
}

/** Where a route leads once names are mapped and a chained proxy is taken into account. */
interface Hop {
  tls: boolean;
  host: string;
  port: number;
  upstream: boolean;
}

/** Idle connections that are kept for each key. */
const MAX_IDLE = 64;

/** Connections to origins: made, kept while idle, and never bound to a client's connection unless HTTP needs that. */
export class Origins {
  readonly hosts: HostMap;
  readonly #upstream: UpstreamRoute | undefined;
  readonly #idle = new Map<string, OriginConnection[]>();
  readonly #open = new Set<{ destroy(): void }>();
  readonly #ports = new Set<number>();
  #closed = false;

  /** @param isSelf whether an address is where this proxy listens */
  constructor(
    private readonly options: ResolvedOptions,
    private readonly isSelf: (host: string, port: number) => boolean,
  ) {
    this.hosts = new HostMap(options.hosts);
    this.#upstream = options.upstream === undefined ? undefined : new UpstreamRoute(options.upstream);
  }

  /** Whether a local port is the near end of a connection of this proxy's own. */
  isOwnPort(port: number | undefined): boolean {
    return port !== undefined && this.#ports.has(port);
  }

  /** @throws OriginFailure */
  acquire(route: Route, { fresh, pin }: AcquireOptions): OriginConnection | Promise<OriginConnection> {
    const hop = this.#hop(route);
    const key = this.#key(route, hop);
    const { pinned } = pin;
    if (pinned instanceof OriginConnection && pinned.key === key && pinned.idle) {
      pinned.take();
      return pinned;
    }
    if (!fresh) {
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

  /** A connection for a raw tunnel. @throws OriginFailure */
  dial(route: Route): Promise<Dialled> {
    return this.#dial(route, this.#hop(route));
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.destroy();
    this.#open.clear();
    this.#idle.clear();
  }

  #hop(route: Route): Hop {
    const mapped = this.hosts.find(route.host, route.port);
    const hop: Hop = {
      tls: mapped?.tls ?? route.tls,
      host: mapped?.host ?? route.host,
      port: mapped?.port ?? route.port,
      upstream: false,
    };
    if (this.isSelf(hop.host, hop.port)) {
      const target = `${route.host}:${route.port}`;
      throw new OriginFailure('PROXY_LOOP', `${target} is this proxy itself: it would ask itself for ever`);
    }
    // What was mapped by hand is meant to be reached as it says.
    if (mapped === undefined && this.#upstream?.serves(route.host, route.port)) hop.upstream = true;
    return hop;
  }

  #key(route: Route, hop: Hop): string {
    const tls = hop.tls ? `tls ${route.serverName} ${this.options.verifyUpstream}` : 'plain';
    return `${tls} ${hop.host}:${hop.port}${hop.upstream ? ' upstream' : ''}`;
  }

  async #connect(route: Route, hop: Hop, key: string): Promise<OriginConnection> {
    const dialled = await this.#dial(route, hop);
    const via = hop.upstream ? this.#upstream : undefined;
    return new OriginConnection(dialled, {
      key,
      tls: hop.tls,
      ...(via === undefined ? {} : { via: via.name }),
      // Over TLS the chained proxy is behind a tunnel and sees nothing of the request.
      absoluteForm:
        via !== undefined && !hop.tls
          ? { authority: authorityOf(route), extra: via.authorization }
          : undefined,
      idleTimeout: this.options.timeouts.idle,
      onIdle: (connection) => this.#keep(connection),
    });
  }

  async #dial(route: Route, hop: Hop): Promise<Dialled> {
    const { connect: timeout } = this.options.timeouts;
    const named = `${route.host}:${route.port}`;
    try {
      const plain =
        hop.upstream && this.#upstream !== undefined
          ? await this.#upstream.connect({ ...hop, tunnel: hop.tls, timeout })
          : await connectTcp({ host: hop.host, port: hop.port, timeout });
      this.#track(plain);
      if (!hop.tls) return plain;
      return await connectTls(plain, {
        serverName: route.serverName,
        verify: this.options.verifyUpstream,
        ca: this.options.upstreamCa,
        timeout,
      });
    } catch (error) {
      const failure = error instanceof OriginFailure ? error : undefined;
      const mapped = hop.host === route.host && hop.port === route.port ? '' : ` (${hop.host}:${hop.port})`;
      throw new OriginFailure(
        failure?.code ?? 'ORIGIN_UNREACHABLE',
        `${named}${mapped}: ${messageOf(error)}`,
        {
          cause: failure?.cause ?? error,
        },
      );
    }
  }

  #track({ socket }: Dialled): void {
    if (this.#closed) {
      socket.destroy();
      throw new OriginFailure('PROXY_CLOSED', 'the proxy was closed');
    }
    this.#open.add(socket);
    const port = socket.localPort;
    if (port !== undefined) this.#ports.add(port);
    socket.once('close', () => {
      this.#open.delete(socket);
      if (port !== undefined) this.#ports.delete(port);
    });
  }

  #keep(connection: OriginConnection): void {
    const idle = this.#idle.get(connection.key) ?? [];
    this.#idle.set(connection.key, idle);
    // Connections that closed while idle are dropped here, not with a search at each close.
    if (idle.length >= MAX_IDLE) {
      const alive = idle.filter((other) => other.idle);
      idle.length = 0;
      idle.push(...alive.slice(-MAX_IDLE + 1));
      for (const surplus of alive.slice(0, -MAX_IDLE + 1)) surplus.cut();
    }
    idle.push(connection);
  }
}

function authorityOf({ host, port }: Route): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === 80 ? name : `${name}:${port}`;
}
