import type { TcpFlowRecord } from '../flow/tcp.js';
import type { TcpMessage } from '../flow/tcp-types.js';
import type { ClientInfo } from '../flow/types.js';
import type { TcpSession } from './session.js';

/** What a recorded TCP connection needs of the proxy. */
export interface TcpServices {
  readonly options: { readonly maxStoredMessageSize: number };
  /** Those that are open, to be ended with the proxy. */
  readonly sessions: Set<TcpSession>;
  /** The proxy has been closed. */
  readonly closed: boolean;
  /** Makes the record of a connection, and puts it on the list. */
  open(client: ClientInfo, kill: () => void): TcpFlowRecord;
  /** Runs a hook's handlers in order. Returns a promise only if one of them did. */
  runHook(hook: 'tcpStart' | 'tcpEnd', flow: TcpFlowRecord): Promise<void> | undefined;
  /** Whether `tcpMessage` has handlers. */
  hasMessageHook(): boolean;
  runMessageHook(flow: TcpFlowRecord, message: TcpMessage): Promise<void> | undefined;
  /** Something of the test's own threw. */
  problem(thrown: unknown): void;
}
