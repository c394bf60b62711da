import { FlowList } from './flow/flow-list.js';
import { TcpFlowRecord } from './flow/tcp.js';
import type { TcpFlow, TcpMessage } from './flow/tcp-types.js';
import type { ClientInfo } from './flow/types.js';
import type { HookTable } from './hooks.js';
import type { ResolvedOptions } from './options.js';
import type { TcpServices } from './tcp/services.js';
import type { TcpSession } from './tcp/session.js';
import type { Verdict } from './verdict.js';

/** The connections that `tcpHosts` names. */
export class TcpFlows implements TcpServices {
  readonly flows = new FlowList<TcpFlow>();
  readonly sessions = new Set<TcpSession>();

  constructor(
    readonly options: ResolvedOptions,
    private readonly hooks: HookTable,
    private readonly verdict: Verdict,
    private readonly nextId: () => string,
  ) {}

  open(client: ClientInfo, kill: () => void): TcpFlowRecord {
    const flow = new TcpFlowRecord(this.nextId(), client, kill);
    this.flows.add(flow);
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
    for (const session of [...this.sessions]) session.fail('PROXY_CLOSED', 'the proxy was closed');
  }
}
