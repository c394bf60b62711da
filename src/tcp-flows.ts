import { FlowList } from './flow/flow-list.js';
import { TcpFlowRecord } from './flow/tcp.js';
import type { TcpFlow, TcpMessage } from './flow/tcp-types.js';
import type { ClientInfo } from './flow/types.js';
import type { HookTable } from './hooks.js';
import type { ResolvedOptions } from './options/types.js';
import type { TcpServices } from './tcp/services.js';
import type { TcpSession } from './tcp/session.js';
import type { Verdict } from './verdict.js';
import { TcpWaits } from './waits/tcp-waits.js';

/** The connections that `tcpHosts` names. */
export class TcpFlows implements TcpServices {
  readonly flows = new FlowList<TcpFlow>();
  readonly sessions = new Set<TcpSession>();
  readonly waits: TcpWaits;
  closed = false;

  constructor(
    readonly options: ResolvedOptions,
    private readonly hooks: HookTable,
    private readonly verdict: Verdict,
    private readonly nextId: () => string,
    waitTimeout?: number,
  ) {
    this.waits = new TcpWaits(this.flows, waitTimeout);
  }

  open(client: ClientInfo, kill: () => void): TcpFlowRecord {
    const flow = new TcpFlowRecord(this.nextId(), client, kill);
    this.flows.add(flow);
    flow.onProgress(() => this.waits.happened(flow));
    return flow;
  }

  runHook(hook: 'tcpStart' | 'tcpEnd', flow: TcpFlowRecord): Promise<void> | undefined {
    return this.hooks.run(hook, flow);
  }

  hasMessageHook(): boolean {
    return this.hooks.has('tcpMessage');
  }

  runMessageHook(flow: TcpFlowRecord, message: TcpMessage): Promise<void> | undefined {
    return this.hooks.run('tcpMessage', flow, message);
  }

  problem(thrown: unknown): void {
    this.verdict.problem(thrown);
  }

  close(): void {
    this.closed = true;
    for (const session of [...this.sessions]) session.close();
    this.waits.close('the proxy is closed');
  }
}
