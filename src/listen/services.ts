import type { FlowError } from '../errors.js';
import type { ExchangeServices } from '../exchange/services.js';
import type { Authority } from '../flow/authority.js';
import type { ClientInfo } from '../flow/types.js';
import type { DialledRaw, Route } from '../origin/origins.js';
import type { ReadyConnection } from '../origin/ready.js';
import type { IdleWatch } from '../tcp/idle-watch.js';
import type { TcpServices } from '../tcp/services.js';
import type { CertificateAuthority } from '../tls/ca.js';
import type { Gate } from './auth.js';

/** What is known of a request that was refused. */
export interface RefusedHead {
  method: string;
  target: string;
  /** Default `1.1`. */
  version?: string;
}

/** What the listening side needs of the proxy. */
export interface ListenServices extends ExchangeServices {
  readonly ca: CertificateAuthority;
  readonly idleWatch: IdleWatch;
  /** Absent if everybody may use the proxy. */
  readonly gate: Gate | undefined;
  /** What recorded TCP connections need of the proxy. */
  readonly tcp: TcpServices;
  nextId(): string;
  /** Whether a Host field names this proxy's own address. */
  isSelf(host: string): boolean;
  /** Whether a client's port is the near end of a connection this proxy made. */
  isOwnConnection(port: number): boolean;
  /** What an origin speaks when it has the choice. @throws OriginFailure */
  spokenBy(route: Route): Promise<'h2' | 'http/1.1'>;
  /**
   * A connection for a raw tunnel.
   * @param alpn what to offer in TLS; default HTTP/1.1
   * @throws OriginFailure
   */
  dial(route: Route, alpn?: readonly string[]): Promise<DialledRaw>;
  /** Connects to an origin before it is known what will be spoken. @throws OriginFailure */
  prepare(authority: Authority): Promise<ReadyConnection>;
  /** A request was refused before there was an exchange. */
  refused(client: ClientInfo, error: FlowError, head: RefusedHead): void;
  clientConnected(client: ClientInfo): void;
  clientDisconnected(client: ClientInfo): void;
  /** Something went wrong with a connection that no flow can tell of. */
  clientError(client: ClientInfo, error: Error): void;
}
