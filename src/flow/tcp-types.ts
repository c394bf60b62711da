/**
 * What a test sees of a TCP flow.
 * @module
 */
import type { FlowError } from '../errors.js';
import type { ClientInfo, ServerInfo } from './types.js';

/** Which end of a TCP flow. */
export type TcpPeer = 'client' | 'server';

/** What one read of a connection brought. TCP has no messages: where one ends is chance. */
export interface TcpMessage {
  readonly from: TcpPeer;
  /**
   * The octets. Assigning in the `tcpMessage` hook changes what the other end receives, nothing at all where it is empty;
   * later it changes nothing and leaves a warning. Only assigning counts: don't write into the buffer.
   */
  get data(): Buffer;
  set data(value: Uint8Array | string);
  /** `data` as UTF-8. */
  text(): string;
  /** Milliseconds since the epoch, with fractions. */
  readonly timestamp: number;
  /** Octets of the whole message, also of a truncated one. */
  readonly size: number;
  /** A hook changed `data`. */
  readonly edited: boolean;
  /** It is larger than `maxStoredMessageSize`, or than what room there was: `data` is its beginning. */
  readonly truncated: boolean;
}

/**
 * Selects TCP flows: a glob of the host name, or of `host:port`; a RegExp that is looked for in `host:port`; or a function,
 * which is asked again as the flow goes on. The host is what the tunnel was opened to, and the name in its TLS hello.
 */
export type TcpFlowMatch = string | RegExp | ((flow: TcpFlow) => boolean | Promise<boolean>);

/** One connection that `tcpHosts` names: what its ends said to each other, once TLS was off. */
export interface TcpFlow {
  /** Unique in its proxy, HTTP flows included: digits, counted up in order of start. */
  readonly id: string;
  readonly type: 'tcp';
  readonly client: ClientInfo;
  /** Absent where no connection was made. */
  readonly server?: ServerInfo | undefined;
  /** What was read from either end, in order. */
  readonly messages: TcpMessage[];
  /** Octets that were read from either end, stored or not. */
  readonly received: Readonly<Record<TcpPeer, number>>;
  /** `messages` has only the first: there were more than 10 000, or than 64 MiB of data. */
  readonly truncated: boolean;
  /** Why the flow failed, if it did. */
  readonly error?: FlowError | undefined;
  /** What had no effect and why, a sentence each. */
  readonly warnings: string[];
  /** For hooks to keep things in. */
  readonly metadata: Map<string, unknown>;
  /** Milliseconds since the epoch, with fractions. */
  readonly startedAt: number;
  /** When both ends had closed, or the flow failed; absent until then. */
  readonly endedAt?: number | undefined;
  /** Cuts the connection at both ends. Has no effect once the flow is over. */
  kill(): void;
}
